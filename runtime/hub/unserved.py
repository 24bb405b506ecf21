"""What a server says in place of a file, in words."""

from __future__ import annotations

import email.utils
import re
import time
from http import HTTPStatus

from runtime.errors import InputError

LATER = "Run the command again later; the part that is downloaded already is kept."

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
        """Of the answer, if that is the reason."""
        self.again = again
        """Whether another try may help."""
        self.asked = asked
        """Seconds that the server asked to wait before it."""


def refused(place: str, status: int, wait: str = "") -> Unserved:
    """The server answered with this status, and with `wait` as `Retry-After`."""
    again = status in _TRANSIENT
    tip = LATER if again else "Check the address."
    if status in (401, 403, 407):
        tip = "It needs a login: write `https://USER:PASSWORD@HOST/…`, or download it by hand."
    name = HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else "unknown"
    message = f"{place}: the server says {status} {name}"
    return Unserved(message, tip, status=status, again=again, asked=_seconds(wait))


def unreachable(host: str, problem: Exception) -> Unserved:
    """A library did not get an answer. Its exceptions are told by name, since there are several
    libraries; their texts hold whole addresses, with signatures in them."""
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
    """What `Retry-After` says (RFC 9110, 10.2.3: a number or a date)."""
    text = text.strip()
    if _NUMBER.fullmatch(text):
        return float(text)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, OverflowError):
        return None
