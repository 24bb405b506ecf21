"""The programs in a bundle: engines, start stubs, GPU modules, the web UI; built, found and kept.

Builds fetch the pinned sources and compile them with zig. `foreign` has runtimes of other tools.
"""

__all__ = [
    "archives",
    "build",
    "cache",
    "cleaning",
    "cosmo",
    "description",
    "finished",
    "foreign",
    "front",
    "gpu",
    "layout",
    "license_files",
    "lock",
    "logged",
    "native",
    "npm",
    "pins",
    "source",
    "stubs",
    "sums",
    "targets",
    "toolchain",
    "web_ui",
]
"""Modules that other packages may use."""
