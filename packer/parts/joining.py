"""Joins parts into a new file, after comparing them with the list of hashes.

With a list, the part that is missing, cut off, swapped or damaged is named. Without one the bundle
inside is verified, which tells that something is wrong and in which member.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from packer.inspection.verification import verify
from packer.io.console import Advance, progress
from packer.io.copy import Destination, Nowhere, copy
from packer.io.digest import Data, Hasher
from packer.io.output import output_file
from packer.io.sources import FileSource
from packer.parts import sha256_lists
from packer.parts.sha256_lists import path_beside
from runtime.errors import InputError
from runtime.formats.parts import Parts
from runtime.formats.sha256_file import file_sha256
from runtime.launch.parts import open_parts

_BEHIND = 64  # pieces that may wait for being hashed; they are mapped files
_AGAIN = "Download or copy the parts named here again."
_RENAME = "Give each part the name that it was published with."
_WRONG = {"damaged", "missing"}  # the problems that parts can cause


def check_first(parts: Parts, sums: Mapping[str, str]) -> None:
    """Check what can be known before all parts are read. Raises InputError if a part is missing or
    cut off; or if no list states the hashes, and the bytes are not a bundle's."""
    siblings = [found for name in sums if (found := parts.name.is_sibling(name))]
    missing = sorted(found.number for found in siblings if found.number >= len(parts.paths))
    if missing:
        listed = ", ".join(str(parts.whole.with_name(parts.name.other(n))) for n in missing[:5])
        raise InputError(
            f"{listed} {'is' if len(missing) == 1 else 'are'} missing: the list of hashes has "
            f"{len(parts.paths) + len(missing)} parts",
            f"Put all parts into {parts.whole.parent}.",
        )
    if parts.whole.name not in sums and not all(path.name in sums for path in parts.paths):
        _verify(parts)
        return
    # Parts are of one length, the last one aside: a download that was cut off is found at once.
    usual = max(parts.sizes[:-1], default=0)
    for path, size in zip(parts.paths, parts.sizes[:-1], strict=False):
        if size < usual and path.name in sums and (actual := file_sha256(path)) != sums[path.name]:
            raise InputError(*_difference(path, actual, sums))


def _verify(parts: Parts) -> None:
    tip = f"Download the parts again, and {path_beside(parts.whole).name}, which tells them apart."
    try:
        with open_parts(parts) as bundle:
            total = sum(member.size for member in bundle.members.values())
            with progress("verifying", total) as advance:
                problems = [one for one in verify(bundle, advance) if one.kind in _WRONG]
    except InputError as problem:
        raise InputError(f"the parts do not make a bundle: {problem.message}", tip) from None
    if problems:
        found = "; ".join(f"{one.member}: {one.detail}" for one in problems[:3])
        raise InputError(f"the parts of {parts.whole} are damaged or swapped: {found}", tip)


def check(parts: Parts, sums: Mapping[str, str], destination: Destination, advance: Advance) -> str:
    """Read all parts into `destination` and compare their bytes with `sums`; SHA-256 of the whole.
    Raises InputError naming all parts that are damaged or swapped."""
    problems: list[tuple[str, str]] = []
    with Hasher(_BEHIND) as whole:
        seen = _Seen(destination, whole)
        for path, size in zip(parts.paths, parts.sizes, strict=True):
            with FileSource.of(path).open() as file:
                found = copy(file, size, str(path), seen, advance=advance, sparse=False).sha256
            if sums.get(path.name, found) != found:
                seen.destination = Nowhere()  # the others are only looked at
                problems.append(_difference(path, found, sums))
        sha256 = whole.digest().sha256
    if not problems and sums.get(parts.whole.name, sha256) != sha256:
        expected = sums[parts.whole.name]
        problems = [(f"{parts.whole} would not have the SHA-256 {expected}", _AGAIN)]
    if problems:
        tips = {tip for _, tip in problems}
        message = "; ".join(message for message, _ in problems)
        raise InputError(message, tips.pop() if len(tips) == 1 else _AGAIN)
    return sha256


def _difference(path: Path, actual: str, sums: Mapping[str, str]) -> tuple[str, str]:
    """What is wrong with a part, and a way out."""
    for name, sha256 in sums.items():
        if sha256 == actual:
            return f"{path} holds what belongs into {name}", _RENAME
    message = f"{path} ({path.stat().st_size:,} bytes) is damaged or cut off: "
    return f"{message}expected SHA-256 {sums[path.name]}, actual {actual}", _AGAIN


class _Seen:
    """A destination whose bytes are also hashed, in their order."""

    def __init__(self, destination: Destination, hasher: Hasher) -> None:
        self.destination = destination
        self._hasher = hasher

    @property
    def position(self) -> int:
        return self.destination.position

    def write(self, data: Data) -> None:
        wait = self._hasher.update(data)
        self.destination.write(data)
        wait()  # the caller may use its memory again

    def skip(self, count: int) -> None:
        raise NotImplementedError  # nothing is copied as holes here

    def patch(self, offset: int, data: Data) -> None:
        raise NotImplementedError

    def take(self, source: BinaryIO, count: int) -> Iterator[Data] | None:
        pieces = self.destination.take(source, count)
        return None if pieces is None else self._taken(pieces)

    def _taken(self, pieces: Iterator[Data]) -> Iterator[Data]:
        for piece in pieces:
            self._hasher.update(piece)
            yield piece


def join(parts: Parts, output: Path, *, force: bool) -> None:
    """Write the file that `parts` are, in one pass, and add it to the list of hashes. Raises
    InputError if a part is missing or damaged, or the file cannot be written."""
    sums = sha256_lists.read(sha256_lists.path_beside(parts.whole))
    sha256_lists.read(sha256_lists.path_beside(output))  # reported now, not at the end
    check_first(parts, sums)
    with (
        output_file(output, force=force, inputs=parts.paths, needed=parts.size) as file,
        progress("joining", parts.size) as advance,
    ):
        sha256 = check(parts, sums, file, advance)
    sha256_lists.change(sha256_lists.path_beside(output), add={output.name: sha256})
