"""Documents that go into a bundle whole: files, and members of archives and bundles."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from packer.io.sources import FileSource
from packer.weights.zipped import named_member
from runtime.errors import InputError
from runtime.formats.bundle import Bundle

_LIMIT = 1 << 20  # bytes; the longest licences and cards have a tenth


@dataclass(frozen=True)
class SmallFile:
    """A document in memory."""

    name: str
    """Its file name."""
    data: bytes
    origin: str
    """What messages call it."""

    @property
    def text(self) -> str:
        """Its contents.

        Raises:
            InputError: they are not text.
        """
        try:
            return self.data.decode()
        except UnicodeDecodeError:
            raise InputError(f"{self.origin} is not UTF-8 text", "Give a text file.") from None


def small_file(word: str) -> SmallFile:
    """The file, or `ARCHIVE:MEMBER`, that `word` names.

    Raises:
        InputError: there is no such file, or it is larger than 1 MiB.
    """
    parts = named_member(word)
    if parts is None:
        return from_disk(Path(word), word)
    path, member = parts
    with Bundle.open(path, old_names=True) as archive:
        found = archive.members.get(member)
        check_size(found.size if found else 0, word)
        return SmallFile(PurePosixPath(member).name, archive.read(member), word)


def from_disk(path: Path, origin: str) -> SmallFile:
    """The file at `path`.

    Args:
        origin: what messages call it.

    Raises:
        InputError: there is no such file, or it is larger than 1 MiB.
    """
    check_size(FileSource.of(path).size, origin)
    return SmallFile(PurePosixPath(origin).name, path.read_bytes(), origin)


def check_size(size: int, origin: str) -> None:
    """See that a document has no more than 1 MiB.

    Raises:
        InputError: it has.
    """
    if size > _LIMIT:
        raise InputError(f"{origin} has more than 1 MiB", "Give a document, not weights.")
