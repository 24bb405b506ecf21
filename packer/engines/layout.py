"""The folders of the build cache that engines use."""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from packer.io import build_cache


def engines() -> Path:
    """Finished engines, one folder each: `TARGET-<first 16 hex digits of the key>`."""
    return build_cache.root() / "engines"


def source() -> Path:
    """llama.cpp's sources, one folder per release."""
    return build_cache.root() / "source"


def web_ui() -> Path:
    """Built web UIs, one folder per key."""
    return build_cache.root() / "web-ui"


def gpu() -> Path:
    """GPU modules, one folder each: `TARGET-KIND-<first 16 hex digits of the key>`."""
    return build_cache.root() / "gpu"


def gpu_shaders() -> Path:
    """Compiled shaders for Vulkan, one folder per key."""
    return build_cache.root() / "gpu-shaders"


def gpu_sources() -> Path:
    """What produced files compile GPU modules from, one folder per state of the recipes."""
    return build_cache.root() / "gpu-sources"


def builds() -> Path:
    """Where things are compiled."""
    return build_cache.root() / "build"


def build(name: str) -> Path:
    """Where one target, or another thing, is compiled; whoever holds its lock owns the folder."""
    return builds() / name


def log(name: str) -> Path:
    """The log of the last attempt to make `name`: a target, `source`, `gpu` or `web-ui`."""
    return build_cache.root() / "logs" / f"{name}.log"


def lock(name: str) -> Path:
    """The lock file of whoever makes `name`."""
    return build_cache.root() / "locks" / f"{name}.lock"


def zig_cache() -> Path:
    """The C and C++ libraries that zig compiled from its own sources, per target."""
    return build_cache.root() / "zig-cache"


def npm_cache() -> Path:
    """npm's downloads."""
    return build_cache.root() / "npm-cache"


@contextmanager
def unfinished(parent: Path, *, large: bool = False) -> Iterator[Path]:
    """A temporary folder in `parent` for work that `Path.rename` moves out when it is complete.

    Args:
        large: what remains in it is removed in the background; the program ends only after that.
    """
    parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=".unfinished-", dir=parent))
    try:
        yield folder
    finally:
        if large:
            threading.Thread(target=shutil.rmtree, args=(folder, True)).start()
        else:
            shutil.rmtree(folder, ignore_errors=True)
