"""Refusals of servers, patience with them, and reports about both."""

from __future__ import annotations

import email.utils
import random
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import TypeAlias

from runtime.errors import InputError

LATER = "Run the command again later; the part that is downloaded already is kept."

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
