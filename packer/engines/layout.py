"""Folders, logs and locks of engines in the build cache."""

from __future__ import annotations

import json
import shutil
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from packer.io import build_cache
from packer.io.console import note
from runtime import locks


def engines() -> Path:
    """Finished engines, one folder each: `TARGET-<first 16 hex digits of the key>`."""
    return build_cache.root() / "engines"


def source() -> Path:
    """llama.cpp's sources, one folder per release."""
    return build_cache.root() / "source"


def boringssl() -> Path:
    """BoringSSL's libraries, one folder each: `TARGET-<first 16 hex digits of the key>`."""
    return build_cache.root() / "boringssl"


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
    """Build folders."""
    return build_cache.root() / "build"


def build(name: str) -> Path:
    """The build folder of a target or of `cosmo`; it belongs to the holder of its lock."""
    return builds() / name


def log(name: str) -> Path:
    """The log of the last attempt to make `name`: a target, `source`, `gpu` or `web-ui`."""
    return build_cache.root() / "logs" / f"{name}.log"


def lock(name: str) -> Path:
    """The lock file for making `name`."""
    return build_cache.root() / "locks" / f"{name}.lock"


def zig_cache() -> Path:
    """The C and C++ libraries that zig compiled from its own sources, per target."""
    return build_cache.root() / "zig-cache"


def npm_cache() -> Path:
    """npm's downloads."""
    return build_cache.root() / "npm-cache"


def locked(path: Path, *, wait: bool = True, make: bool = True) -> AbstractContextManager[None]:
    """Hold the lock file `path` while the body runs; a note says so if that takes waiting.

    Args:
        make: create the file if it is missing.

    Raises:
        FileNotFoundError: it is missing, and `make` is false.
        Busy: another process holds it, and `wait` is false.
    """

    def say() -> None:
        note(f"another llamapack is working on {path.stem}; waiting for it")

    return locks.locked(path, wait=wait, make=make, waiting=say)


@contextmanager
def unfinished(parent: Path, *, large: bool = False) -> Iterator[Path]:
    """A temporary folder in `parent` for work that `Path.rename` moves out when it is complete.

    Args:
        large: remove the rest in the background; the program ends only after that.
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


def publish(made: Path, name: str, facts: Mapping[str, Any], place: Path) -> None:
    """Move the folder `made` to `place`, with its facts in the JSON file `name`, in one step."""
    with unfinished(place.parent) as folder:
        ready = folder / "engine"
        made.rename(ready)
        text = json.dumps(facts, indent=2, sort_keys=True)
        (ready / name).write_text(f"{text}\n", encoding="utf-8")
        shutil.rmtree(place, ignore_errors=True)
        ready.rename(place)
