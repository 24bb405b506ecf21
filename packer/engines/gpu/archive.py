"""GPU modules in the form that bundles hold them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from packer.engines import sums
from packer.engines.deflated import Packed, add_files, deflated
from packer.engines.gpu.pins import Module
from packer.zip.writer import ZipWriter
from runtime.formats.bundle import GPU


@dataclass(frozen=True)
class PackedModule:
    """A module, ready to be copied into a bundle."""

    module: Module
    packed: Packed


def archive_name(module: Module) -> str:
    """How the name of its deflated copy begins."""
    return f"gpu-{module.target}-{module.kind}"


@contextmanager
def packed_module(module: Module, folder: Path) -> Iterator[PackedModule]:
    """The module whose file and `SHA256SUMS` are in `folder`.

    Raises:
        InputError: a file is missing or not what `SHA256SUMS` says.
    """
    listing = sums.read(folder)
    prefix = f"{GPU}{module.target}/{module.kind}/"

    def write(archive: ZipWriter) -> None:
        add_files(archive, prefix, folder, listing)

    with deflated(archive_name(module), listing.id, write, folder) as archive:
        yield PackedModule(module, Packed(archive, listing.sums))
