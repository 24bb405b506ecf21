"""What goes into a bundle: GGUF files from disks, archives, the Hub and the web."""

__all__ = [
    "checkpoints",
    "chosen",
    "collected",
    "documents",
    "downloads",
    "extra_files",
    "fetching",
    "locate",
    "small_files",
    "zipped",
]
"""Modules that other packages may use."""
