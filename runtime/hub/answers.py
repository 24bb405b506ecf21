"""Requests to servers: their answers and refusals, patience with them, and reports about it."""

from __future__ import annotations

import email.utils
import random
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import TypeAlias
from urllib.parse import urlsplit

import requests
from requests.auth import AuthBase
from urllib3.exceptions import HTTPError

from runtime.errors import InputError
from runtime.hub.words import shown

LATER = "Run the command again later; the part that is downloaded already is kept."

_TIMEOUT = (15, 60)  # seconds for the connection, and without any byte
_LONGEST = 60.0  # seconds between two tries, unless the server asks for more
_TRANSIENT = (408, 425, 429, 500, 502, 503, 504)
_NUMBER = re.compile(r"\d{1,12}", re.ASCII)


class Unserved(InputError):
    """A server cannot be reached, or does not send the requested file."""

    def __init__(
        self,
        message: str,
        tip: str,
        *,
        status: int | None = None,
        again: bool = False,
        asked: float | None = None,
    ) -> None:
        super().__init__(message, tip)
        self.status = status
        """Of the answer, if there was one."""
        self.again = again
        """Whether another try may help."""
        self.asked = asked
        """Seconds that the server asked to wait before that."""


def refused(place: str, status: int, wait: str = "") -> Unserved:
    """The error for an answer with this status, and with `wait` as `Retry-After`."""
    again = status in _TRANSIENT
    tip = LATER if again else "Check the address."
    if status in (401, 403, 407):
        tip = "It needs a login: write `https://USER:PASSWORD@HOST/…`, or download it by hand."
    name = HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else "unknown"
    message = f"{place}: the server says {status} {name}"
    return Unserved(message, tip, status=status, again=again, asked=_seconds(wait))


def unreachable(host: str, problem: Exception) -> Unserved:
    """The error for an exception of an HTTP library, of which there are several.

    Their texts are not shown: they contain whole addresses, with signatures.
    """
    kind = type(problem).__name__
    is_tls = "SSL" in kind or "CERTIFICATE_VERIFY_FAILED" in str(problem)
    how, tip = "no connection", "Check the address and the connection, then run it again."
    if is_tls:
        how = "its certificate is not accepted"
        tip = "Behind an inspecting proxy set REQUESTS_CA_BUNDLE and SSL_CERT_FILE to its CA."
    elif "Proxy" in kind:
        how, tip = "the proxy refuses or cannot be reached", "Check HTTPS_PROXY and NO_PROXY."
    elif "Timeout" in kind:
        how, tip = "no answer in time", "Check the connection and run the command again."
    return Unserved(f"cannot reach {host}: {how}", tip, again=not is_tls)


def _seconds(text: str) -> float | None:
    """The value of `Retry-After` (RFC 9110, 10.2.3: a number or a date)."""
    text = text.strip()
    if _NUMBER.fullmatch(text):
        return float(text)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, OverflowError):
        return None


@dataclass(frozen=True)
class Patience:
    """How long a client goes on trying."""

    tries: int = 6
    """Tries in a row without any progress."""
    first: float = 0.5
    """Seconds after the first failure; each further wait is twice as long."""
    limit: float = 600.0
    """Seconds that a server may ask to wait."""
    sleep: Callable[[float], object] = time.sleep

    def wait(self, failed: int, problem: Unserved, note: Callable[[str], object]) -> None:
        """Wait after `failed` failed tries, or raise `problem`, which ended the last one."""
        asked = problem.asked
        if not problem.again or failed >= self.tries:
            raise problem
        if asked is None:
            # Many clients that failed together must not come back together.
            asked = min(self.first * 2 ** (failed - 1), _LONGEST) * random.uniform(0.75, 1.25)
        elif asked > self.limit:
            message = f"{problem.message}, and asks to wait {asked:,.0f} seconds"
            raise Unserved(message, LATER)
        else:
            note(f"the server asks to wait {asked:,.0f} s")
        self.sleep(asked)


