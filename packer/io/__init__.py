"""What the operating system does for files: sharing, holes, the way past its cache, renames."""

__all__ = [
    "build_cache",
    "console",
    "copy",
    "data_folders",
    "digest",
    "epoch",
    "fallocate",
    "kernel_copies",
    "output",
    "output_checks",
    "output_place",
    "ownership",
    "progress",
    "ranges",
    "renames",
    "sizes",
    "sources",
    "temporary_files",
    "weights_file",
]
"""Modules that other packages may use."""
