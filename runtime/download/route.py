"""The way to one file: an address, and where its redirects led last time."""

from __future__ import annotations

import re
from collections.abc import Iterator

import requests

from runtime.download.address import shown
from runtime.download.client import BROKEN, Client, Refused
from runtime.download.partial import Span
from runtime.errors import InputError

_STALE = (400, 401, 403, 404, 410)  # what an address whose signature has expired answers
_RANGE = re.compile(r"bytes (\d{1,19})-(\d{1,19})/(\d{1,19})", re.ASCII)
_READ = 32 << 10  # bytes; what a broken connection may lose

WHOLE = None


class Route:
    """Asks for ranges of one file."""

    def __init__(self, client: Client, url: str) -> None:
        self.client = client
        self.url = url
        self._location = url

    def get(self, span: Span | None, validator: str | None) -> requests.Response:
        """Ask for these bytes (`WHOLE`: all), of the file with that validator.

        Raises:
            InputError: there is no answer, or a refusal.
        """
        headers = {}
        if span is not WHOLE:
            headers["Range"] = f"bytes={span[0]}-{span[1] - 1}"
            if validator:
                headers["If-Range"] = validator
        location = self._location
        try:
            response = self.client.get(location, headers)
        except Refused as refusal:
            if location == self.url or refusal.status not in _STALE:
                raise
            # Signed addresses expire while a large file comes: ask the way again.
            response = self.client.get(self.url, headers)
        self._location = response.url
        encoding = response.headers.get("Content-Encoding", "identity")
        if encoding != "identity":
            response.close()
            raise InputError(
                f"{shown(self.url)}: the server compresses it ({encoding}) though asked not to",
                "Fetch it by hand.",
            )
        return response

    def offer(self, response: requests.Response, start: int) -> int | None:
        """The size in bytes of the file that `response` is a range of; None if it is not that
        range, or no range at all."""
        if response.status_code != 206:
            return None
        found = _RANGE.fullmatch(response.headers.get("Content-Range", "").strip())
        if not found or int(found[1]) != start or not start <= int(found[2]) < int(found[3]):
            return None
        return int(found[3])


def validator_of(response: requests.Response) -> str | None:
    """What `If-Range` may hold: a strong ETag, else the date (RFC 9110, 13.1.5)."""
    etag = response.headers.get("ETag")
    if etag and not etag.startswith("W/"):
        return etag
    return response.headers.get("Last-Modified")


class Body:
    """The body of a response, piece by piece; just ends where the connection breaks."""

    def __init__(self, response: requests.Response) -> None:
        self.broken = False
        """Whether it ended before the server said so."""
        self._raw = response.raw

    def __iter__(self) -> Iterator[bytes]:
        while True:
            try:
                data = self._raw.read(_READ, decode_content=False)
            except BROKEN:
                self.broken = True
                return
            if not data:
                return
            yield data
