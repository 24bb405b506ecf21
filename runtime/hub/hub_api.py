"""Asks the Hub through `huggingface_hub`: lists, facts of files, files by Xet."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from runtime.errors import InputError
from runtime.formats.json_input import MALFORMED
from runtime.hub.answers import Unserved, refused, unreachable
from runtime.hub.settings import HubSettings
from runtime.hub.words import Checksum, HubWord, is_plain

COMMIT = re.compile(r"[0-9a-f]{40}")
"""A full commit of git."""

_LIMIT = 64 << 20  # bytes of an answer about a repository; one of 100,000 files has 30 MB
_VALUES = 1 << 21  # in such an answer; 64 MB of `[],` would become 1.6 GB
_TIMEOUT = 10  # seconds without an answer


@dataclass(frozen=True)
class RepoFile:
    """A file as the Hub lists it."""

    size: int | None
    """Bytes."""
    checksum: Checksum | None
    """SHA-256 of a file in LFS or Xet, else git's object id; its value also names the blob."""


@dataclass(frozen=True)
class RepoListing:
    """A repository at one commit."""

    commit: str
    files: Mapping[str, RepoFile]
    """By path, in the Hub's order, without paths that would leave a folder."""
    gated: bool = False
    """Whether its files are known to be only for accounts that accepted its terms."""
    asked: bool = True
    """Whether the list came from the Hub, not from the cache."""


class _TooLong(Exception):
    pass


_STRANGE = (*MALFORMED, _TooLong)
"""Raised by the library for answers that are not the Hub's."""


class HubApi:
    """Asks the Hub about models."""

    def __init__(self, settings: HubSettings) -> None:
        """Raises `InputError` if the token cannot be one."""
        token = settings.token
        if token and not (token.isascii() and token.isprintable()):
            raise InputError(
                "the token contains characters that tokens cannot have", "Set HF_TOKEN again."
            )
        self._settings = settings
        self._token = token or False

    def listing(self, word: HubWord) -> RepoListing:
        """The files of a repository, asked for once.

        Raises:
            Unserved: the Hub does not answer, or refuses this user.
            InputError: there is no such revision.
        """
        prepare_library()
        from huggingface_hub.hf_api import HfApi
        from huggingface_hub.utils._http import get_session

        api = HfApi(endpoint=self._settings.endpoint, token=self._token, library_name="llamapack")
        session: Any = get_session()
        # The older versions take `requests`, the newer ones `httpx`.
        hooks = (getattr(session, "event_hooks", None) or session.hooks)["response"]
        hooks.append(_bound)
        try:
            found = api.model_info(
                word.repo, revision=word.revision, timeout=_TIMEOUT, files_metadata=True
            )
            listing = _listing(found)
            if COMMIT.fullmatch(word.revision) and listing.commit != word.revision:
                raise ValueError(listing.commit)
            return listing
        except Exception as problem:  # a strange answer may raise anything
            raise self._explained(word, problem) from None
        finally:
            hooks.remove(_bound)

    def file(self, word: HubWord, commit: str, file: str) -> RepoFile:
        """A file that is not fully described in the listing."""
        prepare_library()
        from huggingface_hub.file_download import get_hf_file_metadata

        try:
            found = get_hf_file_metadata(
                self.url(word, commit, file), token=self._token, timeout=_TIMEOUT
            )
        except Exception as problem:
            raise self._explained(word, problem) from None
        checksum = Checksum.from_etag(found.etag)
        if found.commit_hash != commit or checksum is None:
            raise Unserved(
                f"{self.url(word, commit, file)}: the Hub contradicts itself about this file",
                "Run the command again; if the error stays, check HF_ENDPOINT.",
            )
        return RepoFile(found.size, checksum)

    def download(self, word: HubWord, commit: str, file: str, folder: Path) -> Path:
        """Download a file into `folder`, by Xet if the Hub offers that."""
        prepare_library()
        from huggingface_hub.file_download import hf_hub_download

        try:
            found = hf_hub_download(
                word.repo, file, revision=commit, local_dir=folder, cache_dir=folder,
                endpoint=self._settings.endpoint, token=self._token, library_name="llamapack",
            )  # fmt: skip
        except Exception as problem:
            raise self._explained(word, problem) from None
        return Path(found)

    def url(self, word: HubWord, commit: str, file: str) -> str:
        """The address of a file's contents."""
        from huggingface_hub.file_download import hf_hub_url

        return hf_hub_url(word.repo, file, revision=commit, endpoint=self._settings.endpoint)

    def _explained(self, word: HubWord, problem: Exception) -> InputError:
        """The error for an exception of the library."""
        from huggingface_hub import errors

        if isinstance(problem, OSError) and problem.errno and not problem.__cause__:
            raise problem  # no space left, for example
        while not hasattr(problem, "response") and isinstance(problem.__cause__, Exception):
            problem = problem.__cause__
        endpoint = self._settings.endpoint
        response: Any = getattr(problem, "response", None)
        if response is not None and response.status_code >= 400:
            return self._refused(word, problem, response)
        if isinstance(problem, errors.HFValidationError):
            return InputError(f"{word} does not name a model on the Hub", "Write `hf:ORG/REPO`.")
        circle = "Redirects" in type(problem).__name__
        if response is None and not circle and not isinstance(problem, _STRANGE):
            return unreachable(urlsplit(endpoint).hostname or endpoint, problem)
        return Unserved(
            f"{endpoint} does not answer as the Hub does about {word.repo}",
            "Check HF_ENDPOINT, and whether this network needs a login in the browser.",
        )

    def _refused(self, word: HubWord, problem: Exception, response: Any) -> InputError:
        from huggingface_hub import errors

        endpoint, status = self._settings.endpoint, response.status_code
        page, tokens = f"{endpoint}/{word.repo}", f"{endpoint}/settings/tokens"
        known, get_token = bool(self._token), f"set HF_TOKEN to a token from {tokens}"
        if isinstance(problem, errors.RevisionNotFoundError):
            message = f"hf:{word.repo} has no revision {word.revision}"
            return InputError(message, f"{page}/tree/main lists them.")
        if isinstance(problem, errors.GatedRepoError):
            message = f"hf:{word.repo} is gated: only accounts that accepted its terms may use it"
            how = " with the account of your token" if known else f", then {get_token}"
            tip = f"Accept them at {page}{how}."
        elif isinstance(problem, errors.EntryNotFoundError):
            message = f"{word}: the repository does not have this file"
            tip = f"{page}/tree/{word.revision} lists its files."
        elif isinstance(problem, errors.RepositoryNotFoundError) or status == 404:
            private = "the account of your token may not see it" if known else "it is private"
            message = f"there is no model {word.repo} at {endpoint}, or {private}"
            tip = "Check the name" + ("." if known else f"; for a private one {get_token}.")
        elif status == 401 and known:
            message, tip = "the Hub rejects your token", f"Set HF_TOKEN; see {tokens}."
        elif status in (401, 403):
            message = f"hf:{word.repo}: the Hub does not allow it for this account"
            tip = (
                f"Check the rights of your token at {tokens}."
                if known
                else f"If you may read it, {get_token}."
            )
        else:
            return refused(page, status, response.headers.get("Retry-After", ""))
        return Unserved(message, tip, status=status)


