"""Names of weights that are not on this machine: `hf:…` and `https://…`, and their checksums."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from urllib.parse import unquote, urlsplit, urlunsplit

from runtime.errors import InputError
from runtime.formats.sha256_file import hash_rest

_PART = r"[A-Za-z0-9](?:[\w.-]*[A-Za-z0-9_])?"
_HUB = re.compile(
    rf"hf:(?://)?(?P<repo>{_PART}/{_PART})"
    r"(?:/(?P<file>[^@]+)|:(?P<quant>[\w.-]+))?(?:@(?P<revision>[^@\s]+))?",
    re.ASCII,
)
_SHA256, _SHA1 = re.compile(r"[0-9a-f]{64}"), re.compile(r"[0-9a-f]{40}")
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_TIP = (
    "Write `hf:ORG/REPO`, `hf:ORG/REPO:Q4_K_M` or `hf:ORG/REPO/FILE.gguf`, each with or without "
    "`@REVISION`."
)


@dataclass(frozen=True)
class Checksum:
    """A hash that a file must have."""

    kind: str
    """`SHA-256`, or `git SHA-1`: of a header `blob SIZE\\0` and the contents."""
    value: str
    """Lower-case hex digits."""

    @classmethod
    def from_etag(cls, etag: str | None) -> Checksum | None:
        """The Hub's ETag is the SHA-256 of an LFS file, and of others git's object id."""
        if etag and _SHA256.fullmatch(etag):
            return cls("SHA-256", etag)
        if etag and _SHA1.fullmatch(etag):
            return cls("git SHA-1", etag)
        return None

    def of(self, path: Path, advance: Callable[[int], object] = lambda _: None) -> str:
        """This hash of the file at `path`; `advance` gets the number of bytes read since."""
        if self.kind == "SHA-256":
            digest = hashlib.sha256()
        else:
            digest = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
        with path.open("rb", buffering=0) as file:
            return hash_rest(file, digest, advance)


@dataclass(frozen=True)
class HubWord:
    """Weights in a repository of the Hub."""

    repo: str
    """`ORG/NAME`."""
    file: str | None = None
    """Path in the repository."""
    quantization: str | None = None
    revision: str = "main"
    """Branch, tag or commit."""

    def __str__(self) -> str:
        which = f"/{self.file}" if self.file else f":{self.quantization}" * bool(self.quantization)
        at = "" if self.revision == "main" else f"@{self.revision}"
        return f"hf:{self.repo}{which}{at}"


@dataclass(frozen=True)
class WebWord:
    """A file at an address."""

    url: str
    name: str
    """Of the file."""
    basic: tuple[str, str] | None = None
    """User and password for the address's own host."""
    checksum: Checksum | None = None

    def __repr__(self) -> str:
        return f"WebWord({shown(self.url)})"


def parsed(word: str, endpoint: str) -> HubWord | WebWord | None:
    """The weights that `word` names; None if it is the name of a file.

    Args:
        endpoint: address of the Hub; pages and files of models there count as `hf:`.

    Raises:
        InputError: it begins like one of these and is malformed.
    """
    scheme, colon, _ = word.partition(":")
    scheme = scheme.lower()
    if colon and scheme == "hf":
        match = _HUB.fullmatch(word)
        if not match:
            raise InputError(f"{word} does not name a model on the Hub", _TIP)
        return _checked(
            HubWord(match["repo"], match["file"], match["quant"], match["revision"] or "main")
        )
    if scheme in ("http", "https") and word[len(scheme) :].startswith("://"):
        return _from_page(word, endpoint) or _from_address(word)
    if _ADDRESS.match(word):
        raise InputError(
            f"{shown(word)}: {scheme} is not supported",
            "Write `hf:ORG/REPO` or `https://HOST/FILE.gguf`, or download it yourself.",
        )
    return None


def _checked(word: HubWord) -> HubWord:
    parts = [*(word.file or "x").split("/"), *word.revision.split("/")]
    if any(part in ("", ".", "..") for part in parts) or "\\" in f"{word.file}{word.revision}":
        raise InputError(f"{word} does not name a model on the Hub", _TIP)
    return word


def _from_page(url: str, endpoint: str) -> HubWord | None:
    """`ENDPOINT/ORG/REPO[/resolve|blob/REVISION/FILE]`, as copied from a browser."""
    bare, _ = _credentials(url)
    prefix = f"{endpoint}/"
    if not bare.startswith(prefix):
        return None
    parts = [unquote(part) for part in urlsplit(bare).path.strip("/").split("/")]
    parts = parts[len([part for part in urlsplit(endpoint).path.split("/") if part]) :]
    if len(parts) == 2:
        return _checked(HubWord("/".join(parts)))
    if len(parts) > 4 and parts[2] in ("resolve", "blob"):
        return _checked(HubWord("/".join(parts[:2]), "/".join(parts[4:]), None, parts[3]))
    return None


def _from_address(url: str) -> WebWord:
    bare, basic = _credentials(url)
    parts = urlsplit(bare)
    try:
        host, _ = parts.hostname, parts.port
    except ValueError:  # such as a port of 99999
        host = None
    if not host:
        raise _no_address(url)
    fragment, checksum = parts.fragment, None
    if fragment.startswith("sha256="):
        checksum = Checksum.from_etag(fragment.removeprefix("sha256=").lower())
        if checksum is None or checksum.kind != "SHA-256":
            raise InputError(
                f"{shown(url)}: the text after `#sha256=` is not a SHA-256", "It has 64 hex digits."
            )
    return WebWord(parts._replace(fragment="").geturl(), _file_name(bare), basic, checksum)


def shown(url: str) -> str:
    """The address without parts that may be secret: user, password, query, fragment."""
    try:
        parts = urlsplit(url)
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "the address"
    return urlunsplit((parts.scheme, host + port, parts.path, "", ""))


def is_plain(path: str) -> bool:
    """Whether a path of a repository stays inside its folder on any system."""
    parts = path.split("/")
    return (
        path.isprintable()
        and "\\" not in path
        and not any(part in ("", ".", "..") or PureWindowsPath(part).drive for part in parts)
    )


def _file_name(url: str) -> str:
    """The last part of the path, decoded; `InputError` if it cannot be the name of a file."""
    name = unquote(urlsplit(url).path.rsplit("/", 1)[-1])
    if "/" in name or not is_plain(name):
        raise InputError(
            f"{shown(url)} does not end in the name of a file",
            "Give the address of the file itself, such as `https://HOST/model.gguf`.",
        )
    return name


def _credentials(url: str) -> tuple[str, tuple[str, str] | None]:
    """The address without user and password, and these two if it has them."""
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
