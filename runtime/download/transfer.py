"""Brings one file here whole: in parallel ranges where the server can do that, else in one stream.

What is here after a failure stays, and the next try begins there. A file gets its name only when
its size, and its hash where one is known, are right.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from runtime.download.checksum import Checksum
from runtime.download.client import Client
from runtime.download.partial import Partial
from runtime.download.progress import Sized
from runtime.download.ranges import Changed, NoRanges, Ranges
from runtime.download.route import Route, validator_of
from runtime.download.stream import stream
from runtime.errors import InputError
from runtime.locks import locked

_FIRST = 1 << 20  # bytes asked for before the size is known
_RESTARTS = 3


@dataclass(frozen=True)
class Job:
    """One file to bring."""

    url: str
    label: str
    """What messages call it."""
    target: Path
    """Where it goes."""
    partial: Path
    """Where its bytes are collected, on the same file system."""
    lock: Path
    """Lock file that whoever brings this file holds."""
    size: int | None = None
    """Bytes, if somebody states them."""
    checksum: Checksum | None = None
    replace: bool = False
    """Whether a file that is at `target` gives way; if not, it is taken for this one when it came
    to be while another process was waited for."""
    prefix: Path | None = None
    """Where another program may have left the file's first bytes; taken over if there is a
    checksum to tell that they are right."""


@dataclass(frozen=True)
class Fetched:
    """A file that is here now."""

    size: int
    """Bytes."""
    validator: str | None
    """ETag, or else date, that the server gave."""


def fetch(
    job: Job,
    client: Client,
    *,
    connections: int = 4,
    begin: Sized = lambda _: lambda _: None,
    check: Sized = lambda _: lambda _: None,
) -> Fetched | None:
    """Bring a file; None if it came to be at `job.target` while we waited for another process.

    Args:
        connections: how many ranges of the file may be under way at once.
        begin: told the size in bytes once it is known; gives what is told about progress in bytes.
        check: likewise, for the reading of the whole file to compare its hash.

    Raises:
        InputError: it cannot be brought, or is not what was stated; what is usable of it is kept.
    """
    job.target.parent.mkdir(parents=True, exist_ok=True)
    job.partial.parent.mkdir(parents=True, exist_ok=True)

    def waiting() -> None:
        client.note(f"another program fetches {job.label}; waiting for it")

    with locked(job.lock, waiting=waiting):
        if job.target.exists() and not job.replace:
            return None
        return _Fetch(job, client, connections, begin, check).run()


class _Fetch:
    def __init__(
        self, job: Job, client: Client, connections: int, begin: Sized, check: Sized
    ) -> None:
        self._job = job
        self._client = client
        self._connections = connections
        self._begin = begin
        self._check = check
        self._advance: Callable[[int], object] | None = None
        self._shown = 0
        self._partial = Partial(job.partial, checked=job.checksum is not None)
        self._route = Route(client, job.url)
        self._parallel = True

    def run(self) -> Fetched:
        self._take_prefix()
        if self._partial.done and not (self._partial.validator or self._job.checksum):
            self._partial.discard()  # nothing would tell whether the file is still the same
        damaged = None
        for _ in range(_RESTARTS):
            old = self._partial.done > 0
            try:
                self._bring()
            except Changed:
                self._client.note(f"{self._job.label} changed on the server; fetching it anew")
                self._partial.discard()
                continue
            damaged = self._damage()
            if damaged is None:
                size = self._job.partial.stat().st_size
                validator = self._partial.validator
                self._partial.publish(self._job.target, replace=self._job.replace)
                return Fetched(size, validator)
            self._partial.discard()
            if not old:
                raise damaged
            # Bytes of an earlier run may be the wrong ones; these are not worth keeping.
            self._client.note(f"{self._job.label}: what an earlier run left is of no use")
        raise damaged or InputError(
            f"{self._job.label} changes on the server while it is fetched", "Try again later."
        )

    def _take_prefix(self) -> None:
        prefix, job = self._job.prefix, self._job
        if prefix is None or job.checksum is None or job.size is None or job.partial.exists():
            return
        try:
            count = prefix.stat().st_size
            if 0 < count <= job.size:
                prefix.replace(job.partial)
                self._partial.size = job.size
                self._partial.adopt(count)
        except OSError:
            pass  # there is none

    def _bring(self) -> None:
        """Collect all bytes.

        Raises:
            Changed: the file on the server is not the one that the bytes so far are of.
        """
        partial, size = self._partial, self._job.size
        if partial.size is not None and size is not None and partial.size != size:
            partial.discard()
        missing = partial.missing(partial.size) if partial.size is not None else [(0, _FIRST)]
        if not missing:
            if self._job.checksum or not partial.size:
                return
            # Whether the file is still the same one must be asked.
            missing = [(partial.size - 1, partial.size)]
        if not self._parallel:
            return self._stream()
        start, end = missing[0][0], min(missing[0][1], missing[0][0] + _FIRST)
        response = self._route.get((start, end), partial.validator)
        with closing(response):
            offered = self._route.offer(response, start)
            # With a checksum nothing else need be compared, and servers behind one name may differ.
            validator = None if self._job.checksum else validator_of(response)
            if partial.validator and validator and partial.validator != validator:
                raise Changed
            if offered is None:
                self._parallel = False
                return self._stream()
            self._compare(offered)
            if partial.size is None:
                partial.discard()
                self._need(offered)
                partial.begin(offered, validator)
            elif partial.size != offered:
                raise Changed
            partial.validator = partial.validator or validator
            self._show(offered, partial.done)
            work = Ranges(self._route, partial, offered, self._progress)
            try:
                return work.run(response, start, self._connections)
            except NoRanges:
                self._parallel = False
        return self._stream()

    def _stream(self) -> None:
        def start(size: int | None) -> None:
            if size is not None:
                self._compare(size)
                self._need(size)
            self._show(size, 0)

        stream(self._route, self._partial, self._job, start, self._progress)

    def _compare(self, offered: int) -> None:
        if self._job.size is not None and offered != self._job.size:
            self._partial.discard()
            raise InputError(
                f"{self._job.label}: the server offers {offered:,} bytes, "
                f"stated were {self._job.size:,}",
                "Try again later; if it stays so, the file on the server is damaged.",
            )

    def _need(self, size: int) -> None:
        free = shutil.disk_usage(self._job.partial.parent).free
        if free < size:
            raise InputError(
                f"no space for {self._job.label}: it needs {size:,} bytes, "
                f"the disk of {self._job.partial.parent} has {free:,}",
                "Free some, or choose another place (HF_HUB_CACHE, `-o`).",
            )

    def _damage(self) -> InputError | None:
        size, wanted = self._job.partial.stat().st_size, self._job.checksum
        if self._job.size is not None and size != self._job.size:
            return InputError(
                f"{self._job.label} has {size:,} bytes, stated were {self._job.size:,}",
                "Run the command again.",
            )
        if wanted is None:
            return None
        found = wanted.of(self._job.partial, self._check(size))
        if found == wanted.value:
            return None
        return InputError(
            f"{self._job.label} is damaged: its {wanted.kind} is {found}, stated was "
            f"{wanted.value}",
            "Run the command again; if it stays so, the file on the server is damaged.",
        )

    def _show(self, size: int | None, done: int) -> None:
        if self._advance is None:
            self._advance = self._begin(size)
        self._progress(done - self._shown)

    def _progress(self, count: int) -> None:
        self._shown += count
        if self._advance and count:
            self._advance(count)
