"""What goes wrong with the Hub, in words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from runtime.errors import InputError
from runtime.hub.settings import HubSettings
from runtime.hub.words import HubWord

if TYPE_CHECKING:
    from huggingface_hub.errors import HfHubHTTPError

_AGAIN = "Run the command again: what was sent already is not sent again."
# What the Hub says of full accounts comes with 403 as well as with others.
_QUOTA = re.compile(r"storage (limit|patterns)|quota", re.IGNORECASE)


@contextmanager
def explained(word: HubWord, settings: HubSettings) -> Iterator[None]:
    """Make an `InputError` of what `huggingface_hub` raises in the body."""
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
