"""What an APE file, made by whomever, consists of, and whether it keeps the rules of its kind."""

__all__ = ["anatomy", "description", "macho"]
"""Modules that other packages may use."""
