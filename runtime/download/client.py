"""One HTTP request at a time: redirects, tokens, retries. What a body means is not known here."""

from __future__ import annotations

import email.utils
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import urljoin

import requests
from requests.auth import AuthBase, HTTPBasicAuth
from urllib3.exceptions import HTTPError

from runtime.download.address import credentials, origin, shown
from runtime.errors import InputError

_REDIRECTS = 10
_REDIRECT = (301, 302, 303, 307, 308)
_TRANSIENT = (408, 425, 429, 500, 502, 503, 504)
_LINKED = "X-Linked-Etag"  # of a Hub's redirect to the contents: what follows knows nothing more
_CONNECT, _READ = 15, 60  # seconds
_LONGEST = 60.0  # seconds between two tries, unless the server asks for more
_PATIENCE = 600.0  # seconds that a server may ask for

BROKEN = (requests.RequestException, HTTPError, OSError)
"""What a connection that breaks raises while a body is read."""


class Unreachable(InputError):
    """No connection, in spite of all tries."""


class Refused(InputError):
    """The server answered, and not with what was asked for."""

    def __init__(self, message: str, tip: str, response: requests.Response) -> None:
        super().__init__(message, tip)
        self.status = response.status_code
        self.headers = response.headers


@dataclass
class Patience:
    """How long a client goes on trying."""

    tries: int = 6
    """Tries in a row without any progress."""
    first: float = 0.5
    """Seconds after the first failed one; each further wait is twice as long."""
    sleep: Callable[[float], object] = time.sleep

    def wait(self, failed: int, asked: float | None = None) -> None:
        """Wait after `failed` failed tries, or as long as the server asked for (seconds)."""
        if asked is None:
            # Many clients that failed together must not come back together.
            asked = min(self.first * 2 ** (failed - 1), _LONGEST) * random.uniform(0.75, 1.25)
        self.sleep(asked)


class _Bearer(AuthBase):
    """Sets the token, or nothing: without an `auth` of its own requests looks into ~/.netrc and
    would replace a header by what stands there."""

    def __init__(self, token: str | None) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._token:
            request.headers["Authorization"] = f"Bearer {self._token}"
        return request


