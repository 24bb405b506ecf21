"""Brings the pieces of a release into the build cache, where `pack` finds them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from packer.engines.gpu.pins import Module
from packer.engines.targets import TARGETS, Target
from packer.io import build_cache
from packer.io.console import note
from packer.releases import archive, index, pieces
from packer.releases.index import Archive, Index
from packer.releases.pieces import Piece
from packer.weights.downloads import Downloads
from runtime.errors import InputError
from runtime.hub.words import WebWord, parsed


def trusted_index(named: str | None, downloads: Downloads) -> Index:
    """The index to go by.

    Args:
        named: a file or an address, if not this llamapack's own is meant.

    Raises:
        InputError: there is none.
    """
    if named is None:
        if not index.PINNED.is_file():
            raise InputError(
                "this llamapack was not released, so it knows no hashes of released engines",
                f"Name a list of them that you trust with `--index FILE` (`{index.NAME}` of a "
                "release), or run `llamapack engine build`.",
            )
        path = index.PINNED
    else:
        word = parsed(named, downloads.settings.endpoint)
        path = downloads.web().path(word) if isinstance(word, WebWord) else Path(named)
        downloads.finish()
    return index.parse(path.read_bytes(), str(path))


def targets_in(released: Index) -> list[Target]:
    """The targets that there are engines for."""
    rows = list(TARGETS.values())
    return [
        row
        for row, piece in zip(rows, pieces.engines(rows), strict=True)
        if piece.name in released.archives
    ]


def wanted(
    released: Index, targets: list[Target], modules: list[Module] | None
) -> Iterator[tuple[Piece, Archive]]:
    """The pieces for these targets, including pieces for all bundles.

    Args:
        modules: the GPU modules to fetch; None: those that were released for these targets, of the
            kinds that `pack` takes by itself.

    Raises:
        InputError: one was not released, or is of another llamapack.
    """
    from packer.engines.gpu import chosen, pins

    for piece in (*pieces.engines(targets), *pieces.common()):
        yield piece, _entry(released, piece)
    if modules is not None:
        for module in modules:
            yield pieces.gpu(module), _entry(released, pieces.gpu(module))
        return
    names = {target.name for target in targets}
    for module in pins.load():
        piece = pieces.gpu(module)
        usual = module.kind in chosen.DEFAULT and module.target in names
        if usual and piece.name in released.archives:
            yield piece, _entry(released, piece)


def everything(released: Index) -> Iterator[tuple[Piece, Archive]]:
    """All pieces of an index that this llamapack knows, whichever there are.

    Raises:
        InputError: one is of another llamapack.
    """
    from packer.engines.gpu import pins

    for piece in pieces.every(pins.load()):
        if piece.name in released.archives:
            yield piece, _entry(released, piece)


def _entry(released: Index, piece: Piece) -> Archive:
    entry = released.archives.get(piece.name)
    if entry is None:
        raise InputError(
            f"the release has no {piece.name}", f"It has {', '.join(released.archives)}."
        )
    if entry.id != piece.id:
        raise InputError(
            f"the released {piece.name} was made from other sources than this llamapack",
            "Take the index of this version's release, or run `llamapack engine build`.",
        )
    return entry


def fetch(piece: Piece, entry: Archive, source: str, downloads: Downloads) -> Path:
    """The folder of the piece in the build cache; fetched and checked if it is not there.

    Args:
        source: the folder or the address that holds the archives.

    Raises:
        InputError: it cannot be had, or is not the released one.
    """
    if piece.here:
        return piece.folder
    if not source.startswith(("http://", "https://")):
        path = Path(source) / entry.file
        if not path.is_file():
            raise InputError(
                f"{path} does not exist", "Name the folder of a release with `--from`."
            )
        note(f"taking {piece.name} from {path}")
        _unpack(path, piece, entry)
        return piece.folder
    # Kept under its hash until it is unpacked, so that a fetch that was cut off goes on there.
    path = build_cache.root() / "fetched" / entry.sha256[:16] / entry.file
    path.parent.mkdir(parents=True, exist_ok=True)
    word = parsed(f"{source.rstrip('/')}/{entry.file}#sha256={entry.sha256}", "")
    assert isinstance(word, WebWord)
    downloads.web().bring(word, path, force=True)
    downloads.finish()
    _unpack(path, piece, entry)
    path.unlink()
    path.parent.rmdir()
    return piece.folder


def _unpack(path: Path, piece: Piece, entry: Archive) -> None:
    archive.check(path, entry)
    archive.unpack(path, piece)
