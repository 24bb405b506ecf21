"""The head of a bundle: shell script, ELF and PE headers and start stubs in front of the ZIP."""

__all__ = ["elf", "head", "macho_signature", "pe", "script", "windows_exe"]
"""Modules that other packages may use."""
