"""From the files that a user names to members and models: kinds, shards, names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from packer.bundle.contents import check_member_name
from packer.bundle.manifest import Model
from packer.io.sources import FileWeights, Source, WeightsSource
from runtime.errors import InputError
from runtime.formats.gguf_header import Header
from runtime.formats.model_facts import ADAPTER, MODEL, PROJECTOR, kind_of, model_facts, shard
from runtime.formats.weights import ShardName, model_stem, shard_names

_TITLES = {
    MODEL: "a model",
    ADAPTER: "an adapter (LoRA)",
    PROJECTOR: "a projector (mmproj)",
    "imatrix": "an importance matrix",
}
_TIPS = {
    MODEL: "Name it as MODEL.",
    ADAPTER: "Name it with `--lora`, with the model that it was trained for.",
    PROJECTOR: "Name it with `--mmproj`, with the model that it belongs to.",
    "imatrix": "Name it with `--imatrix`, with `--quant`.",
}


@dataclass
class Inputs:
    """The weights that go into a bundle."""

    sources: dict[str, Source] = field(default_factory=dict)
    """Contents by member name, in order."""
    models: list[Model] = field(default_factory=list)
    """The models among them, without LoRA adapters, projectors and draft models."""
    paths: list[Path] = field(default_factory=list)
    """Every file that is read."""

    def add_model(
        self,
        weights: WeightsSource,
        *,
        own_template: bool,
        merge: bool = False,
        served_as: str | None = None,
    ) -> str:
        """Add a model, with all its shards; returns the name of its first member.

        Args:
            own_template: whether a template in the bundle takes the place of the model's.
            merge: whether shards become one member.
            served_as: its name in the API, where several are served.

        Raises:
            InputError: it is not a complete model, or its name is taken.
        """
        if any(weights.same(known) for known in self._shards):
            return member_name(weights.name)  # the shell expanded `x-*.gguf` to all shards
        name, headers, size = self._add_all(weights, merge)
        facts = model_facts(headers, size)
        template = "member" if own_template else "gguf" if facts.chat_template else None
        self.models.append(Model(name, facts, template, served_as))
        return name

    def add_draft(self, weights: WeightsSource, *, merge: bool = False) -> tuple[str, Header]:
        """Add a draft model as `add_model` does; returns also its header."""
        name, headers, _ = self._add_all(weights, merge)
        return name, headers[0]

    def add_file(self, weights: WeightsSource, kind: str) -> str:
        """Add a LoRA adapter or a projector; returns the name of its member.

        Args:
            kind: what it must be, as in `general.type`.

        Raises:
            InputError: it is not a GGUF of this kind, or its name is taken.
        """
        _check_kind(weights, weights.header(), kind)
        return self._add(weights, member_name(weights.name), weights.source())

    def use_own_template(self) -> None:
        """Note that a template in the bundle takes the place of the models' own."""
        self.models = [replace(model, chat_template="member") for model in self.models]

    def weights_of(self, name: str) -> WeightsSource:
        """The file that the member `name` is read from; the first one of a model in shards."""
        return self._from[name]

    def _add_all(self, weights: WeightsSource, merge: bool) -> tuple[str, list[Header], int]:
        """Add a model's files; returns the first member's name, the headers, and bytes of all."""
        header = weights.header()
        _check_kind(weights, header, MODEL)
        files = _shards(weights, header)
        headers = [header, *(other.header() for other in files[1:])]
        if len(files) > 1:
            _check_shards(files, headers)
            self._shards += files[1:]
        if merge and len(files) > 1:
            names = [self._add(weights, f"{bundle_stem(weights)}.gguf", _merged(files, headers))]
            self.paths += [file.path for file in files[1:]]
        else:
            names = [self._add(file, member_name(file.name), file.source()) for file in files]
        return names[0], headers, sum(self.sources[name].size for name in names)

    def _add(self, weights: WeightsSource, name: str, source: Source) -> str:
        if name in self.sources:
            raise InputError(
                f"two inputs would be member {name}: {self._from[name]} and {weights}",
                "Give one of them another file name.",
            )
        self.sources[name] = source
        self._from[name] = weights
        self.paths.append(weights.path)
        return name

    _shards: list[WeightsSource] = field(default_factory=list)
    _from: dict[str, WeightsSource] = field(default_factory=dict)


def _check_kind(weights: WeightsSource, header: Header, wanted: str) -> None:
    """Refuse weights in the place of others: the engine would too, but only at a user's start."""
    kind = kind_of(header)
    # Engines load a file of an unknown kind as a model.
    if kind == wanted or (wanted == MODEL and kind not in _TITLES):
        return
    found = _TITLES.get(kind, f"of kind {kind}")
    raise InputError(
        f"{weights} is {found}, not {_TITLES[wanted]}",
        _TIPS.get(kind, "Examine it with `llamapack inspect`."),
    )


def member_name(file: str) -> str:
    """The name of a GGUF in a bundle, always with the ending `.gguf`. Raises InputError if a member
    cannot have such a name."""
    ending = Path(file).suffix
    name = file.removesuffix(ending if ending.lower() == ".gguf" else "") + ".gguf"
    return check_member_name(name)


def bundle_stem(weights: WeightsSource) -> str:
    """The name of a bundle made from `weights`: without `.gguf` and shard number."""
    return model_stem(member_name(weights.name))


def _shards(weights: WeightsSource, header: Header) -> list[WeightsSource]:
    """All files of the model whose first shard is `weights`."""
    own = shard(header)
    if own is None:
        return [weights]
    named = ShardName.of(weights.name)
    if not named or (named.number, named.count) != (own.number + 1, own.count):
        raise InputError(
            f"{weights} is shard {own.number + 1} of {own.count} but its name does not say so",
            f"Rename it to `NAME-{own.number + 1:05}-of-{own.count:05}.gguf`.",
        )
    names = shard_names(named.stem, own.count)
    if own.number:
        raise InputError(
            f"{weights} is shard {own.number + 1} of {own.count}",
            f"Name the first one: `{names[0]}`.",
        )
    found = {name: weights.beside(name) for name in names[1:]}
    if missing := [name for name, file in found.items() if file is None]:
        more = f" (and {len(missing) - 1} more)" if missing[1:] else ""
        raise InputError(
            f"{weights} has {own.count} shards, but {missing[0]}{more} is missing",
            f"Put all shards into {weights.path.parent}.",
        )
    return [weights, *(file for file in found.values() if file)]


def _merged(files: Sequence[WeightsSource], headers: Sequence[Header]) -> Source:
    from packer.weights.merge import merged

    if not all(isinstance(file, FileWeights) for file in files):
        raise InputError(
            f"{files[0]}: shards in an archive cannot be merged", "Unpack them first, with `7z x`."
        )
    return merged([file.path for file in files], headers)


def _check_shards(files: Sequence[WeightsSource], headers: Sequence[Header]) -> None:
    first = shard(headers[0])
    assert first
    for number, (file, header) in enumerate(zip(files, headers, strict=True)):
        own = shard(header)
        if own is None or (own.number, own.count) != (number, first.count):
            raise InputError(
                f"{file} states that it is not shard {number + 1} of {first.count}",
                "Download all shards from the same place.",
            )
    tensors = sum(len(header.tensors) for header in headers)
    if first.tensors is not None and tensors != first.tensors:
        raise InputError(
            f"the shards of {files[0]} contain {tensors} tensors, not {first.tensors}",
            "Download all shards from the same place.",
        )
