"""Packages from the indexes that this machine's pip uses.

pip itself would run a package's build program to learn its name (`pip download`). So the index is
asked here, by the simple repository API (https://packaging.python.org/specifications/
simple-repository-api), and nothing of the package is run.
"""

from __future__ import annotations

import ast
import html.parser
import os
import re
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import urldefrag, urljoin, urlsplit
from urllib.request import url2pathname

import requests

from runtime.errors import InputError
from runtime.formats.json_input import MALFORMED, parse_json
from runtime.formats.sha256_file import file_sha256
from runtime.hub.words import shown

SDIST, WHEEL = ".tar.gz", "-py3-none-any.whl"
"""How the names of a package's files end."""
_DEFAULT = "https://pypi.org/simple"
_ACCEPTED = "application/vnd.pypi.simple.v1+json, text/html;q=0.1"
_PAGE = 64 << 20
"""Bytes that the page of one package may have."""
_ARCHIVE = 1 << 30
"""Bytes that an archive may have, and eight times as many its files."""
_TIMEOUT = (20, 120)
"""Seconds to connect, and between two pieces of an answer."""


@dataclass(frozen=True)
class Listed:
    """A file of a package as an index lists it."""

    url: str
    sha256: str
    """Hexadecimal; empty if the index does not say."""

    @property
    def name(self) -> str:
        return self.url.rsplit("/", 1)[1]


def find(package: str, version: str, ending: str = SDIST) -> Listed:
    """The file of that version with that ending, in the first index that has it.

    Raises:
        InputError: there is none, or no index answers.
    """
    wanted = re.sub(r"[-_.]+", "-", package).lower()
    name = re.compile(rf"{re.sub('-', '[-_.]', re.escape(wanted).replace(chr(92), ''))}-")
    problems = []
    for index in _indexes():
        address = f"{index.rstrip('/')}/{wanted}/"
        try:
            for listed in _page(address):
                stem = listed.name.removesuffix(ending)
                found = name.match(stem.lower())
                if stem != listed.name and found and stem[found.end() :] == version:
                    return listed
        except (OSError, ValueError, *MALFORMED) as problem:
            problems.append(f"{shown(address)}: {_reason(problem)}")
    kind = "wheel" if ending == WHEEL else "source distribution"
    raise InputError(
        f"no package index has a {kind} of {package} {version}"
        + (f" ({'; '.join(problems)})" if problems else ""),
        "Check the connection, and the index that pip uses: `pip config list`.",
    )


def download(package: str, version: str, folder: Path) -> Path:
    """Fetch a source distribution into `folder`; `check_sha256` comes next.

    Raises:
        InputError: it cannot be had.
    """
    listed = find(package, version)
    target = folder / f"{package}-{version}.tar.gz"
    try:
        with target.open("wb") as file:
            for piece in _pieces(listed.url, _ARCHIVE):
                file.write(piece)
    except (OSError, ValueError) as problem:
        raise InputError(
            f"{shown(listed.url)}: {_reason(problem)}", "Check the connection and try again."
        ) from None
    return target


def check_sha256(archive: Path, expected: str) -> None:
    """Compare the SHA-256 of an archive with the pinned one.

    Raises:
        InputError: it differs.
    """
    if (actual := file_sha256(archive)) != expected:
        raise InputError(
            f"{archive.name} differs from the pinned file: expected SHA-256 {expected}, "
            f"got {actual}",
            "Try again. If the error stays, the package was replaced at its source: do not use it.",
        )


def unpack(archive: Path, folder: str, destination: Path) -> int:
    """Extract one folder of a source distribution, and nothing else.

    Args:
        folder: below the archive's only folder, such as `thirdparty/llama.cpp`.
        destination: what the folder becomes.

    Returns:
        the time of its newest file, in seconds since 1970.

    Raises:
        InputError: there is no such folder, or the archive is damaged or too large.
    """
    inside, newest, total = PurePosixPath(folder).parts, 0, 0
    try:
        with tarfile.open(archive) as opened:
            for member in opened:
                parts = PurePosixPath(member.name).parts[1:]
                if parts[: len(inside)] != inside or not (member.isfile() or member.issym()):
                    continue
                total += member.size
                if total > 8 * _ARCHIVE:
                    raise InputError(f"{archive.name} has more than {8 * _ARCHIVE} bytes in files")
                member.name = str(PurePosixPath(*parts[len(inside) :]))
                opened.extract(member, destination, filter="data")
                newest = max(newest, int(member.mtime))
    except (tarfile.TarError, EOFError, OSError) as problem:
        raise InputError(f"{archive.name}: {problem}") from None
    if not total:
        raise InputError(f"{archive.name}: it does not contain the folder `{folder}`")
    return newest


def _indexes() -> Iterator[str]:
    """The addresses of the indexes that pip would ask, as `pip config list` states them."""
    settings: dict[str, str] = {}
    words = [sys.executable, "-m", "pip", "config", "list"]
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
        lines = done.stdout.splitlines()
    except (OSError, subprocess.TimeoutExpired):
        lines = []
    for line in lines:
        name, _, value = line.partition("=")
        settings[name] = str(ast.literal_eval(value)) if value[:1] in ("'", '"') else value
    for option, usual in (("index-url", _DEFAULT), ("extra-index-url", "")):
        stated = os.environ.get(f"PIP_{option.upper().replace('-', '_')}")
        for section in ("site", "user", "global"):
            stated = settings.get(f"{section}.{option}") if stated is None else stated
        yield from (usual if stated is None else stated).split()


class _Links(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for name, value in attrs if (tag, name) == ("a", "href") and value]


def _page(address: str) -> list[Listed]:
    """The files that an index lists for a package; none if it does not have the package.

    Raises:
        OSError, ValueError: it does not answer, or not as the API says.
    """
    if urlsplit(address).scheme == "file":
        path = Path(url2pathname(urlsplit(address).path)) / "index.html"
        text, kind = (path.read_bytes(), "text/html") if path.is_file() else (b"", "text/html")
    else:
        response = requests.get(
            address, headers={"Accept": _ACCEPTED}, stream=True, timeout=_TIMEOUT
        )
        with response:
            if response.status_code == requests.codes.not_found:
                return []
            response.raise_for_status()
            text = b"".join(_limited(response, _PAGE))
            kind = response.headers.get("Content-Type", "")
            address = response.url
    if "json" in kind:
        return [
            Listed(urljoin(address, str(one["url"])), str(one["hashes"].get("sha256", "")))
            for one in parse_json(text)["files"]
        ]
    links = _Links()
    links.feed(text.decode("utf-8", "replace"))
    found = (urldefrag(urljoin(address, link)) for link in links.found)
    return [
        Listed(url, fragment.removeprefix("sha256=") if fragment.startswith("sha256=") else "")
        for url, fragment in found
    ]


def _pieces(url: str, limit: int) -> Iterator[bytes]:
    if urlsplit(url).scheme == "file":
        yield Path(url2pathname(urlsplit(url).path)).read_bytes()
        return
    with requests.get(url, stream=True, timeout=_TIMEOUT) as response:
        response.raise_for_status()
        yield from _limited(response, limit)


def _limited(response: requests.Response, limit: int) -> Iterator[bytes]:
    for piece in response.iter_content(1 << 20):
        limit -= len(piece)
        if limit < 0:
            raise ValueError("the answer is too large")
        yield piece


def _reason(problem: Exception) -> str:
    if isinstance(problem, requests.HTTPError) and problem.response is not None:
        return f"status {problem.response.status_code}"
    return str(problem) or type(problem).__name__
