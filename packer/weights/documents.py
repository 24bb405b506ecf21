"""Files in a bundle other than weights: documents about the model, and the files of `--add`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from packer.bundle.contents import check_member_name
from packer.engines.license_files import license_files
from packer.io.sources import FileSource, Source
from packer.weights.archives import ZippedSource, named_member
from runtime.errors import InputError, shell_word
from runtime.formats.bundle import Bundle
from runtime.formats.gguf_header import Header
from runtime.formats.json_input import MALFORMED, parse_json
from runtime.formats.user_text import decoded

if TYPE_CHECKING:
    from runtime.hub.hub import Hub, HubModel

_CARD, _GENERATION, _MODULES = "README.md", "generation_config.json", "modules.json"
_POOLING = re.compile(r"\d+_\w+")
# sentence-transformers 5.2, models/Pooling.py: a flag for each mode, or `pooling_mode`.
_MODES = {
    "pooling_mode_mean_tokens": "mean", "pooling_mode_cls_token": "cls",
    "pooling_mode_lasttoken": "last", "pooling_mode_mean": "mean", "pooling_mode_cls": "cls",
}  # fmt: skip
_LIMIT = 1 << 20  # bytes; the longest licences and cards have a tenth


@dataclass(frozen=True)
class SmallFile:
    """A document in memory."""

    name: str
    """Its file name."""
    data: bytes
    origin: str
    """Its name in messages."""

    @property
    def text(self) -> str:
        """Its contents. Raises InputError if they are not text."""
        try:
            return decoded(self.data)
        except UnicodeDecodeError:
            raise InputError(f"{self.origin} is not UTF-8 text", "Save it as UTF-8.") from None


@dataclass(frozen=True)
class Documents:
    """The documents of one repository."""

    repo: str
    """`ORG/NAME`."""
    page: str
    """Its address."""
    gated: bool
    card: SmallFile | None
    licenses: list[SmallFile] = field(default_factory=list)
    generation: Mapping[str, Any] = field(default_factory=dict)
    """Contents of `generation_config.json`."""


def small_file(word: str) -> SmallFile:
    """The file, or `ARCHIVE:MEMBER`, that `word` names. Raises InputError if there is no such file,
    or it is larger than 1 MiB."""
    parts = named_member(word)
    if parts is None:
        return _from_disk(Path(word), word)
    path, member = parts
    with Bundle.open(path, old_names=True) as archive:
        found = archive.members.get(member)
        _check_size(found.size if found else 0, word)
        return SmallFile(PurePosixPath(member).name, archive.read(member), word)


def documents_of(hub: Hub, model: HubModel) -> Documents:
    """Download the documents of a repository, as far as it has them. Raises InputError if one of
    them cannot be downloaded, or is not a document."""
    generation = hub_file(hub, model, _GENERATION)
    licenses = [hub_file(hub, model, file) for file in license_files(model.listing.files)]
    return Documents(
        repo=model.word.repo,
        page=hub.page(model.word),
        gated=model.listing.gated,
        card=hub_file(hub, model, _CARD),
        licenses=[file for file in licenses if file],
        generation=_object(generation) if generation else {},
    )


def hub_file(hub: Hub, model: HubModel, file: str) -> SmallFile | None:
    """Download a document of a repository; None if it has none of this name. Raises InputError as
    `documents_of`."""
    if file not in model.listing.files:
        return None
    origin = f"hf:{model.word.repo}/{file}"
    size = model.listing.files[file].size
    if size is None and not hub.here(model, file):
        raise InputError(f"the Hub does not state the size of {origin}", "Check HF_ENDPOINT.")
    _check_size(size or 0, origin)  # before gigabytes come
    return _from_disk(hub.path(model, file), origin)


def file_in(folder: Path, name: str) -> SmallFile | None:
    """The document of this name in a folder, if there is one. Raises InputError if it is larger
    than 1 MiB."""
    path = folder / name
    return _from_disk(path, str(path)) if path.is_file() else None


def stated_pooling(document: Callable[[str], SmallFile | None], header: Header) -> str | None:
    """How sentence-transformers pools with a model, as a value of `--pooling`; None if its files
    are missing, cannot be read, or are of another model.

    Args:
        document: gets a file from the folder of the model.
    """
    try:
        modules = document(_MODULES)
        found = parse_json(modules.data) if modules else []
        paths = [one["path"] for one in found if one["type"].endswith("Pooling")]
        path = next((path for path in paths if _POOLING.fullmatch(path)), None)
        settings = document(f"{path}/config.json") if path else None
    except (InputError, *MALFORMED):
        return None
    if settings is None:
        return None
    stated = _object(settings)
    length = header.metadata.get(f"{header.metadata.get('general.architecture')}.embedding_length")
    if stated.get("word_embedding_dimension", length) != length:
        return None
    modes = [mode for key, mode in _MODES.items() if stated.get(key) is True]
    return next(iter(modes), _MODES.get(f"pooling_mode_{stated.get('pooling_mode')}"))


def extra_files(words: Iterable[str]) -> dict[str, Source]:
    """The files of `--add`, or `ARCHIVE:MEMBER`, by member name. Raises InputError if one does not
    exist, or cannot be a member under its name."""
    found: dict[str, Source] = {}
    for word in words:
        parts = named_member(word)
        source = _zipped(*parts) if parts else FileSource.of(Path(word))
        name = check_member_name(PurePosixPath(parts[1]).name if parts else Path(word).name)
        if name.lower().endswith(".gguf"):
            raise InputError(
                f"{word} are weights",
                "Name it as MODEL, or with `--mmproj`, `--lora` or `--draft`.",
            )
        if name in found:
            raise InputError(f"two files would be member {name}", "Rename one of them.")
        found[name] = source
    return found


def _zipped(path: Path, member: str) -> Source:
    with Bundle.open(path, old_names=True) as archive:
        if member not in archive.members:
            raise InputError(
                f"{path} has no member {member}", f"`llamapack ls {shell_word(path)}` lists them."
            )
        return ZippedSource(path, archive.members[member])


def _from_disk(path: Path, origin: str) -> SmallFile:
    _check_size(FileSource.of(path).size, origin)
    return SmallFile(PurePosixPath(origin).name, path.read_bytes(), origin)


def _check_size(size: int, origin: str) -> None:
    if size > _LIMIT:
        raise InputError(f"{origin} has more than 1 MiB", "Give a document, not weights.")


def _object(file: SmallFile) -> dict[str, Any]:
    """Its contents; empty if it is not a JSON object, since only its author could fix it."""
    try:
        found = parse_json(file.data)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
