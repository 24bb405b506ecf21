"""A repository on the Hub as it was found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class RemoteFile:
    """One file in a repository."""

    size: int | None
    """Bytes."""
    sha256: str | None
    """Of files in LFS or Xet; 64 hex digits."""
    blob: str | None
    """git's name of the content; of files in LFS that of their pointer."""


@dataclass(frozen=True)
class Remote:
    """A repository as it is."""

    exists: bool = False
    private: bool = False
    branch: bool = False
    """Whether the revision exists."""
    commit: str | None = None
    files: Mapping[str, RemoteFile] = field(default_factory=dict)
    """By path; where the branch does not exist, those that it would begin with."""
