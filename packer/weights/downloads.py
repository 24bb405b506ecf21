"""The Hub and other servers, with a command's own progress and messages."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING, Self

from packer.io import build_cache
from packer.io.console import note, progress
from runtime.hub.settings import HubSettings, settings

if TYPE_CHECKING:
    from runtime.hub.answers import Report, Sized
    from runtime.hub.hub import Hub
    from runtime.hub.web import Web


class Downloads:
    """The downloads of a command; a context manager, which removes the progress bar."""

    def __init__(self, *, offline: bool = False, quiet: bool = False) -> None:
        self.settings: HubSettings = settings(offline=offline)
        self._say = (lambda _: None) if quiet else note
        self._stack = ExitStack()
        self._hub: Hub | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.finish()

    def finish(self) -> None:
        """Remove the progress bar after the download."""
        self._stack.close()

    def hub(self) -> Hub:
        """The Hub with this command's progress and messages."""
        # Not at the top: a file on disk needs no HTTP library.
        from runtime.hub.hub import Hub

        if self._hub is None:
            self._hub = Hub(self.settings, self._report())
        return self._hub

    def web(self) -> Web:
        """Other servers, likewise."""
        from runtime.hub.web import Web

        folder = build_cache.root() / "downloads"
        return Web(folder, self._report(), offline=self.settings.offline)

    def _report(self) -> Report:
        from runtime.hub.answers import Report

        def begin(label: str) -> Sized:
            def sized(size: int | None) -> Callable[[int], object]:
                self.finish()
                return self._stack.enter_context(progress(label, size))

            return sized

        return Report(begin, self._say)
