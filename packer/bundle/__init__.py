"""What a bundle contains, and the one function that writes it."""

__all__ = [
    "args",
    "contents",
    "extraction",
    "manifest",
    "models_ini",
    "pack",
    "purpose",
    "recipe",
    "request",
]
"""Modules that other packages may use."""
