"""The pieces of a release, and their archives: ZIP files with the files of a piece.

A piece comes from the build cache; its key is a hash of its sources.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from packer.bundle.extraction import chosen, extract
from packer.engines import cache, layout, native, pins, stubs, sums, web_ui
from packer.engines.deflated import (
    Packed,
    PackedEngine,
    add,
    deflated,
    packed_engine,
    packed_web_ui,
)
from packer.engines.gpu import modules, sources
from packer.engines.gpu.archive import PackedModule, archive_name, packed_module
from packer.engines.gpu.pins import Module
from packer.engines.key import engine_key
from packer.engines.layout import locked
from packer.engines.targets import TARGETS, Target
from packer.io import build_cache
from packer.io.output import output_file
from packer.io.sources import FileSource
from packer.zip.writer import ZipWriter
from runtime.errors import InputError
from runtime.formats.bundle import ENGINES, GPU, GPU_SOURCES, WEB_UI, Bundle
from runtime.formats.sha256_file import file_sha256


@dataclass(frozen=True)
class Archive:
    """One archive of a release."""

    file: str
    """Name without folders."""
    id: str
    """Of the piece in it."""
    sha256: str
    """64 lower-case hex digits."""
    size: int
    """Bytes."""


@dataclass(frozen=True)
class Piece:
    """One folder of the build cache, or some files of one."""

    name: str
    """`engine-TARGET`, `gpu-TARGET-KIND`, `gpu-sources`, `stubs` or `web-ui`."""
    id: str
    """A hash of its sources, so that an engine fits the packer or does not."""
    folder: Path
    files: tuple[str, ...] = ()
    """Files of `folder` that belong to it; empty: all of them."""
    lock: str = ""
    """Name of the lock while it is made; `name` if empty."""
    packed: Callable[[], AbstractContextManager[Packed]] | None = None
    """Opens its files as bundles hold them, deflated already."""
    prefix: str = ""
    """The start of the names of these."""
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
    return Piece(
        f"engine-{target.name}",
        place.name,
        place,
        lock=target.name,
        packed=lambda: _inside(packed_engine(target.name, place)),
        prefix=f"{ENGINES}{target.name}/",
        kept_as=target.name,
    )


def gpu(module: Module) -> Piece:
    """A GPU module."""
    place = modules.folder_of(module)
    return Piece(
        f"gpu-{module.target}-{module.kind}",
        place.name,
        place,
        lock=modules.LOCK,
        packed=lambda: _inside(packed_module(module, place)),
        prefix=f"{GPU}{module.target}/{module.kind}/",
        kept_as=archive_name(module),
    )


@contextmanager
def _inside(opened: AbstractContextManager[PackedEngine | PackedModule]) -> Iterator[Packed]:
    with opened as one:
        yield one.packed


def gpu_sources() -> Piece:
    """The sources from which bundles compile GPU modules."""
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
    """The pieces of every bundle, whatever its targets."""
    return [start_stubs(), web_pages(), gpu_sources()]


def every(gpu_modules: Iterable[Module]) -> list[Piece]:
    """All possible pieces."""
    return [*engines(TARGETS.values()), *map(gpu, gpu_modules), *common()]


def write_archive(piece: Piece, folder: Path) -> Archive:
    """Write the archive of a piece into `folder`; two writers write the same bytes. Raises
    InputError if it exists already, or the disk is full."""
    path = folder / f"llamapack-{piece.name}.zip"
    with output_file(path, mode=0o644) as output, ExitStack() as stack:
        packed = stack.enter_context(piece.packed()) if piece.packed else None
        ready = {m.name: (m, content) for m, content in packed.members()} if packed else {}
        archive = ZipWriter(output, 0)
        for file in piece.paths:
            name = file.relative_to(piece.folder).as_posix()
            if packed and f"{piece.prefix}{name}" in ready:
                add(archive, packed, *ready[f"{piece.prefix}{name}"], name=name)
                continue
            source = FileSource.of(file)
            mode = 0o755 if file.stat().st_mode & 0o100 else 0o644
            with source.open() as content:
                archive.add_deflated(name, content, source.size, mode=mode)
        archive.close()
    return Archive(path.name, piece.id, file_sha256(path), path.stat().st_size)


def unpack(path: Path, piece: Piece, expected: Archive) -> None:
    """Check an archive and put its files into the build cache, all at once. Raises InputError if it
    is not the expected one, is damaged, or lacks a file."""
    _check(path, expected)
    with (
        locked(layout.lock(piece.lock or piece.name)),
        layout.unfinished(piece.folder.parent) as scratch,
        Bundle.open(path) as bundle,
    ):
        ready = scratch / "ready"
        members = chosen(bundle, piece.files)
        extract(bundle, members, ready, force=False, advance=lambda _: None)
        if not piece.files:
            if not piece.here:
                ready.rename(piece.folder)
                if piece.kept_as:
                    _keep_deflated(bundle, piece)
            return
        piece.folder.mkdir(exist_ok=True)
        for name in piece.files:
            (ready / name).replace(piece.folder / name)


def _check(path: Path, expected: Archive) -> None:
    """Raise an `InputError` unless a file has the SHA-256 of the index."""
    actual = file_sha256(path)
    if actual != expected.sha256:
        raise InputError(
            f"{path} differs from the released file: expected SHA-256 {expected.sha256}, got "
            f"{actual}",
            "Download it again. If the error stays, do not use it.",
        )


def _keep_deflated(bundle: Bundle, piece: Piece) -> None:
    """Spare the first `pack` the deflating: it finds the bytes of the release."""
    listing = sums.read(piece.folder)
    packed = Packed(bundle, listing.sums)
    members = {member.name: (member, content) for member, content in packed.members()}

    def write(archive: ZipWriter) -> None:
        for name in (*sorted(listing.sums), sums.NAME):
            add(archive, packed, *members[name], name=f"{piece.prefix}{name}")

    with deflated(piece.kept_as, listing.id, write):
        pass
