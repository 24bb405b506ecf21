"""From the words that name weights to the weights: files, checkpoints, archives, Hub and web."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from packer.convert.checkpoint import (
    ADAPTER_CONFIG,
    CONFIG,
    Checkpoint,
    check_file,
    no_checkpoint,
    read_config,
)
from packer.io.sources import FileWeights, WeightsSource
from packer.weights.archives import find_weights, is_archive, named_member
from packer.weights.documents import Documents, SmallFile, documents_of, file_in, hub_file
from packer.weights.downloads import Downloads
from runtime.errors import InputError
from runtime.hub.choice import best_projector
from runtime.hub.words import HubWord, WebWord, parsed

if TYPE_CHECKING:
    from packer.convert.workshop import Workshop
    from runtime.hub.hub import Hub, HubModel

_BASE = "Name the folder of that model, or `hf:ORG/REPO`, with `llamapack convert --base`."


@dataclass(frozen=True)
class Located:
    """Weights that are on this machine now."""

    weights: WeightsSource
    projector: Callable[[], WeightsSource] | None = None
    """Gets the projector of a vision model; None if it has none."""
    projector_name: str | None = None
    has_default_projector: bool = False
    """Whether the projector belongs to the model unless the user says otherwise."""
    documents: Callable[[], Documents] | None = None
    """Gets the documents of the model's repository; None if it is not in one."""
    document: Callable[[str], SmallFile | None] = lambda _: None
    """Gets the small file of this name beside the weights, if there is one. Raises InputError if it
    cannot be read."""


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
        """The weights that `word` names. Raises InputError if they do not exist, or cannot be
        downloaded."""
        remote = parsed(word, self.settings.endpoint)
        check_file(_file_name(word, remote))
        if isinstance(remote, HubWord):
            return self._from_hub(remote)
        if isinstance(remote, WebWord):
            path = self.web().path(remote)
            self.finish()
            return _archived(path, None) if is_archive(path) else Located(FileWeights(path))
        if self._workshop and Path(word).is_dir():
            return self._made(self._workshop, Checkpoint.open(Path(word)))
        return _local(word)

    def documents(self, word: str) -> Documents | None:
        """The documents of the repository of the Hub that `word` names; None for another word.
        Raises InputError if they cannot be downloaded."""
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
            InputError: as for `locate`, or they cannot be quantized.
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
            # Offline, it is not known what else the repository has.
            maybe = isinstance(problem, NoGguf) or self.settings.offline
            if self._workshop is None or word.file or word.quantization or not maybe:
                raise
            return self._made(self._workshop, self._checkpoint_of_hub(word))
        model = hub.fetched(model)
        weights = FileWeights(hub.path(model, model.files[0]))
        self.finish()
        located = Located(
            weights,
            documents=lambda: self._documents(hub, model),
            document=lambda name: hub_file(hub, model, name),
        )
        projector = model.projector
        if projector is None or projector in model.files:
            return located
        return replace(
            located,
            projector=lambda: FileWeights(hub.path(model, projector)),
            projector_name=projector,
            has_default_projector=True,  # as `-hf` of llama.cpp
        )

    def _documents(self, hub: Hub, model: HubModel) -> Documents:
        if not model.listing.asked:
            # Perhaps only the weights were fetched, and the bundle must be the same everywhere.
            model = hub.repository(model.word)
        found = documents_of(hub, model)
        self.finish()
        return found

    def checkpoint(self, word: str) -> Checkpoint:
        """The checkpoint that `word` names, a folder or a repository of the Hub. Raises InputError
        if there is none, or it cannot be downloaded."""
        remote = parsed(word, self.settings.endpoint)
        if isinstance(remote, HubWord) and not remote.file and not remote.quantization:
            return self._checkpoint_of_hub(remote)
        if remote is not None:
            raise InputError(
                f"{word} names one file, but a checkpoint is a folder",
                "Name the repository: `hf:ORG/REPO`.",
            )
        path = Path(word)
        if path.is_file():
            check_file(word)
            raise InputError(
                f"{word} is not a folder", "Name the folder that `transformers` saved."
            )
        return Checkpoint.open(path)

    def base_of(self, adapter: Checkpoint, word: str | None = None) -> Path:
        """The folder with the configuration of an adapter's model.

        Args:
            word: a folder or `hf:ORG/REPO`; None: the model that the adapter names.

        Raises:
            InputError: it is not known, or cannot be downloaded.
        """
        stated = adapter.config.get("base_model_name_or_path")
        name = word or (stated if isinstance(stated, str) else "")
        if not name:
            raise InputError(f"the adapter {adapter.folder} does not name its model", _BASE)
        if (Path(name) / CONFIG).is_file():
            return Path(name)
        try:
            address = name if name.startswith("hf:") else f"hf:{name}"
            remote = parsed(address, self.settings.endpoint)
            assert isinstance(remote, HubWord)
            hub = self.hub()
            return hub.path(hub.one(remote, CONFIG), CONFIG).parent
        except InputError as problem:
            raise InputError(
                f"the model of the adapter {adapter.folder} is missing: {problem.message}", _BASE
            ) from None
        finally:
            self.finish()

    def _checkpoint_of_hub(self, word: HubWord) -> Checkpoint:
        from runtime.hub.hub import NoGguf

        hub = self.hub()
        try:
            model = hub.checkpoint(word)
        except NoGguf as problem:
            raise no_checkpoint(str(word), problem.files) from None
        config = hub.path(model, ADAPTER_CONFIG if ADAPTER_CONFIG in model.files else CONFIG)
        self.finish()
        read_config(config, str(word))  # Its refusal must not come after gigabytes.
        model = hub.fetched(model)
        self.finish()
        config = hub.path(model, config.name)
        return Checkpoint.open(config.parent, word.repo.partition("/")[2])

    def _made(self, workshop: Workshop, checkpoint: Checkpoint) -> Located:
        weights = FileWeights(workshop.converted(checkpoint, self.base_of))
        return Located(weights, document=lambda name: file_in(checkpoint.folder, name))


def _file_name(word: str, remote: HubWord | WebWord | None) -> str:
    """The name of the file; empty for a repository."""
    if isinstance(remote, HubWord):
        return remote.file or ""
    return remote.name if remote else word


def _local(word: str) -> Located:
    path = Path(word)
    if is_archive(path):
        return _archived(path, None)
    if parts := named_member(word):
        return _archived(*parts)
    found = Located(FileWeights(path), document=lambda name: file_in(path.parent, name))
    projector = _projector_beside(path)
    return replace(
        found,
        projector=(lambda: projector) if projector else None,
        projector_name=projector.name if projector else None,
    )


def _projector_beside(path: Path) -> FileWeights | None:
    """The projector in the folder of a model, if one gives embeddings of the model's length."""
    names = [one.name for one in path.parent.glob("*mmproj*.gguf") if one != path]
    name = best_projector(names, path.name) if path.is_file() else None
    if name is None:
        return None
    projector = FileWeights(path.with_name(name))
    try:
        model, stated = FileWeights(path).header().metadata, projector.header().metadata
    except InputError:
        return None  # what is wrong with the model is said when it is read
    length = model.get(f"{model.get('general.architecture')}.embedding_length")
    dimensions = [stated.get(f"clip.{sense}.projection_dim") for sense in ("vision", "audio")]
    return projector if length is not None and length in dimensions else None


def _archived(path: Path, member: str | None) -> Located:
    weights, projector = find_weights(path, member)
    if projector is None:
        return Located(weights)
    return Located(weights, lambda: projector, projector.member)
