"""The files that a bundle is published as: itself, or its parts, which need not exist yet."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packer.head.windows_exe import path_beside
from packer.io.console import Advance, progress
from packer.io.sources import FileSource
from packer.parts.splitting import LIMIT
from runtime.errors import InputError
from runtime.formats import parts
from runtime.formats.bundle import Bundle
from runtime.formats.file_stream import FileRange, FileStream
from runtime.formats.sha256_file import hash_rest
from runtime.launch.parts import open_parts


class FileSlice(FileStream, io.BufferedIOBase):
    """Reads `size` bytes of the file at `path` from `start` on: a part that was never written."""

    def __init__(
        self, path: Path, start: int, size: int, advance: Advance = lambda _: None
    ) -> None:
        """Open nothing yet; `advance` is told about bytes that are read."""
        super().__init__([FileRange(path, start, size)])
        self._source = path
        self._advance = advance

    def read(self, size: int | None = -1) -> bytes:
        left = max(self._size - self._position, 0)
        space = bytearray(left if size is None or size < 0 else min(size, left))
        return bytes(memoryview(space)[: self.readinto(space)])

    def readinto(self, space: Any) -> int:
        """Fill `space` as far as there are bytes. Raises InputError if the file became shorter."""
        room = memoryview(space)[: max(self._size - self._position, 0)]
        done = 0
        while done < len(room):
            count = self._read_some(room[done:])
            if not count:
                raise InputError(f"{self._source} became shorter while it was read", "Try again.")
            done += count
            self._advance(count)
        if self._position >= self._size:
            self._close_file()  # there may be a thousand of these
        return done


@dataclass(frozen=True)
class LaidFile:
    """One file as it is published: a file on this disk, or a range of one."""

    name: str
    path: Path  # where its bytes are
    start: int  # bytes of `path` in front of it
    size: int  # bytes

    @property
    def is_whole(self) -> bool:
        """Whether it is all of the file at `path`."""
        return not self.start and self.size == self.path.stat().st_size

    def open(self, advance: Advance) -> FileSlice:
        """Its bytes; the caller closes them. `advance` is told about bytes that are read."""
        return FileSlice(self.path, self.start, self.size, advance)

    def sha256(self, advance: Advance) -> str:
        """64 lower-case hex digits. Raises InputError if the file became shorter."""
        with self.open(advance) as file:
            return hash_rest(file, hashlib.sha256(), lambda _: None)


@dataclass(frozen=True)
class Layout:
    """All files of one bundle."""

    whole: Path  # the bundle, or where its parts would be joined
    files: Sequence[LaidFile]  # the bundle alone, or its parts in their order
    windows: LaidFile | None  # the program beside it that starts it on Windows, if it has one

    @property
    def in_parts(self) -> bool:
        return len(self.files) > 1 or self.files[0].name != self.whole.name

    @property
    def size(self) -> int:
        """Bytes of the bundle."""
        return sum(file.size for file in self.files)

    @property
    def all(self) -> list[LaidFile]:
        """The bundle's files and the program for Windows."""
        return [*self.files, *([self.windows] if self.windows else [])]

    def bundle(self) -> Bundle:
        """The bundle, read from its present files; the caller closes it. Raises InputError if it is
        not one, or damaged."""
        if self.whole == self.files[0].path:
            return Bundle.open(self.whole)
        return open_parts(parts.find(self.files[0].path))


def layout(path: Path, part_size: int) -> Layout:
    """How the bundle at `path`, or with a part at `path`, is published: existing parts as they are,
    else parts of `part_size` bytes. Raises InputError if a file is missing, or there would be too
    many."""
    name = parts.part_name(path.name)
    whole_is_meant = name is None or _is_bundle(path)
    if whole_is_meant and (path.exists() or not parts.siblings(path.parent, parts.of_whole(path))):
        return Layout(path, _cut(path, part_size), _windows(path))
    found = parts.find(path)
    files = [
        LaidFile(part.name, part, 0, size)
        for part, size in zip(found.paths, found.sizes, strict=True)
    ]
    return Layout(found.whole, files, _windows(found.whole))


def _cut(whole: Path, part_size: int) -> list[LaidFile]:
    size = FileSource.of(whole).size
    if size <= part_size:
        return [LaidFile(whole.name, whole, 0, size)]
    if size > part_size * LIMIT:
        raise InputError(
            f"{whole} would become {-(-size // part_size):,} parts of {part_size:,} bytes",
            f"Choose parts of {-(-size // LIMIT):,} bytes or more.",
        )
    name = parts.of_whole(whole)
    return [
        LaidFile(name.other(number), whole, start, min(part_size, size - start))
        for number, start in enumerate(range(0, size, part_size))
    ]


def _windows(whole: Path) -> LaidFile | None:
    """`NAME.exe`, if `pack` wrote it for a bundle that Windows cannot start."""
    path = path_beside(whole)
    if path == whole or not path.is_file():
        return None
    try:
        with Bundle.open(path) as program:
            if program.manifest is None or program.weights:
                return None
    except InputError:
        return None
    return LaidFile(path.name, path, 0, path.stat().st_size)


def _is_bundle(path: Path) -> bool:
    """Whether a file that is named as a part is a whole bundle all the same."""
    try:
        with Bundle.open(path):
            return True
    except (InputError, OSError):
        return False


def hashed(files: Sequence[LaidFile]) -> dict[str, str]:
    """SHA-256 of these files, by name. Raises InputError if one of them became shorter."""
    with progress("hashing", sum(file.size for file in files)) as advance:
        return {file.name: file.sha256(advance) for file in files}
