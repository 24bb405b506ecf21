"""Writes the contents of a bundle: new, in place, or as a changed copy."""

from __future__ import annotations

from collections.abc import Callable

from packer.bundle import manifest
from packer.bundle.contents import Contents
from packer.io.digest import Digest
from packer.io.progress import Advance
from packer.io.sources import Checked, Source
from packer.zip.writer import ZipWriter
from runtime.formats.bundle import ARGS, MANIFEST
from runtime.formats.zip_directory import Member

ALIGNMENT = 65536
"""Bytes; weights begin on multiples of it. No system has larger pages or mapping units."""

Keep = Callable[[Member], object]
"""Brings a member of the present file into the archive."""


def _nothing_to_keep(member: Member) -> None:
    raise ValueError(f"{member.name} is not in an existing file")


def write(
    contents: Contents, archive: ZipWriter, advance: Advance, keep: Keep = _nothing_to_keep
) -> None:
    """Write all members that the archive does not list yet, manifest, directory and end.

    Args:
        advance: told about the bytes of new weights as they are copied.
    """
    listed = {record.name for record in archive.records}
    for name, content in contents.ordered.items():
        if name in listed:
            continue
        if isinstance(content, Member):
            keep(content)
        elif isinstance(content, Digest):
            archive.add_in_place(name, content, alignment=ALIGNMENT)
        elif isinstance(content, bytes):
            archive.add_bytes(name, content, deflate=name != ARGS)
        else:
            _add_source(archive, name, content, advance if name in contents.weights else None)
    if contents.manifest is not None:
        text = manifest.encode(contents.manifest, archive.records)
        archive.add_bytes(MANIFEST, text, deflate=True)
    archive.close()


def _add_source(archive: ZipWriter, name: str, source: Source, weights: Advance | None) -> None:
    with source.open() as file:
        if weights:
            record = archive.add_stored(
                name, file, source.size,
                alignment=ALIGNMENT, sparse=source.sparse, advance=weights,
            )  # fmt: skip
        else:
            record = archive.add_deflated(name, file, source.size)
    if isinstance(source, Checked):
        source.check(record.digest)
