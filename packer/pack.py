"""Puts a bundle together: front, engines, GPU modules, web UI, weights, small members, directory.

Reads like docs/bundle-format.md, top to bottom. Knows neither file system nor command line.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from packer import manifest
from packer.archives.deflated import Packed, add
from packer.archives.engine import PackedEngine
from packer.copy import Destination
from packer.digest import Digest
from packer.foreign.runtime import Runtime
from packer.front import Front
from packer.gpu.archive import PackedModule
from packer.manifest import Model
from packer.progress import Advance
from packer.sources import Checked, Source
from packer.zip_writer import Record, ZipWriter
from runtime.bundle import ARGS, MANIFEST, MODELS, TEMPLATE

ALIGNMENT = 65536
"""Bytes; weights begin on multiples of it. No system has larger pages or mapping units."""

_OVERHEAD = 1 << 20  # bytes that headers, directory, manifest and small members take at most
_PER_MEMBER = 4096  # likewise, for each member


@dataclass(frozen=True)
class Plan:
    """Everything that goes into one bundle."""

    name: str
    front: Front
    engines: Sequence[PackedEngine]
    gpu_modules: Sequence[PackedModule]
    shared: Sequence[Packed]
    """What all engines use: GPU sources, web UI."""
    weights: Mapping[str, Source]
    """By member name, in the order in which they are to lie."""
    models: Sequence[Model]
    chat_template: bytes | None
    """Jinja text in UTF-8."""
    args: str
    """Text of `.args`."""
    epoch: int
    """Time stamp of every member, seconds since 1970 UTC."""
    models_preset: str | None = None
    """Text of `models.ini`, where several models are served."""
    files: Mapping[str, Source] = field(default_factory=dict)
    """Other small members: model card, licences, what the user adds. By name, in their order."""
    card: Mapping[str, Any] = field(default_factory=dict)
    """What the manifest states for the model card."""
    runtime: Runtime | None = None
    """A program of others in place of front and engines; the file then has no manifest."""

    @property
    def targets(self) -> list[str]:
        """What it has engines for."""
        if self.runtime:
            return [*self.runtime.systems] or ["systems that its head does not name"]
        inside = [packed.engine.target for packed in self.engines]
        return inside or [self.front.program or ""]

    @property
    def names(self) -> set[str]:
        """Of the members that are not copied from the build cache."""
        texts = {TEMPLATE: self.chat_template, MODELS: self.models_preset, ARGS: self.args}
        given = [name for name, text in texts.items() if text is not None]
        return {*self.weights, *self.files, *given}

    @property
    def copied(self) -> list[Packed]:
        """What is copied from the build cache, in the order of the file."""
        engines = [engine.packed for engine in self.engines]
        return [*engines, *(module.packed for module in self.gpu_modules), *self.shared]

    @property
    def work(self) -> int:
        """Bytes of weights to copy."""
        return sum(source.size for source in self.weights.values())

    @property
    def size_limit(self) -> int:
        """Bytes that the bundle will not exceed."""
        packed = sum(one.compressed_size for one in self.copied)
        members = sum(one.count for one in self.copied)
        small = len(self.chat_template or b"") + len(self.models_preset or "") + len(self.args) * 4
        small += len(str(self.card)) * 8
        for source in self.files.values():
            small += source.size + (source.size >> 10) + _PER_MEMBER
        padding = len(self.weights) * (ALIGNMENT * 2 + _PER_MEMBER)
        if self.runtime:
            small += self.runtime.size + len(self.runtime.members) * _PER_MEMBER
        fixed = len(self.front.data) + small + _OVERHEAD + members * _PER_MEMBER
        return self.work + packed + padding + fixed


def pack(
    plan: Plan,
    destination: Destination,
    advance: Advance,
    present: Mapping[str, Digest] = MappingProxyType({}),
) -> list[Record]:
    """Write the bundle.

    Args:
        advance: told about the weights' bytes as they are copied.
        present: digests of weights that lie in their places already.

    Returns:
        A record of every member, in the order of the file.
    """
    if plan.runtime:
        archive = plan.runtime.begin(destination, plan.epoch, plan.names)
    else:
        archive = begin(plan.front, plan.copied, destination, plan.epoch)
    for name, source in plan.weights.items():
        if name in present:
            archive.add_in_place(name, present[name], alignment=ALIGNMENT)
            continue
        with source.open() as file:
            record = archive.add_stored(
                name, file, source.size, alignment=ALIGNMENT, sparse=source.sparse, advance=advance
            )
        _check(source, record)
    if plan.chat_template is not None:
        archive.add_bytes(TEMPLATE, plan.chat_template, deflate=True)
    if plan.models_preset is not None:
        archive.add_bytes(MODELS, plan.models_preset.encode(), deflate=True)
    for name, source in plan.files.items():
        with source.open() as file:
            _check(source, archive.add_deflated(name, file, source.size))
    archive.add_bytes(ARGS, plan.args.encode(), deflate=False)
    if not plan.runtime:
        archive.add_bytes(MANIFEST, _manifest(plan, archive), deflate=True)
    archive.close()
    return archive.records


def _manifest(plan: Plan, archive: ZipWriter) -> bytes:
    engines = {packed.engine: packed.release for packed in plan.engines}
    return manifest.make(
        plan.name, plan.front, engines, plan.models, archive.records, card=plan.card
    )


def _check(source: Source, record: Record) -> None:
    if isinstance(source, Checked):
        source.check(record.digest)


def begin(
    front: Front, copied: Iterable[Packed], destination: Destination, epoch: int
) -> ZipWriter:
    """Write what stands in front of the weights, and hand over the archive to go on with."""
    destination.write(front.data)
    archive = ZipWriter(destination, epoch)
    for packed in copied:
        for member, content in packed.members():
            add(archive, packed, member, content)
    return archive
