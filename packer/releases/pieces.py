"""The pieces of a release, from the build cache; the key of each is a hash of its sources."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from packer.engines import cache, native, pins, stubs, web_ui
from packer.engines.deflated import Packed, packed_engine, packed_web_ui
from packer.engines.gpu import modules, sources
from packer.engines.gpu.archive import archive_name, packed_module
from packer.engines.gpu.pins import Module
from packer.engines.key import engine_key
from packer.engines.targets import TARGETS, Target
from packer.io import build_cache
from runtime.formats.bundle import ENGINES, GPU, GPU_SOURCES, WEB_UI


@dataclass(frozen=True)
class Piece:
    """One folder of the build cache, or some files of one."""

    name: str
    """`engine-TARGET`, `gpu-TARGET-KIND`, `gpu-sources`, `stubs` or `web-ui`."""
    id: str
    """Another piece of the same name has another one; so an engine fits the packer or does not."""
    folder: Path
    files: tuple[str, ...] = ()
    """Files of `folder` that belong to it; empty: all of them."""
    lock: str = ""
    """Who makes it holds this lock; `name` if empty."""
    packed: Callable[[], AbstractContextManager[Packed]] | None = None
    """Opens its files as bundles hold them, deflated already."""
    prefix: str = ""
    """What the names of these begin with."""
    kept_as: str = ""
    """For pieces with a `SHA256SUMS`: prefix of the name of their archive in `pack`'s cache."""

    @property
    def here(self) -> bool:
        """Whether it is in the build cache."""
        if self.files:
            return all((self.folder / name).is_file() for name in self.files)
        return self.folder.is_dir()

    @property
    def paths(self) -> list[Path]:
        """Its files, sorted."""
        if self.files:
            return [self.folder / name for name in self.files]
        return sorted(path for path in self.folder.rglob("*") if path.is_file())


def engines(targets: Iterable[Target]) -> list[Piece]:
    """The engine for each of these targets."""
    folder = native.directory()
    pinned, digests = pins.load(folder), native.digests(folder)
    return [_engine(target, engine_key(target, pinned, digests)) for target in targets]


def _engine(target: Target, key: str) -> Piece:
    place = cache.folder(target.name, key)

    @contextmanager
    def packed() -> Iterator[Packed]:
        with packed_engine(target.name, place) as one:
            yield one.packed

    prefix = f"{ENGINES}{target.name}/"
    return Piece(
        f"engine-{target.name}",
        place.name,
        place,
        lock=target.name,
        packed=packed,
        prefix=prefix,
        kept_as=target.name,
    )


def gpu(module: Module) -> Piece:
    """A GPU module."""
    place = modules.folder_of(module)

    @contextmanager
    def packed() -> Iterator[Packed]:
        with packed_module(module, place) as one:
            yield one.packed

    return Piece(
        f"gpu-{module.target}-{module.kind}",
        place.name,
        place,
        lock=modules.LOCK,
        packed=packed,
        prefix=f"{GPU}{module.target}/{module.kind}/",
        kept_as=archive_name(module),
    )


def gpu_sources() -> Piece:
    """What produced files compile GPU modules from."""
    place = sources.collected_folder()
    packed = partial(sources.packed_sources, place, TARGETS)
    return Piece(
        "gpu-sources", place.parent.name, place, packed=packed, prefix=f"{GPU_SOURCES}src/"
    )


def start_stubs() -> Piece:
    """The start stubs of all targets: a few hundred kilobytes."""
    zig = pins.load(native.directory()).zig
    names = tuple(sorted(stubs.cached(name, zig).name for name in stubs.STUB_TARGETS))
    id_ = hashlib.sha256("\n".join(names).encode()).hexdigest()[:16]
    return Piece("stubs", id_, build_cache.root() / stubs.FOLDER, names)


def web_pages() -> Piece:
    """The web UI."""
    place = web_ui.folder()
    packed = partial(packed_web_ui, place)
    return Piece("web-ui", place.name, place, packed=packed, prefix=WEB_UI)


def common() -> list[Piece]:
    """What every bundle takes, whatever its targets."""
    return [start_stubs(), web_pages(), gpu_sources()]


def every(gpu_modules: Iterable[Module]) -> list[Piece]:
    """All pieces that there can be."""
    return [*engines(TARGETS.values()), *map(gpu, gpu_modules), *common()]
