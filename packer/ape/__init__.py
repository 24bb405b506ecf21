"""APE files, whoever made them: their parts, and the rules of the loaders that they break."""

__all__ = ["anatomy", "description", "elf_rules", "macho_rules"]
"""Modules that other packages may use."""
