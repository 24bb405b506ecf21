"""The files that a bundle is published as: itself, or its parts, which need not be cut yet."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from packer.head.windows_exe import path_beside
from packer.io.progress import Advance, progress
from packer.io.sources import FileSource
from packer.parts.files import LIMIT
from packer.parts.slices import FileSlice
from runtime.errors import InputError
from runtime.formats import parts
from runtime.formats.bundle import Bundle
from runtime.formats.sha256_file import hash_rest
from runtime.launch.parts import open_parts


@dataclass(frozen=True)
class LaidFile:
    """One file as it is published: a file on this disk, or a range of one."""

    name: str
    path: Path
    """Where its bytes are."""
    start: int
    """Bytes of `path` in front of it."""
    size: int
    """Bytes."""

    @property
    def is_whole(self) -> bool:
        """Whether it is all of the file at `path`."""
        return not self.start and self.size == self.path.stat().st_size

    def open(self, advance: Advance) -> FileSlice:
        """Its bytes; the caller closes them. `advance` is told about bytes that are read."""
        return FileSlice(self.path, self.start, self.size, advance)

    def sha256(self, advance: Advance) -> str:
        """64 lower-case hex digits; `advance` is told about bytes that are done.

        Raises:
            InputError: the file became shorter.
        """
        with self.open(advance) as file:
            return hash_rest(file, hashlib.sha256(), lambda _: None)


@dataclass(frozen=True)
class Layout:
    """All files of one bundle."""

    whole: Path
    """The bundle, or where its parts would be joined."""
    files: Sequence[LaidFile]
    """The bundle alone, or its parts in their order."""
    windows: LaidFile | None
    """The program beside it that starts it on Windows, if it has one."""

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
        """The bundle, read from where it lies; the caller closes it.

        Raises:
            InputError: it is none, or damaged.
        """
        if self.whole == self.files[0].path:
            return Bundle.open(self.whole)
        return open_parts(parts.find(self.files[0].path))


def layout(path: Path, part_size: int) -> Layout:
    """How the bundle at `path` is published; `path` may be one of the parts that it lies in.

    Args:
        part_size: bytes of every part but the last. Parts that are there already stay as they are.

    Raises:
        InputError: it is not there, parts of it are missing, or it would have too many.
    """
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
    """`NAME.exe`, if it is what `pack` writes beside bundles that Windows does not start."""
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
    """SHA-256 of these files, by name.

    Raises:
        InputError: one of them became shorter.
    """
    with progress("hashing", sum(file.size for file in files)) as advance:
        return {file.name: file.sha256(advance) for file in files}
