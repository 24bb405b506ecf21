"""Reads all parts once, compares them with their hashes or their archive, and hands them on.

What it finds names the part: missing, truncated, swapped or damaged.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from packer.copy import Destination, Nowhere, copy
from packer.digest import Data, file_sha256
from packer.parts.content_check import ContentCheck
from packer.parts.structure import RENAME, Suspect, opened
from packer.progress import Advance
from packer.sources import FileSource
from runtime.bundle import Bundle
from runtime.errors import InputError
from runtime.parts import Parts

_BEHIND = 64  # pieces that may wait for being looked at; they are mapped files


def check_lengths(parts: Parts, sums: Mapping[str, str]) -> Bundle | None:
    """Find out in milliseconds what is missing, cut off or in a wrong place.

    Args:
        sums: SHA-256 by name, as far as it is known.

    Returns:
        The bundle that the parts are, if their bytes must be compared with it since there is no
        hash for one of them. The caller closes it.

    Raises:
        InputError: naming the part.
    """
    siblings = [found for name in sums if (found := parts.name.is_sibling(name))]
    missing = sorted(found.number for found in siblings if found.number >= len(parts.paths))
    if missing:
        listed = ", ".join(str(parts.whole.with_name(parts.name.other(n))) for n in missing[:5])
        raise InputError(
            f"{listed} {'is' if len(missing) == 1 else 'are'} missing: the list of hashes has "
            f"{len(parts.paths) + len(missing)} parts",
            f"Put all parts into {parts.whole.parent}.",
        )
    listed_all = all(path.name in sums for path in parts.paths)
    try:
        bundle = opened(parts)
    except Suspect as problem:
        if not listed_all:
            raise
        path = parts.paths[problem.index]
        actual = file_sha256(path)
        if actual == sums[path.name]:
            return None  # Not this part then; or none, and the file is no ZIP file.
        if actual in sums.values():
            raise InputError(_difference(path, actual, sums), RENAME) from None
        raise
    if not listed_all:
        return bundle
    with bundle:
        return None


def check(
    parts: Parts,
    sums: Mapping[str, str],
    bundle: Bundle | None,
    destination: Destination,
    advance: Advance,
) -> list[str]:
    """Read all parts into `destination` and compare each byte.

    Args:
        bundle: what `check_lengths` gave.
        advance: told about bytes that are done.

    Returns:
        SHA-256 of each part, and after them that of the whole.

    Raises:
        InputError: naming all parts that are damaged or swapped.
    """
    whole = hashlib.sha256()
    content = ContentCheck(parts, bundle) if bundle else None
    found: list[str] = []

    def see(data: memoryview) -> None:
        whole.update(data)
        if content:
            content.update(data)

    with _Seen(destination, see) as seen:
        for path, size in zip(parts.paths, parts.sizes, strict=True):
            source = FileSource.of(path)
            with source.open() as file:
                digest = copy(file, size, str(path), seen, advance=advance, sparse=False)
            found.append(digest.sha256)
            if sums.get(path.name, digest.sha256) != digest.sha256:
                seen.destination = Nowhere()  # the others are only looked at
    problems = [
        _difference(path, sha256, sums)
        for path, sha256 in zip(parts.paths, found, strict=True)
        if sums.get(path.name, sha256) != sha256
    ]
    if not problems and content:
        problems = content.problems
    found.append(whole.hexdigest())
    if not problems and sums.get(parts.whole.name, found[-1]) != found[-1]:
        problems = [f"{parts.whole} would not have the SHA-256 {sums[parts.whole.name]}"]
    if problems:
        swapped = all(" holds what belongs " in problem for problem in problems)
        tip = RENAME if swapped else "Download or copy the parts named here again."
        raise InputError("; ".join(problems), tip)
    return found


def _difference(path: Path, actual: str, sums: Mapping[str, str]) -> str:
    for name, sha256 in sums.items():
        if sha256 == actual:
            return f"{path} holds what belongs into {name}"
    return f"{path} is damaged: expected SHA-256 {sums[path.name]}, actual {actual}"


class _Seen:
    """A destination whose bytes another thread looks at in their order; a context manager."""

    def __init__(self, destination: Destination, see: Callable[[memoryview], None]) -> None:
        self.destination = destination
        self._see = see
        self._worker = ThreadPoolExecutor(1)
        self._waiting: deque[Future[None]] = deque()

    def __enter__(self) -> _Seen:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._worker.shutdown(cancel_futures=kind is not None)
        if kind is None:
            for seen in self._waiting:
                seen.result()

    @property
    def position(self) -> int:
        return self.destination.position

    def write(self, data: Data) -> None:
        seen = self._submit(data)
        self.destination.write(data)
        seen.result()  # the caller may use its memory again

    def skip(self, count: int) -> None:
        raise NotImplementedError  # nothing is copied as holes here

    def patch(self, offset: int, data: Data) -> None:
        raise NotImplementedError

    def take(self, source: BinaryIO, count: int) -> Iterator[Data] | None:
        pieces = self.destination.take(source, count)
        return None if pieces is None else self._taken(pieces)

    def _taken(self, pieces: Iterator[Data]) -> Iterator[Data]:
        for piece in pieces:
            self._submit(piece)
            yield piece

    def _submit(self, data: Data) -> Future[None]:
        if len(self._waiting) == _BEHIND:
            self._waiting.popleft().result()
        seen = self._worker.submit(self._see, memoryview(data))
        self._waiting.append(seen)
        return seen
