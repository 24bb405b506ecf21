"""The head of a bundle: shell script, ELF headers and start stubs in front of the ZIP."""

__all__ = [
    "ape_rules",
    "elf",
    "head",
    "macho_signature",
    "pe",
    "pe_rules",
    "rules",
    "script",
    "windows_exe",
]
"""Modules that other packages may use."""
