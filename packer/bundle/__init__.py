"""What a bundle holds, and the one function that writes it."""

from packer.bundle.contents import Contents
from packer.bundle.head import Head
from packer.bundle.write import ALIGNMENT, write

__all__ = [
    "ALIGNMENT",
    "Contents",
    "Head",
    "args",
    "extraction",
    "manifest",
    "member_names",
    "models_ini",
    "pack",
    "recipe",
    "request",
    "write",
]
