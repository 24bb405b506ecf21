"""Puts a bundle together: front, engines, GPU modules, web UI, weights, small members, directory.

Reads like docs/bundle-format.md, top to bottom. Knows neither file system nor command line.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from packer import manifest
from packer.archives.deflated import Packed
from packer.archives.engine import PackedEngine
from packer.copy import Destination
from packer.front import Front
from packer.gpu.archive import PackedModule
from packer.manifest import Model
from packer.progress import Advance
from packer.sources import Checked, Source
from packer.zip_writer import Record, ZipWriter
from runtime.bundle import ARGS, MANIFEST, TEMPLATE

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

    @property
    def targets(self) -> list[str]:
        """What it has engines for."""
        inside = [packed.engine.target for packed in self.engines]
        return inside or [self.front.program or ""]

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
        small = len(self.chat_template or b"") + len(self.args) * 4
        padding = len(self.weights) * (ALIGNMENT * 2 + _PER_MEMBER)
        fixed = len(self.front.data) + small + _OVERHEAD + members * _PER_MEMBER
        return self.work + packed + padding + fixed


def pack(plan: Plan, destination: Destination, advance: Advance) -> list[Record]:
    """Write the bundle.

    Args:
        advance: told about the weights' bytes as they are copied.

    Returns:
        A record of every member, in the order of the file.
    """
    archive = begin(plan.front, plan.copied, destination, plan.epoch)
    for name, source in plan.weights.items():
        with source.open() as file:
            record = archive.add_stored(
                name, file, source.size, alignment=ALIGNMENT, sparse=source.sparse, advance=advance
            )
        if isinstance(source, Checked):
            source.check(record.digest)
    if plan.chat_template is not None:
        archive.add_bytes(TEMPLATE, plan.chat_template, deflate=True)
    archive.add_bytes(ARGS, plan.args.encode(), deflate=False)
    engines = {packed.engine: packed.release for packed in plan.engines}
    written = manifest.make(plan.name, plan.front, engines, plan.models, archive.records)
    archive.add_bytes(MANIFEST, written, deflate=True)
    archive.close()
    return archive.records


def begin(
    front: Front, copied: Iterable[Packed], destination: Destination, epoch: int
) -> ZipWriter:
    """Write what stands in front of the weights, and hand over the archive to go on with."""
    destination.write(front.data)
    archive = ZipWriter(destination, epoch)
    for packed in copied:
        _add(archive, packed)
    return archive


def _add(archive: ZipWriter, packed: Packed) -> None:
    """Add members in their deflated form."""
    for member, content in packed.members():
        archive.add_packed(
            member.name,
            packed.archive.raw(member),
            member.compressed_size,
            method=member.method,
            content=content,
            mode=member.mode & 0o777,
        )