Sized: TypeAlias = Callable[[int | None], Callable[[int], object]]
"""Gets a size in bytes, if known, and then progress in bytes."""

Begin: TypeAlias = Callable[[str], Sized]
"""Gets the activity, such as `fetching model.gguf`."""


@dataclass(frozen=True)
class Report:
    """Receives the progress of a download; by default nothing does."""

    begin: Begin = lambda _: lambda _: lambda _: None
    note: Callable[[str], object] = lambda _: None
    """Gets a line about a delay, or about an older file that is used."""


class Bearer(AuthBase):
    """Sends a token or nothing: without an `auth`, requests would read ~/.netrc."""

    def __init__(self, token: str | None = None) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._token:
            request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class Session(requests.Session):
    """Sends a login only to the first host, and follows no redirect from https to http."""

    def __init__(self, auth: AuthBase) -> None:
        super().__init__()
        self.auth = auth
        # A compressed answer would have another length than the file, and no ranges of it.
        self.headers.update({"User-Agent": "llamapack", "Accept-Encoding": "identity"})

    def rebuild_auth(
        self, prepared_request: requests.PreparedRequest, response: requests.Response
    ) -> None:
        # The inherited one reads ~/.netrc for the new host.
        strip: Callable[[str | None, str | None], bool] = self.should_strip_auth
        if strip(response.request.url, prepared_request.url):
            prepared_request.headers.pop("Authorization", None)

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        target = super().get_redirect_target(resp)
        if target and resp.url.startswith("https:") and target.lower().startswith("http:"):
            raise Unserved(
                f"{shown(resp.url)} redirects to {shown(target)}, which is not encrypted",
                "Download it by hand if you trust that address.",
            )
        return target


def ask(
    session: requests.Session, method: str, url: str, headers: dict[str, str] | None = None
) -> requests.Response:
    """The answer, without its body; `Unserved` if there is none."""
    try:
        return session.request(
            method, url, headers=headers, stream=True, timeout=_TIMEOUT, allow_redirects=True
        )
    except Unserved:
        raise
    except requests.TooManyRedirects:
        raise Unserved(f"{shown(url)} redirects in a circle", "Check the address.") from None
    except ValueError:  # also InvalidURL and other exceptions of requests
        raise Unserved(
            f"{shown(url)} redirects to an invalid address", "Download it by hand."
        ) from None
    except (requests.RequestException, HTTPError) as problem:
        raise unreachable(urlsplit(url).hostname or "", problem) from None


def check(response: requests.Response, url: str) -> None:
    """Raise `Unserved` if the answer is not a file."""
    if response.status_code != 200:
        wait = response.headers.get("Retry-After", "")
        raise refused(shown(url), response.status_code, wait)
    encoding = response.headers.get("Content-Encoding", "identity")
    if encoding != "identity":
        raise Unserved(
            f"{shown(url)}: the server compresses it ({encoding}) although it was asked not to",
            "Download it by hand.",
        )
    # The answer of a network with a login page to every request.
    kind = response.headers.get("Content-Type", "").lower()
    if kind.startswith("text/html") and not url.endswith((".html", ".htm")):
        raise Unserved(
            f"{shown(url)}: the server sent an HTML page instead of the file",
            "Check the address, and whether this network needs a login in the browser.",
        )


def head(url: str, auth: AuthBase) -> requests.Response:
    """The headers of a file, asked for once; `Unserved` if the server does not send them."""
    response = ask(Session(auth), "HEAD", url)
    response.close()
    check(response, url)
    return response


def validator_of(response: requests.Response) -> str | None:
    """What `If-Range` may hold: a strong ETag, else the date (RFC 9110, 13.1.5)."""
    etag = response.headers.get("ETag")
    return etag if etag and not etag.startswith("W/") else response.headers.get("Last-Modified")
