"""The index of a release: its archives with their SHA-256, and how they get into the build cache.

A released llamapack contains the index of its own release, so who trusts the one trusts the other.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from packer.engines import cache
from packer.engines.gpu import chosen, pins
from packer.engines.gpu.pins import Module
from packer.engines.targets import TARGETS, Target
from packer.io import build_cache
from packer.io.console import note
from packer.releases import NAME, PINNED, pieces
from packer.releases.pieces import Archive, Piece
from packer.weights.downloads import Downloads
from runtime.errors import InputError
from runtime.formats.json_input import MALFORMED, parse_json
from runtime.hub.words import WebWord, parsed

FORMAT = 1


@dataclass(frozen=True)
class Index:
    """The archives of one release."""

    llama_cpp: str
    """llama.cpp's release."""
    base: str | None
    """Address of the folder that holds the archives, if it is known."""
    archives: Mapping[str, Archive]
    """By the name of the piece."""


def encode(index: Index) -> bytes:
    """The bytes of an index: JSON, keys sorted."""
    document = {
        "archives": {name: asdict(archive) for name, archive in index.archives.items()},
        "base": index.base,
        "format": FORMAT,
        "llama.cpp": index.llama_cpp,
    }
    return f"{json.dumps(document, indent=2, sort_keys=True)}\n".encode()


def parse(text: bytes, where: str) -> Index:
    """Read the index that errors call `where`. Raises InputError if it is not an index, or of a
    later format."""
    try:
        document = parse_json(text)
        version = document["format"]
        if version != FORMAT:
            raise InputError(
                f"{where} is of index format {version!r}; this llamapack knows {FORMAT}",
                "Upgrade llamapack.",
            )
        base = document["base"]
        archives = {str(name): _archive(facts) for name, facts in document["archives"].items()}
        return Index(str(document["llama.cpp"]), base and str(base), archives)
    except InputError:
        raise
    except MALFORMED:
        raise InputError(
            f"{where} is not an index of released engines", f"Name the `{NAME}` of a release."
        ) from None


def _archive(facts: Any) -> Archive:
    archive = Archive(**facts)
    strings = (archive.file, archive.id, archive.sha256)
    if not all(isinstance(text, str) for text in strings) or not isinstance(archive.size, int):
        raise TypeError
    if len(archive.sha256) != 64 or archive.sha256.strip("0123456789abcdef"):
        raise ValueError
    if archive.file in ("", ".", "..") or not archive.file.isprintable():
        raise ValueError
    if set(archive.file) & set('/\\:?#"'):
        raise ValueError
    return archive


def trusted_index(named: str | None, downloads: Downloads) -> Index:
    """The index in a file or at an address; None: this llamapack's own. Raises InputError if there
    is none."""
    if named is None:
        if not PINNED.is_file():
            raise InputError(
                "this llamapack was not released, so it knows no hashes of released engines",
                f"Name a list of them that you trust with `--index FILE` (`{NAME}` of a "
                "release), or run `llamapack engine build`.",
            )
        path = PINNED
    else:
        word = parsed(named, downloads.settings.endpoint)
        path = downloads.web().path(word) if isinstance(word, WebWord) else Path(named)
        downloads.finish()
    return parse(path.read_bytes(), str(path))


def targets_in(released: Index) -> list[Target]:
    """The targets of the released engines."""
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
        modules: the GPU modules to fetch; None: the released ones for these targets, of the kinds
            that `pack` takes by default.

    Raises:
        InputError: a piece was not released, or is of another llamapack.
    """
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
    """All released pieces that this llamapack knows.

    Raises:
        InputError: one is of another llamapack.
    """
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


def fetch_own(targets: list[Target]) -> None:
    """Where no engine is installed or built, fetch what this llamapack's own release has for these
    targets, if it says where.

    Raises:
        InputError: it cannot be fetched.
    """
    if not PINNED.is_file() or cache.built():
        return
    with Downloads() as downloads:
        released = trusted_index(None, downloads)
        rows = [target for target in targets_in(released) if target in targets]
        if released.base and rows:
            note("no engine is installed or built; taking those of this llamapack's release")
            for piece, entry in list(wanted(released, rows, None)):
                fetch(piece, entry, released.base, downloads)


def fetch(piece: Piece, entry: Archive, source: str, downloads: Downloads) -> Path:
    """The folder of the piece in the build cache; fetched and checked if it is missing.

    Args:
        source: folder or address of the archives.

    Raises:
        InputError: it cannot be fetched, or is not the released one.
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
        pieces.unpack(path, piece, entry)
        return piece.folder
    # Kept under its hash until it is unpacked, so that an interrupted fetch continues there.
    path = build_cache.root() / "fetched" / entry.sha256[:16] / entry.file
    path.parent.mkdir(parents=True, exist_ok=True)
    word = parsed(f"{source.rstrip('/')}/{entry.file}#sha256={entry.sha256}", "")
    assert isinstance(word, WebWord)
    downloads.web().bring(word, path, force=True)
    downloads.finish()
    pieces.unpack(path, piece, entry)
    path.unlink()
    path.parent.rmdir()
    return piece.folder
