"""From the files that a user names to members and models: shards, names, completeness."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from packer.manifest import Model
from packer.sources import FileSource
from runtime.bundle import ARGS, MANIFEST, TEMPLATE
from runtime.errors import InputError
from runtime.gguf_header import Header, read_header_of
from runtime.model_facts import model_facts, shard

_SHARD = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf")
_RESERVED = {ARGS, MANIFEST, TEMPLATE}


@dataclass
class Inputs:
    """The weights that go into a bundle."""

    sources: dict[str, FileSource] = field(default_factory=dict)
    """Files by member name, in order."""
    models: list[Model] = field(default_factory=list)
    """The models among them; LoRA adapters and projectors are none."""
    paths: list[Path] = field(default_factory=list)
    """Every file that is read."""

    def add_model(self, path: Path, *, own_template: bool) -> str:
        """Add the model in `path`, with all its shards; returns the name of its first member.

        Args:
            own_template: whether a template in the bundle takes the place of the model's.

        Raises:
            InputError: it is not a whole model, or its name is taken.
        """
        if any(path.exists() and path.samefile(known) for known in self._shards):
            return member_name(path)  # the shell expanded `x-*.gguf` to all shards
        header = read_header_of(path)
        files = _shard_paths(path, header)
        headers = [header, *(read_header_of(other) for other in files[1:])]
        if len(files) > 1:
            _check_shards(files, headers)
            self._shards += files[1:]
        names = [self._add(file) for file in files]
        facts = model_facts(headers, sum(self.sources[name].size for name in names))
        template = "member" if own_template else "gguf" if facts.chat_template else None
        self.models.append(Model(names[0], facts, template))
        return names[0]

    def add_file(self, path: Path) -> str:
        """Add a LoRA adapter or a projector; returns the name of its member.

        Raises:
            InputError: it is no GGUF, or its name is taken.
        """
        read_header_of(path)
        return self._add(path)

    def _add(self, path: Path) -> str:
        name = member_name(path)
        if name in self.sources:
            raise InputError(
                f"two inputs would be member {name}: {self.sources[name].path} and {path}",
                "Give one of them another file name.",
            )
        self.sources[name] = FileSource.of(path)
        self.paths.append(path)
        return name

    _shards: list[Path] = field(default_factory=list)


def member_name(path: Path) -> str:
    """The name that the GGUF at `path` has in a bundle: always with the ending `.gguf`.

    Raises:
        InputError: the name cannot be that of a member.
    """
    name = path.name if path.suffix.lower() == ".gguf" else f"{path.name}.gguf"
    if path.suffix != ".gguf" and path.suffix.lower() == ".gguf":
        name = f"{path.stem}.gguf"
    try:
        name.encode()
    except UnicodeEncodeError:
        raise _bad_name(name.encode(errors="replace").decode()) from None
    if name in _RESERVED or "\\" in name or not name.isprintable():
        raise _bad_name(name)
    return name


def bundle_stem(path: Path) -> str:
    """The name of a bundle made from `path`: its file name without `.gguf` and shard number."""
    name = member_name(path)
    shards = _SHARD.fullmatch(name)
    return shards["stem"] if shards else name.removesuffix(".gguf")


def _bad_name(name: str) -> InputError:
    return InputError(f"{name!r} cannot be the name of a member", "Rename the file.")


def _shard_paths(path: Path, header: Header) -> list[Path]:
    """All files of the model whose first shard is `path`."""
    own = shard(header)
    if own is None:
        return [path]
    match = _SHARD.fullmatch(path.name)
    if not match or int(match["count"]) != own.count or int(match["number"]) != own.number + 1:
        raise InputError(
            f"{path} is shard {own.number + 1} of {own.count} but not named so",
            f"Rename it to `NAME-{own.number + 1:05}-of-{own.count:05}.gguf`.",
        )
    names = [f"{match['stem']}-{n:05}-of-{own.count:05}.gguf" for n in range(1, own.count + 1)]
    if own.number:
        raise InputError(
            f"{path} is shard {own.number + 1} of {own.count}", f"Give the first one: `{names[0]}`."
        )
    files = [path.with_name(name) for name in names]
    missing = [file.name for file in files if not file.exists()]
    if missing:
        raise InputError(
            f"{path} has {own.count} shards, and there is no {_listed(missing)}",
            f"Put all shards into {path.parent}.",
        )
    return files


def _check_shards(files: Sequence[Path], headers: Sequence[Header]) -> None:
    first = shard(headers[0])
    assert first
    for number, (file, header) in enumerate(zip(files, headers, strict=True)):
        own = shard(header)
        if own is None or (own.number, own.count) != (number, first.count):
            raise InputError(
                f"{file} says it is not shard {number + 1} of {first.count}",
                "Fetch all shards from the same place.",
            )
    tensors = sum(len(header.tensors) for header in headers)
    if first.tensors is not None and tensors != first.tensors:
        raise InputError(
            f"the shards of {files[0]} hold {tensors} tensors, not {first.tensors}",
            "Fetch all shards from the same place.",
        )


def _listed(names: Iterable[str]) -> str:
    some = list(names)
    return some[0] if len(some) == 1 else f"{some[0]} (and {len(some) - 1} more)"
