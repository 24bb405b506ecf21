"""Brings a model that is named by `hf:…` or `https://…`, and tells which file it is."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from runtime.console import in_words, note
from runtime.errors import InputError
from runtime.hub.hub import Hub
from runtime.hub.progress import Report
from runtime.hub.settings import settings
from runtime.hub.web import Web
from runtime.hub.words import HubWord, WebWord, parsed
from runtime.launch.cache_folders import cache_folder
from runtime.machine.machine import Machine

_SECONDS = 0.2  # between two lines of progress


def fetched(text: str, machine: Machine, *, offline: bool) -> tuple[Path, list[str]]:
    """The first file of a model, and the flags that load its projector.

    Raises:
        InputError: it cannot be had, or `text` is neither `hf:…` nor `https://…`.
    """
    place = settings(os.environ, offline=offline)
    word = parsed(text, place.endpoint)
    report = Report(_begin, note)
    if isinstance(word, HubWord):
        hub = Hub(place, report)
        model = hub.fetched(hub.model(word))
        first = hub.path(model, model.files[0])
        projector = hub.path(model, model.projector) if model.projector else None
        return first, ["--mmproj", str(projector)] if projector else []
    if isinstance(word, WebWord):
        folder = cache_folder(machine, "downloads")
        return Web(folder, report, offline=place.offline).path(word), []
    raise InputError(
        f"{text} is not a model to download", "Write `hf:ORG/REPO` or `https://HOST/FILE`."
    )


def _begin(label: str) -> Callable[[int | None], Callable[[int], None]]:
    """Progress on a terminal: one line that is written over."""

    def sized(size: int | None) -> Callable[[int], None]:
        done, shown = 0, 0.0

        def advance(count: int) -> None:
            nonlocal done, shown
            done += count
            now = time.monotonic()
            ended = done == size
            if sys.stderr.isatty() and (now - shown > _SECONDS or ended):
                shown = now
                of = f" of {in_words(size)}" if size else ""
                end = "\r\033[K" if ended else ""
                print(f"\r\033[K{label}: {in_words(done)}{of}{end}", end="", file=sys.stderr)

        return advance

    return sized
