"""Puts a bundle together: front, engines, web UI, weights, small members, manifest, directory.

Reads like docs/bundle-format.md, top to bottom. Knows neither file system nor command line.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from packer import manifest
from packer.copy import Destination
from packer.engine_archive import PackedEngine
from packer.front import Front
from packer.manifest import Model
from packer.progress import Advance
from packer.sources import Source
from packer.web_ui_archive import PackedWebUi
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
    web_ui: PackedWebUi | None
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
    def work(self) -> int:
        """Bytes of weights to copy."""
        return sum(source.size for source in self.weights.values())

    @property
    def size_limit(self) -> int:
        """Bytes that the bundle will not exceed."""
        engines = sum(packed.engine.compressed_size for packed in self.engines)
        members = sum(packed.engine.files + 1 for packed in self.engines)
        if self.web_ui:
            engines += self.web_ui.compressed_size
            members += len(self.web_ui.archive.members)
        small = len(self.chat_template or b"") + len(self.args) * 4
        padding = len(self.weights) * (ALIGNMENT * 2 + _PER_MEMBER)
        fixed = len(self.front.data) + small + _OVERHEAD + members * _PER_MEMBER
        return self.work + engines + padding + fixed


def pack(plan: Plan, destination: Destination, advance: Advance) -> list[Record]:
    """Write the bundle.

    Args:
        advance: told about the weights' bytes as they are copied.

    Returns:
        A record of every member, in the order of the file.
    """
    archive = begin(plan.front, plan.engines, plan.web_ui, destination, plan.epoch)
    for name, source in plan.weights.items():
        with source.open() as file:
            archive.add_stored(
                name, file, source.size, alignment=ALIGNMENT, sparse=source.sparse, advance=advance
            )
    if plan.chat_template is not None:
        archive.add_bytes(TEMPLATE, plan.chat_template, deflate=True)
    archive.add_bytes(ARGS, plan.args.encode(), deflate=False)
    engines = {packed.engine: packed.release for packed in plan.engines}
    written = manifest.make(plan.name, plan.front, engines, plan.models, archive.records)
    archive.add_bytes(MANIFEST, written, deflate=True)
    archive.close()
    return archive.records


def begin(
    front: Front,
    engines: Sequence[PackedEngine],
    web_ui: PackedWebUi | None,
    destination: Destination,
    epoch: int,
) -> ZipWriter:
    """Write what stands in front of the weights, and hand over the archive to go on with."""
    destination.write(front.data)
    archive = ZipWriter(destination, epoch)
    for packed in engines:
        _add(archive, packed)
    if web_ui:
        _add(archive, web_ui)
    return archive


def _add(archive: ZipWriter, packed: PackedEngine | PackedWebUi) -> None:
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
