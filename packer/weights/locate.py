"""From the words that name weights to the weights: files, archives, the Hub, addresses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from packer.convert.formats import check_file
from packer.io.sources import FileWeights, WeightsSource
from packer.weights.documents import Documents, documents_of
from packer.weights.downloads import Downloads
from packer.weights.zipped import is_archive, named_member, zipped
from runtime.errors import InputError
from runtime.hub.words import HubWord, WebWord, parsed

if TYPE_CHECKING:
    from packer.convert.checkpoint import Checkpoint
    from packer.convert.workshop import Workshop
    from runtime.hub.hub import Hub, HubModel


@dataclass(frozen=True)
class Located:
    """Weights that are on this machine now."""

    weights: WeightsSource
    projector: Callable[[], WeightsSource] | None = None
    """Gets the projector of a vision model; None if it has none."""
    projector_name: str | None = None
    documents: Callable[[], Documents] | None = None
    """Gets what the model's repository says about it; None if it is in none."""


class Locator(Downloads):
    """Finds weights, and downloads missing ones."""

    def __init__(
        self, *, offline: bool = False, quiet: bool = False, workshop: Workshop | None = None
    ) -> None:
        """Begin.

        Args:
            workshop: makes GGUF from other formats; None: only GGUF is wanted.
        """
        super().__init__(offline=offline, quiet=quiet)
        self._workshop = workshop

    def locate(self, word: str) -> Located:
        """The weights that `word` names.

        Raises:
            InputError: they are not there, or cannot be had.
        """
        remote = parsed(word, self.settings.endpoint)
        check_file(_file_name(word, remote))
        if isinstance(remote, HubWord):
            return self._from_hub(remote)
        if isinstance(remote, WebWord):
            path = self.web().path(remote)
            self.finish()
            return _archived(path, None) if is_archive(path) else Located(FileWeights(path))
        if self._workshop and Path(word).is_dir():
            from packer.convert.checkpoint import Checkpoint

            return self._made(self._workshop, Checkpoint.open(Path(word)))
        return _local(word)

    def documents(self, word: str) -> Documents | None:
        """What the repository of the Hub that `word` names says of itself; None for another word.

        Raises:
            InputError: it cannot be had.
        """
        remote = parsed(word, self.settings.endpoint)
        if not isinstance(remote, HubWord):
            return None
        hub = self.hub()
        try:
            return self._documents(hub, hub.repository(remote))
        except InputError as error:
            tip = " ".join(filter(None, [error.tip, "To pack without a card, add `--card none`."]))
            raise InputError(str(error), tip) from error

    def model(self, word: str) -> Located:
        """The weights of a model, quantized if that was asked for.

        Raises:
            InputError: they are not there, cannot be had, or cannot be quantized.
        """
        found = self.locate(word)
        if self._workshop is None:
            return found
        return replace(found, weights=self._workshop.quantized(found.weights))

    def _from_hub(self, word: HubWord) -> Located:
        from runtime.hub.hub import NoGguf

        hub = self.hub()
        try:
            model = hub.model(word)
        except InputError as problem:
            # Offline nobody knows what else the repository has.
            maybe = isinstance(problem, NoGguf) or self.settings.offline
            if self._workshop is None or word.file or word.quantization or not maybe:
                raise
            from packer.weights.checkpoints import from_hub

            return self._made(self._workshop, from_hub(word, self))
        model = hub.fetched(model)
        weights = FileWeights(hub.path(model, model.files[0]))
        self.finish()
        located = Located(weights, documents=lambda: self._documents(hub, model))
        projector = model.projector
        if projector is None or projector in model.files:
            return located
        return replace(
            located,
            projector=lambda: FileWeights(hub.path(model, projector)),
            projector_name=projector,
        )

    def _documents(self, hub: Hub, model: HubModel) -> Documents:
        if not model.listing.asked:
            # Perhaps only the weights were fetched, and the bundle must be the same everywhere.
            model = hub.repository(model.word)
        found = documents_of(hub, model)
        self.finish()
        return found

    def _made(self, workshop: Workshop, checkpoint: Checkpoint) -> Located:
        from packer.weights.checkpoints import find_base

        made = workshop.converted(checkpoint, lambda adapter: find_base(adapter, self))
        return Located(FileWeights(made))


def _file_name(word: str, remote: HubWord | WebWord | None) -> str:
    """Of what `word` names; of a repository empty."""
    if isinstance(remote, HubWord):
        return remote.file or ""
    return remote.name if remote else word


def _local(word: str) -> Located:
    path = Path(word)
    if is_archive(path):
        return _archived(path, None)
    if parts := named_member(word):
        return _archived(*parts)
    return Located(FileWeights(path))


def _archived(path: Path, member: str | None) -> Located:
    weights, projector = zipped(path, member)
    if projector is None:
        return Located(weights)
    return Located(weights, lambda: projector, projector.member)
