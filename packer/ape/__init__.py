"""APE files, also of other tools: their parts, and the rules of loaders that they break."""

__all__ = ["anatomy", "description", "elf_rules", "macho_rules"]
"""Modules that other packages may use."""
