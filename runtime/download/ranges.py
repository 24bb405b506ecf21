"""Several ranges of one file at once, each written to its place."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from contextlib import closing

import requests

from runtime.download.address import shown
from runtime.download.partial import Partial, Span
from runtime.download.route import Body, Route, validator_of
from runtime.errors import InputError

_GRACE = 0.5  # seconds for a thread to save what it has
_SMALLEST, _LARGEST = 1 << 20, 64 << 20  # bytes of one range


class Changed(Exception):
    """The file on the server is another one than before."""


class NoRanges(Exception):
    """The server no longer gives ranges."""


class _Stopped(Exception):
    """Another thread failed."""


class Ranges:
    """Fetches what is missing of a file whose server gives ranges."""

    def __init__(
        self, route: Route, partial: Partial, size: int, advance: Callable[[int], object]
    ) -> None:
        self._route = route
        self._partial = partial
        self._size = size
        self._advance = advance
        self._mutex = threading.Lock()
        self._saving = threading.Lock()
        self._left = False  # nothing may be saved any more
        self._stop = threading.Event()
        self._problem: BaseException | None = None
        self._queue: deque[Span] = deque()

    def run(self, response: requests.Response, start: int, connections: int) -> None:
        """Fetch all that is missing.

        Args:
            response: the answer to the first request, a range from `start`.

        Raises:
            Changed: it is another file now.
            NoRanges: a request for a range was answered otherwise.
            InputError: the server fails again and again.
        """
        given = int(response.headers["Content-Range"].split("-")[1].split("/")[0]) + 1
        length = min(max(self._size // 64, _SMALLEST), _LARGEST)
        for first, last in self._partial.missing(self._size):
            begin = min(given, last) if first == start else first
            self._queue.extend(
                (piece, min(piece + length, last)) for piece in range(begin, last, length)
            )
        others = [
            # Daemons, so that Ctrl-C need not wait for a server that says nothing.
            threading.Thread(target=self._work, daemon=True)
            for _ in range(min(connections - 1, len(self._queue)))
        ]
        for thread in others:
            thread.start()
        try:
            self._guarded(lambda: self._piece((start, min(given, self._size)), response))
            self._work()
            for thread in others:
                while thread.is_alive() and not self._stop.is_set():
                    thread.join(0.2)  # in turns, since Windows hears no Ctrl-C during one
        finally:
            self._stop.set()
            for thread in others:
                thread.join(_GRACE)
            with self._saving:
                self._left = True
        if self._problem:
            raise self._problem

    def _work(self) -> None:
        while not self._stop.is_set():
            with self._mutex:
                if not self._queue:
                    return
                span = self._queue.popleft()
            self._guarded(lambda span=span: self._piece(span, None))  # type: ignore[misc]

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except _Stopped:
            pass
        except Exception as problem:
            with self._mutex:
                self._problem = self._problem or problem
            self._stop.set()

    def _piece(self, span: Span, response: requests.Response | None) -> None:
        position, end = span
        failed = 0
        while position < end:
            if response is None:
                response = self._route.get((position, end), self._partial.validator)
            before = position
            with closing(response):
                self._check(response, position)
                position = self._write(response, position, end)
            response = None
            if position > before:
                failed = 0
                continue
            failed += 1
            patience = self._route.client.patience
            if failed >= patience.tries:
                raise InputError(
                    f"{shown(self._route.url)}: the connection breaks at byte {position:,} of "
                    f"{self._size:,} again and again",
                    "Run the command again later; what is here already is kept.",
                )
            patience.wait(failed)

    def _check(self, response: requests.Response, start: int) -> None:
        size = self._route.offer(response, start)
        known, found = self._partial.validator, validator_of(response)
        if (size is not None and size != self._size) or (known and found and known != found):
            raise Changed
        if size is None:
            # A changed file without a validator looks like a server without ranges, and is fetched
            # whole as well.
            raise NoRanges

    def _write(self, response: requests.Response, position: int, end: int) -> int:
        """Write the body to its place; returns the offset behind the last byte written."""
        start = position
        try:
            with self._partial.path.open("rb+", buffering=0) as file:
                file.seek(position)
                for data in Body(response):
                    if self._stop.is_set():
                        raise _Stopped
                    # A server may send more than it was asked for.
                    view = memoryview(data)[: end - position]
                    while view:
                        done = file.write(view) or 0
                        view = view[done:]
                        position += done
                        with self._mutex:
                            self._advance(done)
                    if position == end:
                        break
        finally:
            with self._saving:
                if not self._left:
                    self._partial.add(start, position)
        return position
