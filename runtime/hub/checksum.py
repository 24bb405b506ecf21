"""What a server states about a file's contents, and whether they are so."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from runtime.formats.sha256_file import hash_rest

_SHA256, _SHA1 = re.compile(r"[0-9a-f]{64}"), re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class Checksum:
    """A hash that a file must have."""

    kind: str
    """`SHA-256`, or `git SHA-1`: of a header `blob SIZE\\0` and the contents."""
    value: str
    """Lower-case hex digits."""

    @classmethod
    def from_etag(cls, etag: str | None) -> Checksum | None:
        """The Hub's ETag is the SHA-256 of an LFS file, and of others git's object id."""
        if etag and _SHA256.fullmatch(etag):
            return cls("SHA-256", etag)
        if etag and _SHA1.fullmatch(etag):
            return cls("git SHA-1", etag)
        return None

    def of(self, path: Path, advance: Callable[[int], object] = lambda _: None) -> str:
        """The hash of this kind of the file at `path`; `advance` is told about bytes read."""
        if self.kind == "SHA-256":
            digest = hashlib.sha256()
        else:
            digest = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
        with path.open("rb", buffering=0) as file:
            return hash_rest(file, digest, advance)
