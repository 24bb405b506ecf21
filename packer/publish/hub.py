"""The repository on the Hub, through `huggingface_hub`."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, BinaryIO, cast

import packer
from packer.io.console import Advance, note
from packer.publish.uploads import Publication, Remote, RemoteFile, Upload
from runtime.errors import InputError
from runtime.hub.hub_api import prepare_library
from runtime.hub.settings import HubSettings, settings
from runtime.hub.words import HubWord, parsed

if TYPE_CHECKING:
    from huggingface_hub import CommitOperationAdd, ModelInfo
    from huggingface_hub.errors import HfHubHTTPError


_AGAIN = "Run the command again: what was sent already is not sent again."
# What the Hub says of full accounts comes with 403 as well as with others.
_QUOTA = re.compile(r"storage (limit|patterns)|quota", re.IGNORECASE)


@contextmanager
def explained(word: HubWord, settings: HubSettings) -> Iterator[None]:
    """Turn exceptions of `huggingface_hub` in the body into an `InputError`."""
    from huggingface_hub.errors import HfHubHTTPError

    try:
        yield
    except Exception as problem:  # also those of the HTTP library, which depends on the version
        # The library wraps what happens to one of several files.
        inner = (problem.__cause__ if isinstance(problem, RuntimeError) else None) or problem
        if isinstance(inner, InputError):
            raise inner from None
        if isinstance(inner, HfHubHTTPError):
            raise _refused(inner, word, settings) from None
        if isinstance(inner, RuntimeError | ValueError):
            raise _failed(_line(inner), "", word, settings) from None
        if type(inner).__module__ == "builtins":  # a full disk, or a fault of ours
            raise
        raise InputError(
            f"the connection to {settings.endpoint} failed: {_line(inner)}",
            f"Check the network, HTTPS_PROXY and HF_ENDPOINT. {_AGAIN}",
        ) from None


def _refused(problem: HfHubHTTPError, word: HubWord, settings: HubSettings) -> InputError:
    status = problem.response.status_code
    said = _line(problem.server_message or "")
    tokens = f"{settings.endpoint}/settings/tokens"
    if status in (402, 507) or _QUOTA.search(said):
        return _failed(said or "no space left", "", word, settings)
    by_status = {
        401: ("the Hub does not know your token", f"Set HF_TOKEN; see {tokens}."),
        403: (
            f"your token may not write to {word.repo}{_said(said)}",
            f"Take one with write permission for it from {tokens}.",
        ),
        404: (
            f"there is no model {word.repo} at {settings.endpoint}, or your token may not see it",
            "Check the name and the rights of your token.",
        ),
        412: (
            f"{word.repo} was changed by somebody else meanwhile",
            "Look at what changed, and run the command again.",
        ),
        429: (f"the Hub had too many requests{_said(said)}", f"Wait a while. {_AGAIN}"),
    }
    if status in by_status:
        return InputError(*by_status[status])
    return _failed(said, f" (status {status})", word, settings)


def _failed(said: str, how: str, word: HubWord, settings: HubSettings) -> InputError:
    message = f"the Hub does not take it into {word.repo}{how}{_said(said)}"
    if _QUOTA.search(said):
        return InputError(message, f"Free some space: {settings.endpoint}/settings/billing.")
    return InputError(message, _AGAIN)


def _said(text: str) -> str:
    return f": {text}" if text else ""


def _line(text: object) -> str:
    return " ".join(str(text).split()).rstrip(".")


def repository(name: str, revision: str = "main") -> HubWord:
    """What `--repo` and `--revision` say; `name` is `ORG/NAME`, `hf:ORG/NAME` or a page's address.
    Raises InputError if it names no repository."""
    word = name if ":" in name else f"hf:{name}"
    try:
        found = parsed(f"{word}@{revision}" if revision != "main" else word, settings().endpoint)
    except InputError:
        found = None
    if not isinstance(found, HubWord) or found.file or found.quantization:
        raise InputError(
            f"{name} names no repository on the Hub"
            if revision == "main"
            else f"{name} at {revision} names no repository on the Hub",
            "Write `--repo ORG/NAME`.",
        )
    return found


class Repository:
    """A model's repository at one revision."""

    def __init__(self, word: HubWord, settings: HubSettings) -> None:
        """Asks nothing yet. Raises InputError if `huggingface_hub` is missing, or the network is
        forbidden."""
        prepare_library()
        from huggingface_hub import HfApi

        if settings.offline:
            raise InputError("HF_HUB_OFFLINE forbids the network", "Unset it to publish.")
        self._word = word
        self._settings = settings
        self._api = HfApi(
            endpoint=settings.endpoint,
            token=settings.token or False,
            library_name="llamapack",
            library_version=packer.__version__,
        )

    @property
    def url(self) -> str:
        """Of its page."""
        page = f"{self._settings.endpoint}/{self._word.repo}"
        return page if self._word.revision == "main" else f"{page}/tree/{self._word.revision}"

    def look(self) -> Remote:
        """The repository as it is. Raises InputError if the Hub does not say."""
        from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError

        with self._explained():
            try:
                found = _remote(self._info(self._word.revision), branch=True)
            except RepositoryNotFoundError:
                found = Remote()
            except RevisionNotFoundError:
                found = _remote(self._info(None), branch=False)
        return found

    def require_token(self) -> None:
        """Raises InputError if there is no token."""
        if self._settings.token is None:
            raise InputError(
                "there is no token to publish with",
                f"Set HF_TOKEN to one with write permission from {self._settings.endpoint}"
                "/settings/tokens, or run `hf auth login`.",
            )

    def create(self, remote: Remote, *, private: bool) -> None:
        """Create the repository and branch if they are missing. Raises InputError if the account
        may not."""
        with self._explained():
            if not remote.exists:
                self._api.create_repo(self._word.repo, private=private, exist_ok=True)
            if not remote.branch and self._word.revision != "main":
                self._api.create_branch(self._word.repo, branch=self._word.revision, exist_ok=True)

    def send(self, todo: Publication, message: str, *, parent: str | None, advance: Advance) -> str:
        """Send contents, then make one commit of everything; its address. Contents that an
        interrupted call has sent are not sent again. A card that the Hub rejects is found before.

        `parent`: the commit that the repository must still have. Raises InputError if the Hub
        refuses, or cannot be reached.
        """
        from huggingface_hub import CommitOperationDelete

        # As warnings come what the Hub thinks of the card.
        with self._explained(), warnings.catch_warnings(record=True) as opinions:
            done = self._api.create_commit(
                self._word.repo,
                [
                    *(_operation(file, advance) for file in todo.missing),
                    *(CommitOperationDelete(name) for name in todo.stale),
                ],
                commit_message=message,
                revision=self._word.revision,
                parent_commit=parent,
            )
        for opinion in opinions:
            note(" ".join(str(opinion.message).split()))
        return str(done.commit_url)

    def _info(self, revision: str | None) -> ModelInfo:
        return self._api.model_info(self._word.repo, revision=revision, files_metadata=True)

    def _explained(self) -> AbstractContextManager[None]:
        return explained(self._word, self._settings)


def _operation(file: Upload, advance: Advance) -> CommitOperationAdd:
    """The library's operation that adds a file; a part is read out of the whole file."""
    from huggingface_hub import CommitOperationAdd

    if isinstance(file.source, bytes):
        return CommitOperationAdd(file.name, file.source)
    # A whole file may go by Xet, which takes paths alone.
    source = file.source.open(advance) if file.is_cut else file.source.path
    return CommitOperationAdd(file.name, cast(BinaryIO, source))


def _remote(info: ModelInfo, *, branch: bool) -> Remote:
    files = {
        file.rfilename: RemoteFile(file.size, file.lfs.sha256 if file.lfs else None, file.blob_id)
        for file in info.siblings or ()
    }
    return Remote(True, bool(info.private), branch, info.sha, files)
