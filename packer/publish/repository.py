"""The name of a repository on the command line."""

from __future__ import annotations

from runtime.download.settings import settings
from runtime.download.words import HubWord, parsed
from runtime.errors import InputError


def repository(name: str, revision: str = "main") -> HubWord:
    """What `--repo` and `--revision` say; `name` is `ORG/NAME`, `hf:ORG/NAME` or a page's address.

    Raises:
        InputError: it names no repository.
    """
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
