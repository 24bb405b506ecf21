"""What comes before the weights: front, engines, GPU modules and sources, web UI."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from packer.bundle import manifest
from packer.engines.deflated import Packed, PackedEngine, add
from packer.engines.front import Front
from packer.io.copy import Destination
from packer.zip.writer import ZipWriter


@dataclass(frozen=True)
class Head:
    """A front, the engines, and the members that engines use."""

    front: Front
    engines: Sequence[PackedEngine]
    others: Sequence[Packed]
    """GPU modules and sources, web UI, in the order of the file."""

    @property
    def copied(self) -> list[Packed]:
        """What comes from the build cache, in the order of the file."""
        return [*(engine.packed for engine in self.engines), *self.others]

    @property
    def stated(self) -> dict[str, Any]:
        """What the manifest states about it."""
        engines = {packed.engine: packed.release for packed in self.engines}
        return {
            "engines": manifest.engine_entries(engines),
            "front": manifest.front_entry(self.front),
        }

    def write(self, destination: Destination, epoch: int) -> ZipWriter:
        """Write it, and hand over the archive to go on with."""
        destination.write(self.front.data)
        archive = ZipWriter(destination, epoch)
        for packed in self.copied:
            for member, content in packed.members():
                add(archive, packed, member, content)
        return archive
