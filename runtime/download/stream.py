"""A file in one stream, from a server that gives no ranges: every try begins at its first byte."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Protocol

import requests

from runtime.download.checksum import Checksum
from runtime.download.partial import Partial
from runtime.download.route import WHOLE, Body, Route, validator_of
from runtime.errors import InputError

_DIGITS = 20  # of a length that no file has


class Wanted(Protocol):
    """What is known of the file."""

    @property
    def label(self) -> str: ...
    @property
    def size(self) -> int | None: ...
    @property
    def checksum(self) -> Checksum | None: ...


def stream(
    route: Route,
    partial: Partial,
    wanted: Wanted,
    start: Callable[[int | None], object],
    advance: Callable[[int], object],
) -> None:
    """Bring the whole file.

    Args:
        start: told the size in bytes, if known, before each try.
        advance: told about bytes as they come.

    Raises:
        InputError: the connection breaks each time, or its end cannot be told from a break.
    """
    patience = route.client.patience
    most = 0
    for failed in range(1, patience.tries + 1):
        response = route.get(WHOLE, None)
        with closing(response):
            size = _length(response) if response.status_code != 416 else 0
            if size is None and wanted.size is None and wanted.checksum is None:
                _check_end(response, wanted.label)
            partial.begin(None, validator_of(response))
            start(size)
            expected = wanted.size if size is None else size
            done, content = 0, Body(response)
            with partial.path.open("wb", buffering=0) as file:
                for data in () if response.status_code == 416 else content:
                    view = memoryview(data)
                    while view:
                        count = file.write(view) or 0
                        view = view[count:]
                        done += count
                        advance(count)
                    if expected is not None and done > expected:
                        break
        if (done == expected) if expected is not None else not content.broken:
            return
        most = max(most, done)
        if failed < patience.tries:
            patience.wait(failed)
    partial.discard()
    of = f" of {expected:,}" if expected is not None else ""
    raise InputError(
        f"{wanted.label}: the connection breaks each time, at best after {most:,}{of} bytes, and "
        "the server cannot go on in the middle",
        "Fetch it from another server, or run the command again later.",
    )


def _length(response: requests.Response) -> int | None:
    text = response.headers.get("Content-Length", "")
    return int(text) if text.isdecimal() and len(text) < _DIGITS else None


def _check_end(response: requests.Response, label: str) -> None:
    if "chunked" not in response.headers.get("Transfer-Encoding", "").lower():
        raise InputError(
            f"{label}: the server does not say how long it is, so a broken download could not "
            "be told from a whole one",
            "Add `#sha256=…` with the file's SHA-256 to the address.",
        )
