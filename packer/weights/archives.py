"""GGUF files inside ZIP archives, as maintainers receive them: read in one pass, never unpacked."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO, cast

from packer.io.digest import Digest
from packer.io.sources import Source, WeightsSource
from runtime.errors import InputError
from runtime.formats.bundle import Bundle
from runtime.formats.file_stream import PieceStream
from runtime.formats.gguf_header import Header, read_header
from runtime.formats.zip_directory import STORED, Member
from runtime.hub.choice import best_projector, is_model, shards

_HEADER_LIMIT = 64 << 20  # bytes of a header, most of which is the vocabulary; real ones have 20


@dataclass(frozen=True)
class ZippedWeights:
    """A GGUF that is a member of an archive."""

    path: Path
    member: str

    @property
    def name(self) -> str:
        return PurePosixPath(self.member).name

    def __str__(self) -> str:
        return f"{self.path}:{self.member}"

    def header(self) -> Header:
        with Bundle.open(self.path, old_names=True) as archive:
            member = archive.members[self.member]
            if member.method == STORED:
                return archive.header(member)
            pieces = archive.stream(member)
            prefix = cast(BinaryIO, _Prefix(pieces, str(self)))
            return read_header(prefix, str(self), size=member.size)

    def source(self) -> Source:
        with Bundle.open(self.path, old_names=True) as archive:
            return ZippedSource(self.path, archive.members[self.member])

    def beside(self, name: str) -> WeightsSource | None:
        wanted = str(PurePosixPath(self.member).with_name(name))
        with Bundle.open(self.path, old_names=True) as archive:
            return ZippedWeights(self.path, wanted) if wanted in archive.members else None

    def same(self, other: WeightsSource) -> bool:
        return self == other


@dataclass(frozen=True)
class ZippedSource:
    """The contents of a member; implements `packer.io.sources.Source` and `Checked`."""

    path: Path
    member: Member
    sparse: bool = False

    @property
    def size(self) -> int:
        return self.member.size

    def open(self) -> BinaryIO:
        if self.member.method != STORED:
            return cast(BinaryIO, PieceStream(self._inflated()))
        with Bundle.open(self.path, old_names=True) as archive:
            offset = archive.data_offset(self.member)
        file = self.path.open("rb", buffering=0)
        file.seek(offset)
        return file

    def _inflated(self) -> Generator[bytes, None, None]:
        with Bundle.open(self.path, old_names=True) as archive:
            yield from archive.stream(self.member)

    def check(self, found: Digest) -> None:
        if found.crc32 != self.member.crc32:
            raise InputError(
                f"{self.path} is damaged: the CRC-32 of member {self.member.name} differs",
                "Download or copy the archive again.",
            )


def is_archive(path: Path) -> bool:
    """Whether a file is a ZIP with weights in it."""
    return path.suffix.lower() == ".zip" and path.is_file()


def named_member(word: str) -> tuple[Path, str] | None:
    """The parts of `ARCHIVE:MEMBER`, where ARCHIVE is any ZIP, also a bundle; None for a file.

    Both may contain colons: the first colon after the name of a file divides them.
    """
    if not Path(word).exists():
        for index, char in enumerate(word):
            if char == ":" and Path(word[:index]).is_file():
                return Path(word[:index]), word[index + 1 :]
    return None


def find_weights(path: Path, member: str | None) -> tuple[ZippedWeights, ZippedWeights | None]:
    """The model in an archive, of several shards the first, and the projector that goes with it.

    Args:
        member: its name in the archive; None: the only model there is.

    Raises:
        InputError: it is not clear which one is meant, or it cannot be read.
    """
    with Bundle.open(path, old_names=True) as archive:
        names = [name for name in archive.members if name.endswith(".gguf")]
        if member is None:
            member = _only_model(path, names)
        found = archive.members.get(member)
    if found is None:
        raise InputError(f"{path} has no member {member}", _listed(names))
    if found.encrypted:
        raise InputError(
            f"{path}: member {member} is encrypted", "Unpack it with `7z x`, and pack the GGUF."
        )
    projector = best_projector(names, member)
    return (
        ZippedWeights(path, member),
        ZippedWeights(path, projector) if projector and projector != member else None,
    )


def _only_model(path: Path, names: list[str]) -> str:
    models = [name for name in names if is_model(name)]
    first = models[0] if models else names[0] if len(names) == 1 else None
    if first is None:
        raise InputError(f"{path} does not contain a GGUF model", _listed(names))
    group = shards(models or names, first)
    if len(models) > len(group):
        raise InputError(f"{path} contains several models", _listed(models))
    return group[0]


def _listed(names: list[str]) -> str:
    if not names:
        return "Unpack it; `llamapack convert` makes GGUF of safetensors."
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    return f"Name one as `ARCHIVE.zip:MEMBER`: {', '.join(names[:8])}{more}."


class _Prefix:
    """The beginning of a stream as a seekable file, read as far as it is asked for."""

    def __init__(self, pieces: Iterator[bytes], name: str) -> None:
        self._pieces = pieces
        self._name = name
        self._data = bytearray()
        self._position = 0

    def seek(self, position: int) -> int:
        self._position = position
        return position

    def read(self, count: int) -> bytes:
        end = self._position + count
        while len(self._data) < end and (piece := next(self._pieces, None)) is not None:
            self._data += piece
            if len(self._data) > _HEADER_LIMIT:
                raise InputError(
                    f"{self._name}: its header has more than {_HEADER_LIMIT >> 20} MiB",
                    "Unpack it first, and pack the GGUF.",
                )
        data = bytes(self._data[self._position : end])
        self._position += len(data)
        return data
