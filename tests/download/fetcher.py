"""Fetches from test servers as the product does, but without the waits."""

from __future__ import annotations

import hashlib
import random
from pathlib import Path

from runtime.hub.answers import Patience, Report
from runtime.hub.web import Web
from runtime.hub.words import WebWord, parsed

DATA = random.Random(4).randbytes((9 << 20) + 12345)
SHA256 = hashlib.sha256(DATA).hexdigest()


class Fetcher:
    """Fetches without the waits, which it notes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.waits: list[float] = []
        self.notes: list[str] = []
        self.progress = 0

    def __call__(self, url: str, *, offline: bool = False) -> Path:
        word = parsed(url, "https://hub.example")
        assert isinstance(word, WebWord)
        self.progress = 0
        web = Web(
            self.folder,
            Report(lambda _: lambda _: self._advance, self.notes.append),
            offline=offline,
            patience=Patience(tries=4, sleep=self.waits.append),
        )
        return web.path(word)

    def _advance(self, count: int) -> None:
        self.progress += count

    def leftovers(self) -> list[str]:
        return [p.name for p in self.folder.rglob("*") if "incomplete" in p.name]
