"""GGUF files on disk or inside an archive."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from packer.io.sources import FileSource, Source
from runtime.formats.gguf_header import Header, read_header_of
from runtime.formats.zip_directory import STORED, Member


def is_weights(member: Member) -> bool:
    """Whether an engine can map it."""
    return member.name.endswith(".gguf") and member.method == STORED and not member.encrypted


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
        """Its header.

        Raises:
            InputError: it is not a GGUF that an engine could load.
        """

    def source(self) -> Source:
        """Its contents.

        Raises:
            InputError: they cannot be read.
        """

    def beside(self, name: str) -> WeightsSource | None:
        """The file of that name in the same folder; None if there is none."""

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
