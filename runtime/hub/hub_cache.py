"""The cache of `huggingface_hub`, which it shares with llama.cpp and us.

    models--ORG--REPO/refs/REVISION            the commit that a branch or tag was last seen at
    models--ORG--REPO/blobs/ETAG               contents, by SHA-256 (LFS) or git object id
    models--ORG--REPO/snapshots/COMMIT/PATH    relative symlinks to the blobs
    .locks/models--ORG--REPO/ETAG.lock         held (flock) while a blob is fetched

The library itself names a blob by the header of an answer, whatever that contains.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_TAG = (
    "Signature: 8a477f597d28d172789f06886806bc55\n"
    "# A cache of models; backup programs may leave it out (https://bford.info/cachedir/).\n"
)


@dataclass(frozen=True)
class RepoCache:
    """The folder of one repository in the cache."""

    cache: Path
    repo: str
    """`ORG/NAME`."""

    @property
    def _name(self) -> str:
        return "--".join(["models", *self.repo.split("/")])

    @property
    def folder(self) -> Path:
        return self.cache / self._name

    def commit(self, revision: str) -> str | None:
        """The commit that a revision was last seen at; a commit is its own."""
        try:
            return (self.folder / "refs" / revision).read_text(encoding="utf-8").strip() or None
        except (OSError, UnicodeDecodeError):
            return revision if (self.folder / "snapshots" / revision).is_dir() else None

    def set_commit(self, revision: str, commit: str) -> None:
        """Remember where a branch or tag is."""
        if self.commit(revision) != commit:
            _replace(self.folder / "refs" / revision, lambda new: new.write_text(commit))

    def files(self, commit: str) -> list[str]:
        """Sorted paths of a commit's files that are complete here."""
        top = self.folder / "snapshots" / commit
        # A symlink to a blob that is gone does not exist.
        return sorted(p.relative_to(top).as_posix() for p in top.rglob("*") if p.is_file())

    def snapshot(self, commit: str, file: str) -> Path:
        """The place of a file of a commit."""
        return self.folder.joinpath("snapshots", commit, *file.split("/"))

    def blob(self, etag: str) -> Path:
        return self.folder / "blobs" / etag

    def lock(self, etag: str) -> Path:
        return self.cache / ".locks" / self._name / f"{etag}.lock"

    def prepare(self) -> None:
        """Mark the cache as one, for backup programs."""
        self.cache.mkdir(parents=True, exist_ok=True)
        with suppress(OSError), (self.cache / "CACHEDIR.TAG").open("x", encoding="utf-8") as file:
            file.write(_TAG)

    def link(self, etag: str, commit: str, file: str) -> None:
        """Give a commit's file a blob as its contents."""
        path, blob = self.snapshot(commit, file), self.blob(etag)

        def make(new: Path) -> None:
            try:
                new.symlink_to(os.path.relpath(blob, path.parent))
            except OSError:
                # No symlinks (Windows without developer mode): then huggingface_hub keeps the file
                # itself here. Copied, since the blob may be another snapshot's too.
                shutil.copyfile(blob, new)

        if not path.exists():
            _replace(path, make)


def _replace(path: Path, make: Callable[[Path], object]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.{secrets.token_hex(4)}.tmp")
    make(new)
    new.replace(path)