@dataclass
class Client:
    """A session with one server, and with those that it redirects to.

    Raises:
        InputError: the token cannot be one.
    """

    home: str
    """Address whose scheme, host and port alone may see the token."""
    token: str | None = None
    basic: tuple[str, str] | None = None
    """User and password, likewise."""
    patience: Patience = field(default_factory=Patience)
    note: Callable[[str], object] = lambda _: None
    """Told in one line why something takes longer."""

    def __post_init__(self) -> None:
        if self.token and not (self.token.isascii() and self.token.isprintable()):
            raise InputError("the token holds characters that no token has", "Set HF_TOKEN again.")
        self._session = requests.Session()
        self._session.headers["User-Agent"] = "llamapack"
        # A compressed answer would have another length than the file, and no ranges of it.
        self._session.headers["Accept-Encoding"] = "identity"

    def __repr__(self) -> str:
        return f"Client({shown(self.home)})"

    def get(
        self,
        url: str,
        headers: Mapping[str, str] | None = None,
        *,
        method: str = "GET",
        follow: bool = True,
        tries: int | None = None,
    ) -> requests.Response:
        """Ask, as often as it takes; the answer's body is not read yet.

        Args:
            follow: whether to follow redirects to other hosts, or to contents in LFS, too; if not,
                such a redirect is the answer.
            tries: how often to try; default: as `patience` says.

        Raises:
            Unreachable: there was no answer.
            Refused: the answer is none of 200, 206 and 416 (nor a redirect, unless followed).
        """
        allowed = tries or self.patience.tries
        failed = 0
        while True:
            asked: float | None = None
            try:
                response = self._follow(url, headers or {}, method, follow)
            except (requests.RequestException, HTTPError) as problem:
                failed += 1
                if failed >= allowed or _final(problem):
                    raise _unreachable(url, problem) from None
            else:
                status = response.status_code
                if status in (200, 206, 416) or (status in _REDIRECT and not follow):
                    return response
                response.close()
                failed += 1
                if status not in _TRANSIENT or failed >= allowed:
                    raise _refused(url, response)
                asked = _retry_after(response)
                if asked is not None and asked > _PATIENCE:
                    raise Refused(
                        f"{shown(url)}: the server wants no request for {asked:,.0f} seconds",
                        "Run the command again then; what is here already is kept.",
                        response,
                    )
                if asked:
                    self.note(f"the server asks to wait {asked:,.0f} s")
            self.patience.wait(failed, asked)

    def _follow(
        self, url: str, headers: Mapping[str, str], method: str, follow: bool
    ) -> requests.Response:
        home = origin(self.home)
        place = url
        for _ in range(_REDIRECTS):
            own = origin(place) == home
            auth: AuthBase = _Bearer(self.token if own else None)
            if own and self.basic:
                auth = HTTPBasicAuth(*self.basic)
            try:
                response = self._session.request(
                    method, place, headers=dict(headers), auth=auth, stream=True,
                    timeout=(_CONNECT, _READ), allow_redirects=False,
                )  # fmt: skip
                location = response.headers.get("Location")
                target = location and urljoin(place, location)
            except requests.RequestException:
                raise
            except ValueError:  # requests looks at `Location` too, whatever it is to do with it
                raise InputError(
                    f"{shown(url)} redirects to what is no address", "Fetch it by hand."
                ) from None
            if response.status_code not in _REDIRECT or not target:
                return response
            # Anything after `@` would be a login of the redirecting server's making.
            target, _login = credentials(target)
            elsewhere = origin(target)
            if origin(place)[0] == "https" and elsewhere[0] == "http":
                response.close()
                raise Refused(
                    f"{shown(url)} redirects to {shown(target)}, which is not encrypted",
                    "Fetch it by hand if you trust that address.",
                    response,
                )
            if not follow and (elsewhere != home or _LINKED in response.headers):
                return response
            response.close()
            place = target
        raise InputError(f"{shown(url)} redirects in a circle", "Check the address.")


def _final(problem: Exception) -> bool:
    """Whether another try cannot help."""
    return isinstance(
        problem,
        requests.exceptions.SSLError
        | requests.exceptions.InvalidURL
        | requests.exceptions.InvalidSchema,
    )


def _unreachable(url: str, problem: Exception) -> Unreachable:
    # The exception's own text holds the whole address, with signatures in it.
    _, host, _ = origin(url)
    if isinstance(problem, requests.exceptions.ProxyError):
        how, tip = "the proxy refuses or is away", "Check HTTPS_PROXY and NO_PROXY."
    elif isinstance(problem, requests.exceptions.SSLError):
        how = "its certificate is not accepted"
        tip = "Behind an inspecting proxy set REQUESTS_CA_BUNDLE to its certificate."
    elif isinstance(problem, requests.exceptions.Timeout):
        how, tip = "no answer in time", "Check the connection and run the command again."
    else:
        how, tip = "no connection", "Check the address and the connection, then run it again."
    return Unreachable(f"cannot reach {host}: {how}", tip)


def _refused(url: str, response: requests.Response) -> Refused:
    status = response.status_code
    name = HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else "unknown"
    tip = "Check the address."
    if status in (401, 403, 407):
        tip = "It needs a login: write `https://USER:PASSWORD@HOST/…`, or fetch it by hand."
    elif status in _TRANSIENT:
        tip = "Run the command again later; what is here already is kept."
    return Refused(f"{shown(url)}: the server says {status} {name}", tip, response)


def _retry_after(response: requests.Response) -> float | None:
    """Seconds that the server asks to wait (RFC 9110, 10.2.3: a number or a date)."""
    text = response.headers.get("Retry-After", "").strip()
    if text.isdecimal():
        return float(text)
    try:
        moment = email.utils.parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, moment.timestamp() - time.time())
