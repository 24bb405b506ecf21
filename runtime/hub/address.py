"""Addresses: which of them are one place, and how they may be shown."""

from __future__ import annotations

from pathlib import PureWindowsPath
from urllib.parse import unquote, urlsplit, urlunsplit

from runtime.errors import InputError

_PORTS = {"http": 80, "https": 443}


def origin(url: str) -> tuple[str, str, int | None]:
    """Scheme, host and port: what a secret is meant for.

    Raises:
        InputError: it is not an http or https address.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or parts.scheme not in _PORTS:
        raise _no_address(url)
    return parts.scheme, host.lower(), port or _PORTS[parts.scheme]


def shown(url: str) -> str:
    """The address without what may be secret: user, password, query (signatures), fragment."""
    try:
        parts = urlsplit(url)
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "the address"
    return urlunsplit((parts.scheme, host + port, parts.path, "", ""))


def is_plain(path: str) -> bool:
    """Whether a path of a repository stays in its folder when it becomes one on any system."""
    parts = path.split("/")
    return (
        path.isprintable()
        and "\\" not in path
        and not any(part in ("", ".", "..") or PureWindowsPath(part).drive for part in parts)
    )


def file_name(url: str) -> str:
    """The last part of the path, decoded.

    Raises:
        InputError: it cannot be the name of a file.
    """
    name = unquote(urlsplit(url).path.rsplit("/", 1)[-1])
    if "/" in name or not is_plain(name):
        raise InputError(
            f"{shown(url)} does not end in the name of a file",
            "Give the address of the file itself, such as `https://HOST/model.gguf`.",
        )
    return name


def credentials(url: str) -> tuple[str, tuple[str, str] | None]:
    """The address without user and password, and these two if it has them.

    Raises:
        InputError: it is not an address.
    """
    try:
        parts = urlsplit(url)
        bare = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
        urlsplit(bare)
    except ValueError:  # a bracket that is not closed, for example
        raise _no_address(url) from None
    if parts.username is None:
        return url, None
    return bare, (unquote(parts.username), unquote(parts.password or ""))


def _no_address(url: str) -> InputError:
    return InputError(f"{shown(url)} is not an address", "Write it as `https://HOST/FILE.gguf`.")
