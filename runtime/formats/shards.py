"""Names of the files of a model in several: `NAME-00001-of-00003.gguf`, as llama.cpp has them.

Source: `llama_split_path` and `llama_split_prefix` in src/llama.cpp of llama.cpp v0.6.0, which
refuse a shard under another name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_NAME = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf", re.DOTALL)


@dataclass(frozen=True)
class ShardName:
    """What the name of a shard says."""

    stem: str
    number: int
    """From 1."""
    count: int
    """Number of shards."""

    @classmethod
    def of(cls, name: str) -> ShardName | None:
        """None: it is not the name of a shard."""
        match = _NAME.fullmatch(name)
        return cls(match["stem"], int(match["number"]), int(match["count"])) if match else None

    @property
    def model(self) -> tuple[str, int]:
        """What the names of all shards of one model, and of no other, have in common."""
        return self.stem, self.count


def shard_names(stem: str, count: int) -> list[str]:
    """The names of all shards of a model, in order."""
    return [f"{stem}-{number:05}-of-{count:05}.gguf" for number in range(1, count + 1)]


def model_stem(name: str) -> str:
    """The name of a model by that of one of its files: without `.gguf` and shard number."""
    shard = ShardName.of(name)
    return shard.stem if shard else name.removesuffix(".gguf")
