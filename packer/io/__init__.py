"""What the operating system does for files: sharing, holes, the way past its cache, renames."""

__all__ = [
    "build_cache",
    "console",
    "copy",
    "data_folders",
    "digest",
    "epoch",
    "file_system",
    "output",
    "output_place",
    "sizes",
    "sources",
    "temporary_files",
]
"""Modules that other packages may use."""