def prepare_library() -> None:
    """Make `huggingface_hub` silent; `InputError` if it is not installed."""
    try:
        from huggingface_hub import constants
        from huggingface_hub.utils.logging import set_verbosity_error
        from huggingface_hub.utils.tqdm import disable_progress_bars
    except ImportError:
        raise InputError(
            "the Hub needs the Python package huggingface_hub, which is not installed",
            "Run `pip install huggingface_hub hf_xet`.",
        ) from None
    quiet: Callable[[], None] = set_verbosity_error
    quiet()
    # It would request a list of programs whose names to report, and wait for it.
    constants.HF_HUB_DISABLE_TELEMETRY = True
    os.environ.setdefault("HF_XET_TELEMETRY_ENABLED", "0")
    if not sys.stderr.isatty():
        disable_progress_bars()


def _bound(response: Any, **_: object) -> None:
    """Limit the bytes and values of an answer, compressed or not."""
    name = "iter_bytes" if hasattr(response, "iter_bytes") else "iter_content"
    pieces = getattr(response, name)

    def counted(*words: Any, **options: Any) -> Iterator[bytes]:
        count = values = 0
        for piece in pieces(*words, **options):
            count += len(piece)
            values += sum(map(piece.count, (b"[", b"{", b",")))
            if count > _LIMIT or values > _VALUES:
                raise _TooLong
            yield piece

    setattr(response, name, counted)


def _listing(found: Any) -> RepoListing:
    """The library's view of the answer, with values of other types left out."""
    if not COMMIT.fullmatch(found.sha):
        raise ValueError(found.sha)
    files = {}
    for entry in found.siblings:
        etag = entry.lfs.sha256 if entry.lfs else entry.blob_id
        size = entry.size if type(entry.size) is int and entry.size >= 0 else None
        checksum = Checksum.from_etag(etag) if isinstance(etag, str) else None
        if is_plain(entry.rfilename):
            files[entry.rfilename] = RepoFile(size, checksum)
    return RepoListing(found.sha, files, bool(found.gated))
