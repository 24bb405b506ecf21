"""Where contents come from: files, memory, and GGUF files on disk or in an archive."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol, runtime_checkable

from packer.io.digest import Digest
from runtime.errors import InputError
from runtime.formats.gguf_header import Header, read_header_of
from runtime.formats.zip_directory import STORED, Member


class Source(Protocol):
    """One content that can be read from its start."""

    @property
    def size(self) -> int:
        """Bytes."""

    @property
    def sparse(self) -> bool:
        """Whether it takes less space than its size, so that its copy should too."""

    def open(self) -> BinaryIO:
        """A stream at its start; the caller closes it."""


@runtime_checkable
class Checked(Protocol):
    """A source that knows what its contents should be."""

    def check(self, found: Digest) -> None:
        """Compare with the digest of the bytes read. Raises InputError if it is something else."""


@dataclass(frozen=True)
class FileSource:
    """A file on disk."""

    path: Path
    size: int
    sparse: bool

    @classmethod
    def of(cls, path: Path) -> FileSource:
        """The file at `path`. Raises InputError if it is not a regular file that can be read."""
        try:
            facts = path.stat()
        except FileNotFoundError:
            raise InputError(f"{path} does not exist", "Check the path.") from None
        if not path.is_file():
            what = "a directory" if path.is_dir() else "not a regular file"
            raise InputError(f"{path} is {what}", "Name a file.")
        blocks: int | None = getattr(facts, "st_blocks", None)
        # Rounding aside: compressing file systems say fewer blocks too, which does no harm.
        sparse = blocks is not None and blocks * 512 + (1 << 16) < facts.st_size
        return cls(path, facts.st_size, sparse)

    def open(self) -> BinaryIO:
        file = self.path.open("rb", buffering=0)
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_SEQUENTIAL)
        return file


@dataclass(frozen=True)
class BytesSource:
    """A content in memory."""

    data: bytes
    sparse: bool = False

    @property
    def size(self) -> int:
        return len(self.data)

    def open(self) -> BinaryIO:
        return io.BytesIO(self.data)


WEIGHTS_ALIGNMENT = 32
"""Bytes; GGUF pads its tensors to multiples of it, counted from the start of the file."""


def is_weights(member: Member) -> bool:
    """Whether an engine can map it."""
    return member.name.endswith(".gguf") and member.method == STORED and not member.encrypted


def is_compressed_weights(member: Member) -> bool:
    """Whether another tool has compressed it, so that no engine can map it."""
    return member.name.endswith(".gguf") and member.method != STORED and not member.encrypted


class WeightsSource(Protocol):
    """One GGUF that can go into a bundle."""

    @property
    def path(self) -> Path:
        """The file that is read."""

    @property
    def name(self) -> str:
        """Its file name."""

    def __str__(self) -> str:
        """What messages call it."""

    def header(self) -> Header:
        """Its header. Raises InputError if it is not a GGUF that an engine could load."""

    def source(self) -> Source:
        """Its contents. Raises InputError if they cannot be read."""

    def beside(self, name: str) -> WeightsSource | None:
        """The file of that name in the same folder, if it exists."""

    def same(self, other: WeightsSource) -> bool:
        """Whether both are one file."""


@dataclass(frozen=True)
class FileWeights:
    """A GGUF file on disk."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.name

    def __str__(self) -> str:
        return str(self.path)

    def header(self) -> Header:
        return read_header_of(self.path)

    def source(self) -> Source:
        return FileSource.of(self.path)

    def beside(self, name: str) -> WeightsSource | None:
        path = self.path.with_name(name)
        return FileWeights(path) if path.exists() else None

    def same(self, other: WeightsSource) -> bool:
        return (
            isinstance(other, FileWeights)
            and self.path.exists()
            and other.path.exists()
            and self.path.samefile(other.path)
        )
