"""What a bundle contains, and the one function that writes it."""

from packer.bundle.contents import ALIGNMENT, Contents, Head, write

__all__ = [
    "ALIGNMENT",
    "Contents",
    "Head",
    "args",
    "contents",
    "extraction",
    "manifest",
    "models_ini",
    "pack",
    "purpose",
    "recipe",
    "request",
    "write",
]
