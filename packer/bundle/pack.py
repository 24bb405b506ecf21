"""The contents of one bundle that `pack` makes, without file system and command line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from packer.bundle import manifest
from packer.bundle.contents import ALIGNMENT, Contents, Head, write
from packer.bundle.manifest import Model
from packer.engines.deflated import (
    Packed,
    PackedEngine,
    packed_engine,
    packed_roots,
    packed_web_ui,
)
from packer.engines.front import Front
from packer.engines.gpu.archive import PackedModule, packed_module
from packer.engines.gpu.pins import Module
from packer.engines.gpu.sources import packed_sources
from packer.io.console import Advance
from packer.io.copy import Destination
from packer.io.digest import Digest
from packer.io.sources import Source
from packer.zip.writer import Record
from runtime.formats.bundle import ARGS, MODELS, TEMPLATE

if TYPE_CHECKING:
    from packer.engines.other_runtimes import Runtime

_OVERHEAD = 1 << 20  # bytes that headers, directory, manifest and small members take at most
_PER_MEMBER = 4096  # the same for each member


@dataclass(frozen=True)
class BundlePlan:
    """Everything that goes into one bundle."""

    name: str
    front: Front
    engines: Sequence[PackedEngine]
    gpu_modules: Sequence[PackedModule]
    shared: Sequence[Packed]  # what all engines use: GPU sources, web UI
    weights: Mapping[str, Source]  # by member name, in the order of the file
    models: Sequence[Model]
    chat_template: bytes | None  # Jinja text in UTF-8
    args: str  # text of `.args`
    epoch: int  # time stamp of every member, seconds since 1970 UTC
    models_preset: str | None = None  # text of `models.ini`, where several models are served
    files: Mapping[str, Source] = field(default_factory=dict)
    """Other small members: model card, licences, what the user adds. By name, in their order."""
    card: Mapping[str, Any] = field(default_factory=dict)
    """What the manifest states for the model card."""
    recipe: Mapping[str, Any] | None = None
    """What it records of the arguments that the bundle was packed with: packer/bundle/recipe.py."""
    runtime: Runtime | None = None
    """Another tool's program in place of front and engines; the file then has no manifest."""

    @property
    def targets(self) -> list[str]:
        """The targets of its engines."""
        if self.runtime:
            return [*self.runtime.systems] or ["systems that its head does not name"]
        inside = [packed.engine.target for packed in self.engines]
        return inside or [self.front.program or ""]

    def contents(self, present: Mapping[str, Digest] = MappingProxyType({})) -> Contents:
        """Everything after the head. `present`: digests of weights that are already in place."""
        texts = {
            TEMPLATE: self.chat_template,
            MODELS: None if self.models_preset is None else self.models_preset.encode(),
            ARGS: self.args.encode(),
        }
        facts = manifest.facts(self.name, self.models, self.card, self.recipe)
        stated = {**self.head.stated, **facts}
        return Contents(
            weights={**self.weights, **present},
            others={**self.files, **{n: text for n, text in texts.items() if text is not None}},
            manifest=None if self.runtime else stated,
        )

    @property
    def head(self) -> Head:
        """What comes before the weights, unless that is another tool's program."""
        gpu_modules = [module.packed for module in self.gpu_modules]
        return Head(self.front, self.engines, [*gpu_modules, *self.shared])

    @property
    def work(self) -> int:
        """Bytes of weights to copy."""
        return sum(source.size for source in self.weights.values())

    @property
    def size_limit(self) -> int:
        """Bytes that the bundle will not exceed."""
        packed = sum(one.compressed_size for one in self.head.copied)
        members = sum(one.count for one in self.head.copied)
        small = len(self.chat_template or b"") + len(self.models_preset or "") + len(self.args) * 4
        small += (len(str(self.card)) + len(str(self.recipe))) * 8
        for source in self.files.values():
            small += source.size + (source.size >> 10) + _PER_MEMBER
        padding = len(self.weights) * (ALIGNMENT * 2 + _PER_MEMBER)
        if self.runtime:
            small += self.runtime.size + len(self.runtime.members) * _PER_MEMBER
        small += sum(map(len, self.front.stubs.values()))
        fixed = len(self.front.data) + small + _OVERHEAD + members * _PER_MEMBER
        return self.work + packed + padding + fixed


def packed_runtime(
    stack: ExitStack,
    folders: Mapping[str, Path],
    modules: Iterable[tuple[Module, Path]],
    sources: Path | None,
    web_ui: Path,
) -> tuple[list[PackedEngine], list[PackedModule], list[Packed]]:
    """Engines by target, GPU modules, and what all engines share, from the build cache; open as
    long as `stack` is."""
    engines = [stack.enter_context(packed_engine(*item)) for item in folders.items()]
    gpu_modules = [stack.enter_context(packed_module(*item)) for item in modules]
    shared = [stack.enter_context(packed_sources(sources, folders))] if sources else []
    shared += map(stack.enter_context, (packed_web_ui(web_ui), packed_roots()))
    return engines, gpu_modules, shared


def pack(
    plan: BundlePlan,
    destination: Destination,
    advance: Advance,
    present: Mapping[str, Digest] = MappingProxyType({}),
) -> list[Record]:
    """Write the bundle; a record of every member, in the order of the file. `present`: digests of
    weights that are already in place."""
    contents = plan.contents(present)
    if plan.runtime:
        archive = plan.runtime.begin(destination, plan.epoch, contents.ordered.keys())
    else:
        archive = plan.head.write(destination, plan.epoch)
    write(contents, archive, advance)
    return archive.records
