"""The programs in a bundle: engines, start stubs, GPU modules and the web UI.

They are built from pinned sources with zig, or fetched, and kept in the build cache.
"""

__all__ = [
    "build",
    "cache",
    "cleaning",
    "cmake",
    "cosmo",
    "deflated",
    "front",
    "gpu",
    "key",
    "layout",
    "license_files",
    "logged",
    "native",
    "npm",
    "other_runtimes",
    "pins",
    "pypi",
    "source",
    "stubs",
    "sums",
    "targets",
    "toolchain",
    "web_ui",
    "wheels",
]
"""Modules that other packages may use."""
