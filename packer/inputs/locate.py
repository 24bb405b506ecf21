"""From the words that name weights to the weights: files, archives, the Hub, addresses."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from packer import build_cache
from packer.console import note
from packer.inputs.weights import FileWeights, Weights
from packer.inputs.zipped import is_archive, zipped
from packer.progress import progress
from runtime.download.settings import Settings, settings
from runtime.download.words import HubWord, WebWord, parsed

if TYPE_CHECKING:
    from runtime.download.hub import Hub
    from runtime.download.progress import Begin, Sized
    from runtime.download.web import Web


@dataclass(frozen=True)
class Located:
    """Weights that are on this machine now."""

    weights: Weights
    projector: Callable[[], Weights] | None = None
    """Gets the projector that lies with a vision model; None if there is none."""
    projector_name: str | None = None


class Locator:
    """Finds weights, and fetches what is not here."""

    def __init__(self, *, offline: bool = False, quiet: bool = False) -> None:
        self.settings: Settings = settings(offline=offline)
        self._say = (lambda _: None) if quiet else note
        self._stack = ExitStack()

    def __enter__(self) -> Locator:
        return self

    def __exit__(self, *_: object) -> None:
        self.finish()

    def finish(self) -> None:
        """Remove the progress bar: what was fetched is here."""
        self._stack.close()

    def locate(self, word: str) -> Located:
        """The weights that `word` names.

        Raises:
            InputError: they are not there, or cannot be had.
        """
        remote = parsed(word, self.settings.endpoint)
        if isinstance(remote, HubWord):
            return self._from_hub(remote)
        if isinstance(remote, WebWord):
            path = self.web().path(remote)
            self.finish()
            return _archived(path, None) if is_archive(path) else Located(FileWeights(path))
        return _local(word)

    def hub(self) -> Hub:
        """The Hub with this command's progress and messages."""
        # Not at the top: for a file on disk nobody waits for an HTTP library.
        from runtime.download.hub import Hub

        return Hub(self.settings, begin=self._begin, note=self._say)

    def web(self) -> Web:
        """Other servers, likewise."""
        from runtime.download.web import Web

        return Web(
            build_cache.root() / "downloads",
            offline=self.settings.offline,
            begin=self._begin,
            note=self._say,
        )

    def _from_hub(self, word: HubWord) -> Located:
        hub = self.hub()
        model = hub.model(word)
        paths = [hub.path(model, file) for file in model.files]
        self.finish()
        projector = model.projector
        if projector is None or projector in model.files:
            return Located(FileWeights(paths[0]))
        return Located(
            FileWeights(paths[0]), lambda: FileWeights(hub.path(model, projector)), projector
        )

    @property
    def _begin(self) -> Begin:
        def begin(label: str) -> Sized:
            def sized(size: int | None) -> Callable[[int], object]:
                self.finish()
                return self._stack.enter_context(progress(label, size))

            return sized

        return begin


def _local(word: str) -> Located:
    path = Path(word)
    if is_archive(path):
        return _archived(path, None)
    if not path.exists():
        # `ARCHIVE.zip:MEMBER`; both may hold colons
        for index, char in enumerate(word):
            if char == ":" and is_archive(Path(word[:index])):
                return _archived(Path(word[:index]), word[index + 1 :])
    return Located(FileWeights(path))


def _archived(path: Path, member: str | None) -> Located:
    weights, projector = zipped(path, member)
    if projector is None:
        return Located(weights)
    return Located(weights, lambda: projector, projector.member)
