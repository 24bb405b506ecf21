"""Checkpoints in folders and in repositories of the Hub."""

from __future__ import annotations

from pathlib import Path

from packer.convert.checkpoint import ADAPTER_CONFIG, CONFIG, Checkpoint, read_config
from packer.convert.formats import check_file, no_checkpoint
from packer.weights.downloads import Downloads
from runtime.errors import InputError
from runtime.hub.words import HubWord, WebWord, parsed

_BASE = "Name the folder of that model, or `hf:ORG/REPO`, with `llamapack convert --base`."


def checkpoint_of(word: str, downloads: Downloads) -> Checkpoint:
    """The checkpoint that `word` names, fetched if it is not here.

    Raises:
        InputError: it names none, or it cannot be had.
    """
    remote = parsed(word, downloads.settings.endpoint)
    if isinstance(remote, HubWord) and not remote.file and not remote.quantization:
        return from_hub(remote, downloads)
    if isinstance(remote, HubWord | WebWord):
        raise InputError(
            f"{word} names one file, but a checkpoint is a folder",
            "Name the repository: `hf:ORG/REPO`.",
        )
    path = Path(word)
    if path.is_file():
        check_file(word)
        raise InputError(f"{word} is not a folder", "Name the folder that `transformers` saved.")
    return Checkpoint.open(path)


def from_hub(word: HubWord, downloads: Downloads) -> Checkpoint:
    """The checkpoint in a repository, fetched into the Hub's cache.

    Raises:
        InputError: there is none, or it cannot be had.
    """
    from runtime.hub.hub import NoGguf

    hub = downloads.hub()
    try:
        model = hub.checkpoint(word)
    except NoGguf as problem:
        raise no_checkpoint(str(word), problem.files) from None
    config = hub.path(model, ADAPTER_CONFIG if ADAPTER_CONFIG in model.files else CONFIG)
    downloads.finish()
    read_config(config, str(word))  # Its refusal must not come after gigabytes.
    model = hub.fetched(model)
    downloads.finish()
    config = hub.path(model, config.name)
    return Checkpoint.open(config.parent, word.repo.partition("/")[2])


def find_base(checkpoint: Checkpoint, downloads: Downloads, word: str | None = None) -> Path:
    """The folder with the configuration of an adapter's model.

    Args:
        word: a folder or `hf:ORG/REPO`; None: what the adapter states.

    Raises:
        InputError: it is not known, or cannot be had.
    """
    stated = checkpoint.config.get("base_model_name_or_path")
    name = word or (stated if isinstance(stated, str) else "")
    if not name:
        raise InputError(f"the adapter {checkpoint.folder} does not name its model", _BASE)
    if (Path(name) / CONFIG).is_file():
        return Path(name)
    try:
        remote = parsed(
            name if name.startswith("hf:") else f"hf:{name}", downloads.settings.endpoint
        )
        assert isinstance(remote, HubWord)
        hub = downloads.hub()
        return hub.path(hub.one(remote, CONFIG), CONFIG).parent
    except InputError as problem:
        raise InputError(
            f"the model of the adapter {checkpoint.folder} is missing: {problem.message}",
            _BASE,
        ) from None
    finally:
        downloads.finish()
