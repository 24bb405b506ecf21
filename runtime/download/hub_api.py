"""What the Hub says about a repository: its commit, its files, or why one may not have them."""

from __future__ import annotations

import re
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import requests

from runtime.download.checksum import Checksum
from runtime.download.client import BROKEN, Client, Refused
from runtime.download.words import HubWord
from runtime.errors import InputError
from runtime.json_input import MALFORMED, parse_json

COMMIT = re.compile(r"[0-9a-f]{40}")
"""A full commit of git."""
_ETAG = re.compile(r"[0-9A-Za-z._-]{1,200}")
_LISTING_LIMIT = 64 << 20  # bytes; repositories of 100,000 files have 30 MB


@dataclass(frozen=True)
class Listing:
    """A repository at one commit."""

    commit: str
    files: tuple[str, ...]
    """Paths, in the Hub's order."""
    sums: dict[str, str]
    """SHA-256 of those that are in LFS, by path; 64 hex digits."""
    gated: bool = False
    """Whether its files are for accounts only that accepted its terms, as far as is known."""
    asked: bool = True
    """Whether the Hub was asked for it, or could not be: else it lists what is on this machine."""


@dataclass(frozen=True)
class RemoteFile:
    """One file as the Hub describes it."""

    etag: str
    """Name of its blob: SHA-256 for an LFS file, else git's object id."""
    size: int | None
    """Bytes."""
    checksum: Checksum | None


class HubApi:
    """Asks the Hub about models."""

    def __init__(self, client: Client, endpoint: str) -> None:
        self._client = client
        self._endpoint = endpoint

    def listing(self, word: HubWord, tries: int | None = None) -> Listing:
        """The files of a repository; `tries` as for `Client.get`.

        Raises:
            InputError: there is no such repository or revision, or not for this user.
        """
        url = f"{self._endpoint}/api/models/{word.repo}/revision/{quote(word.revision, safe='')}"
        try:
            response = self._client.get(f"{url}?blobs=true", tries=tries)
        except Refused as refusal:
            raise self._explained(word, refusal) from None
        found: Any = None
        with closing(response), suppress(*BROKEN, ValueError):
            found = parse_json(_body(response), limit=_LISTING_LIMIT)
        try:
            return _listing(found)
        except MALFORMED:
            raise InputError(
                f"{self._endpoint} does not answer as the Hub does about {word.repo}",
                "Check HF_ENDPOINT.",
            ) from None

    def url(self, word: HubWord, commit: str, file: str) -> str:
        """Where the contents of a file are."""
        return f"{self._endpoint}/{word.repo}/resolve/{commit}/{quote(file)}"

    def file(self, word: HubWord, listing: Listing, file: str) -> RemoteFile:
        """Size and checksum of a file.

        Raises:
            InputError: it is not there or not for this user, or the Hub contradicts itself.
        """
        url = self.url(word, listing.commit, file)
        try:
            response = self._client.get(url, method="HEAD", follow=False)
        except Refused as refusal:
            raise self._explained(word, refusal) from None
        response.close()
        headers = response.headers
        etag = (headers.get("X-Linked-Etag") or headers.get("ETag") or "").removeprefix("W/")
        etag = etag.strip('"')
        size = headers.get("X-Linked-Size")
        if size is None and response.status_code == 200:
            size = headers.get("Content-Length")
        listed = listing.sums.get(file)
        commit = headers.get("X-Repo-Commit", listing.commit)
        if commit != listing.commit or not _ETAG.fullmatch(etag) or (listed and listed != etag):
            raise InputError(
                f"{url}: the Hub contradicts itself about this file",
                "Run the command again; if it stays so, check HF_ENDPOINT.",
            )
        number = int(size) if size is not None and size.isdecimal() and len(size) < 20 else None
        return RemoteFile(etag, number, Checksum.from_etag(etag))

    def _explained(self, word: HubWord, refusal: Refused) -> InputError:
        code = refusal.headers.get("X-Error-Code")
        page = f"{self._endpoint}/{word.repo}"
        tokens = f"{self._endpoint}/settings/tokens"
        known = self._client.token is not None
        if known and _unknown_token(refusal):
            return InputError("the Hub does not know your token", f"Set HF_TOKEN; see {tokens}.")
        if code is None and refusal.status in (401, 404):
            code = "RepoNotFound"  # the Hub says 401 for what strangers may not know to be there
        private = "the account of your token may not see it" if known else "it is private"
        get_token = f"set HF_TOKEN to a token from {tokens}"
        errors = {
            "GatedRepo": (
                f"hf:{word.repo} is gated: it is for accounts that accepted its terms",
                f"Accept them at {page} with the account of your token."
                if known
                else f"Accept them at {page}, then {get_token}.",
            ),
            "RevisionNotFound": (
                f"hf:{word.repo} has no revision {word.revision}",
                f"{page}/tree/main lists them.",
            ),
            "EntryNotFound": (
                f"{word}: the repository has no such file",
                f"{page}/tree/{word.revision} lists its files.",
            ),
            "RepoNotFound": (
                f"there is no model {word.repo} at {self._endpoint}, or {private}",
                "Check the name." if known else f"Check the name; for a private one {get_token}.",
            ),
        }
        if code in errors:
            return InputError(*errors[code])
        if refusal.status == 403:
            tip = (
                f"Check the rights of your token at {tokens}."
                if known
                else f"If you may, {get_token}."
            )
            return InputError(f"hf:{word.repo}: the Hub forbids it for this account", tip)
        return refusal


def _unknown_token(refusal: Refused) -> bool:
    message = refusal.headers.get("X-Error-Message", "")
    return refusal.status == 401 and "credentials in authorization" in message.lower()


def _body(response: requests.Response) -> bytes:
    """The body, or as much of it as shows that it is too long."""
    body = bytearray()
    for piece in response.iter_content(1 << 20):
        body += piece
        if len(body) > _LISTING_LIMIT:
            break
    return bytes(body)


def _listing(found: Any) -> Listing:
    commit = found["sha"]
    if not COMMIT.fullmatch(commit):
        raise ValueError(commit)
    sums: dict[str, str] = {}
    files = []
    for entry in found["siblings"]:
        path = entry["rfilename"]
        # The name becomes a path here: it must stay inside its folder.
        if any(part in ("", ".", "..") for part in path.split("/")) or "\\" in path:
            continue
        files.append(path)
        lfs = entry.get("lfs") or {}
        sha256 = lfs.get("sha256") or lfs.get("oid")
        if isinstance(sha256, str):
            sums[path] = sha256.removeprefix("sha256:")
    return Listing(commit, tuple(files), sums, bool(found.get("gated")))
