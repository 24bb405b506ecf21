"""How people name weights that are not on this machine: `hf:…` and `https://…`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from runtime.errors import InputError
from runtime.hub.address import credentials, file_name, origin, shown
from runtime.hub.checksum import Checksum

_PART = r"[A-Za-z0-9](?:[\w.-]*[A-Za-z0-9_])?"
_HUB = re.compile(
    rf"hf:(?://)?(?P<repo>{_PART}/{_PART})"
    r"(?:/(?P<file>[^@]+)|:(?P<quant>[\w.-]+))?(?:@(?P<revision>[^@\s]+))?",
    re.ASCII,
)
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_TIP = (
    "Write `hf:ORG/REPO`, `hf:ORG/REPO:Q4_K_M` or `hf:ORG/REPO/FILE.gguf`, each with or without "
    "`@REVISION`."
)


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
    """What `word` names; None if it is the name of a file.

    Args:
        endpoint: address of the Hub; the pages and files of models there count as `hf:`.

    Raises:
        InputError: it begins like one of these and is none.
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
    bare, _ = credentials(url)
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
    origin(url)
    bare, basic = credentials(url)
    fragment = urlsplit(bare).fragment
    checksum = None
    if fragment.startswith("sha256="):
        checksum = Checksum.from_etag(fragment.removeprefix("sha256=").lower())
        if checksum is None or checksum.kind != "SHA-256":
            raise InputError(
                f"{shown(url)}: the text after `#sha256=` is not a SHA-256", "It has 64 hex digits."
            )
    return WebWord(urlsplit(bare)._replace(fragment="").geturl(), file_name(bare), basic, checksum)
