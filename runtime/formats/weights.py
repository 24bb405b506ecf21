"""Finds the files of a model on disk or in a bundle, and their headers.

A model in several files is named `NAME-00001-of-00003.gguf` and so on (`llama_split_path` and
`llama_split_prefix` in src/llama.cpp of llama.cpp v0.6.0, which refuse a shard under another name).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from runtime.errors import InputError, shell_word
from runtime.formats.args_file import ZIP
from runtime.formats.bundle import Bundle
from runtime.formats.gguf_header import MAGIC, Header, read_header_of
from runtime.formats.model_facts import ModelFacts, model_facts, shard

_SHARD = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf", re.DOTALL)


@dataclass(frozen=True)
class ShardName:
    """The name of a shard, taken apart."""

    stem: str
    number: int
    """From 1."""
    count: int
    """Number of shards."""

    @classmethod
    def of(cls, name: str) -> ShardName | None:
        """None if it is not the name of a shard."""
        match = _SHARD.fullmatch(name)
        return cls(match["stem"], int(match["number"]), int(match["count"])) if match else None

    @property
    def model(self) -> tuple[str, int]:
        """Equal for all shards of one model, and only for these."""
        return self.stem, self.count


def shard_names(stem: str, count: int) -> list[str]:
    """The names of all shards, in order."""
    return [f"{stem}-{number:05}-of-{count:05}.gguf" for number in range(1, count + 1)]


def model_stem(name: str) -> str:
    """The name of a file without `.gguf` and shard number."""
    shard = ShardName.of(name)
    return shard.stem if shard else name.removesuffix(".gguf")


@dataclass(frozen=True)
class Weights:
    """A model's files."""

    name: str
    """Path of the first file, or the member's name with `/zip/` before it."""
    headers: Sequence[Header]
    """Of all its files, the first shard's first."""
    size: int
    """Bytes, of all of them."""

    @property
    def facts(self) -> ModelFacts:
        return model_facts(self.headers, self.size)


def is_gguf(path: Path) -> bool:
    """Whether a file begins as a GGUF does."""
    try:
        with path.open("rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except OSError:
        return False


def in_files(path: Path) -> Weights:
    """The model whose only or first file is at `path`; `InputError` if a shard is missing."""
    first = read_header_of(path)
    paths = [path.with_name(name) for name in _files(path.name, first)]
    for other in paths:
        if not other.exists():
            raise InputError(
                f"{other} is missing, a shard of {path.name}",
                "Put all shards into one folder, and name the first.",
            )
    headers = [first, *(read_header_of(other) for other in paths[1:])]
    return Weights(str(path), headers, sum(other.stat().st_size for other in paths))


def in_bundle(bundle: Bundle, name: str) -> Weights:
    """The model whose only or first file is the member `name`; `InputError` if one is missing."""
    if name not in bundle.members:
        raise InputError(
            f"{bundle.path} has no member {name}",
            f"`llamapack ls {shell_word(bundle.path)}` lists them.",
        )
    members = [bundle.members[name]]
    first = bundle.header(members[0])
    for other in _files(name, first)[1:]:
        if other not in bundle.members:
            raise InputError(
                f"{bundle.path} has no member {other}, which is a shard of {name}",
                "Pack it again with all shards in one folder.",
            )
        members.append(bundle.members[other])
    headers = [first, *(bundle.header(member) for member in members[1:])]
    return Weights(ZIP + name, headers, sum(member.size for member in members))


def _files(name: str, first: Header) -> list[str]:
    """The names of all files of a model, given its first."""
    place, named = shard(first), ShardName.of(name)
    if place is None or named is None:
        return [name]
    if place.count != named.count:  # upstream refuses it, too
        raise InputError(
            f"{name} states that it is one of {place.count:,} shards; its name says otherwise",
            "Restore its old name, or download it again.",
        )
    return shard_names(named.stem, place.count)
