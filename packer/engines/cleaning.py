"""Removes from the build cache what is out of date, or everything that can be made again."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

from packer.engines import (
    boringssl,
    cache,
    cosmo,
    deflated,
    layout,
    native,
    pins,
    source,
    stubs,
    sums,
    web_ui,
)
from packer.engines.build import build_folder
from packer.engines.gpu import modules, sources, vulkan
from packer.engines.gpu import pins as gpu_pins
from packer.engines.gpu.archive import archive_name
from packer.engines.layout import locked
from packer.engines.targets import TARGETS
from packer.engines.wheels import is_installed
from packer.io import build_cache
from runtime.errors import InputError
from runtime.locks import Busy

_LOCKS = (
    "source",
    modules.LOCK,
    "shaders",
    "gpu-sources",
    "web-ui",
    stubs.FOLDER,
    cosmo.KIND,
    *TARGETS,
)


def clean(*, everything: bool) -> int:
    """Remove leftovers of builds, and builds from other sources than the current ones.

    The user's downloads and environments stay, and so do the objects of upstream's sources, which
    make the next build short.

    Args:
        everything: also remove current builds.

    Returns:
        the number of bytes freed.

    Raises:
        InputError: a build is running, or this installation has no `native/` folder.
    """
    with ExitStack() as locks:
        for name in _LOCKS:
            try:
                locks.enter_context(locked(layout.lock(name), wait=False))
            except Busy:
                raise InputError(
                    f"{name} is being built by another llamapack",
                    "Run `llamapack engine clean` again when it is done.",
                ) from None
        stores = (layout.engines(), *_stores_by_name())
        places = [build_cache.root() / "logs", layout.zig_cache(), layout.npm_cache()]
        if everything:
            places += [layout.builds(), *stores]
        else:
            places += [path for store in stores for path in store.glob(".unfinished-*")]
            places += _stale()
        freed = sum(_size(place) for place in places)
        for place in places:
            if place.is_dir():
                shutil.rmtree(place, ignore_errors=True)
            else:
                place.unlink(missing_ok=True)
    return freed


def _stores_by_name() -> tuple[Path, ...]:
    """The stores in which a name tells whether a file or folder is current."""
    return (
        layout.source(),
        layout.boringssl(),
        layout.gpu(),
        layout.gpu_shaders(),
        layout.gpu_sources(),
        layout.web_ui(),
        deflated.folder(),
        build_cache.root() / stubs.FOLDER,
    )


def _stale() -> Iterator[Path]:
    pinned = pins.load(native.directory())
    objects = {build_folder(target, pinned) for target in TARGETS.values()}
    for folder in layout.builds().glob("*"):
        kept = {one for one in objects if one.parent == folder}
        yield from (path for path in folder.glob("*") if path not in kept) if kept else (folder,)
    engines = cache.engines()
    yield from (one.path for one in engines if not one.current and not is_installed(one.path))
    yield from (runtime.folder for runtime in cosmo.runtimes() if not runtime.current)
    current = set(_current(engines))
    for store in _stores_by_name():
        for path in store.glob("[!.]*"):
            # The folders in which stubs are compiled have no lock.
            compiling = store.name == stubs.FOLDER and path.is_dir()
            if path not in current and not compiling:
                yield path


def _current(engines: Sequence[cache.BuiltEngine]) -> Iterator[Path]:
    """The current files and folders of `_stores_by_name`.

    Deflated sources of GPU modules never count: each choice of targets has its own, and they are
    made again within a second.
    """
    pinned = pins.load(native.directory())
    yield source.folder(pinned)
    if pin := pinned.boringssl:
        yield boringssl.archive(pin)
        for target in TARGETS.values():
            yield boringssl.folder(target, pin, pinned.zig, native.directory())
    yield web_ui.folder()
    yield sources.collected_folder().parent
    yield from (stubs.cached(target, pinned.zig) for target in stubs.STUB_TARGETS)
    gpu = gpu_pins.load_all()
    yield from map(modules.folder_of, gpu.modules)
    yield vulkan.shaders_folder(gpu)
    for path in _current_deflated(engines):
        yield from (path, deflated.checksum(path))


def _current_deflated(engines: Sequence[cache.BuiltEngine]) -> Iterator[Path]:
    yield deflated.place("web-ui", web_ui.folder().name)
    yield deflated.place("roots", deflated.roots()[1])
    yield from (deflated.place(one.target, one.id) for one in engines if one.current)
    for module, folder in modules.found():
        with suppress(InputError):  # damaged, as the next `pack` with it says
            yield deflated.place(archive_name(module), sums.read(folder).id)


def _size(place: Path) -> int:
    paths = place.rglob("*") if place.is_dir() else [place]
    return sum(p.lstat().st_size for p in paths if p.is_symlink() or p.is_file())
