"""Where contents come from: a file, or a piece of memory."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol, runtime_checkable

from packer.io.digest import Digest
from runtime.errors import InputError


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
        """Compare with the digest of the bytes read.

        Raises:
            InputError: it is something else.
        """


@dataclass(frozen=True)
class FileSource:
    """A file on disk."""

    path: Path
    size: int
    sparse: bool

    @classmethod
    def of(cls, path: Path) -> FileSource:
        """The file at `path`.

        Raises:
            InputError: it is not a regular file that can be read.
        """
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
