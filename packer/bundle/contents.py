"""What a bundle contains, and the one function that writes it.

The order of members depends on the contents alone, not on the command that writes them, so that
`pack` with options and `pack` followed by `edit` give the same bytes: docs/bundle-format.md,
Members.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

from packer.bundle import manifest
from packer.engines.deflated import Packed, PackedEngine, add
from packer.engines.front import Front
from packer.io.console import Advance
from packer.io.copy import Destination
from packer.io.digest import Digest
from packer.io.sources import Checked, Source
from packer.zip.writer import ZipWriter
from runtime.errors import InputError
from runtime.formats.bundle import ARGS, MANIFEST, MODELS, TEMPLATE
from runtime.formats.zip_directory import Member

# Members that llamapack writes itself.
_WAYS = {
    ARGS: "Use `--args-file`.",
    TEMPLATE: "Use `--chat-template`.",
    MANIFEST: "Rename the file.",
}


def check_member_name(name: str) -> str:
    """`name`, if a file of the user can be a member under it: a file name on every system. Raises
    InputError if not."""
    if name in _WAYS:
        raise InputError(f"{name} cannot be added under this name", _WAYS[name])
    if not _is_file_name(name):
        raise InputError(f"{name!r} cannot be the name of a member", "Rename the file.")
    return name


def check_bundle_name(name: str) -> str:
    """`name`, if it can be in a list, a card's title and a file name. Raises InputError if not."""
    if not name.strip() or not _is_file_name(name):
        raise InputError(
            f"{name!r} cannot be the name of a bundle",
            "Use letters, digits and other characters of file names.",
        )
    return name


def _is_file_name(name: str) -> bool:
    return name not in ("", ".", "..") and name.isprintable() and not {"/", "\\"} & set(name)


LARGE = 1 << 20
"""Bytes. Larger files follow the weights directly, so that a change of small ones moves none."""

Weight: TypeAlias = Source | Member | Digest
"""A new GGUF, one of the present file, or the digest of one whose bytes are in place already."""

Other: TypeAlias = Source | Member | bytes  # a new file, a member of the present file, or a text

_RANKS = {TEMPLATE: 1, MODELS: 2, ARGS: 4}
_LARGE, _SMALL = 0, 3


@dataclass(frozen=True)
class Contents:
    """All members but those of the head, by name."""

    weights: Mapping[str, Weight]  # in the order of the file
    others: Mapping[str, Other]
    manifest: Mapping[str, Any] | None
    """All that it states but the members; None: the file is to have none."""

    @cached_property
    def ordered(self) -> Mapping[str, Weight | Other]:
        """Weights and others in the order of the file."""
        return {**self.weights, **dict(sorted(self.others.items(), key=_place))}

    @property
    def new_weights(self) -> int:
        """Bytes of weights that the present file does not have."""
        return sum(one.size for one in self.weights.values() if not isinstance(one, Member))


def _place(item: tuple[str, Weight | Other]) -> tuple[int, str]:
    name, content = item
    size = len(content) if isinstance(content, bytes) else content.size
    return _RANKS.get(name, _LARGE if size >= LARGE else _SMALL), name


@dataclass(frozen=True)
class Head:
    """A front, the engines, and the members that engines use."""

    front: Front
    engines: Sequence[PackedEngine]
    others: Sequence[Packed]  # GPU modules and sources, web UI, in the order of the file

    @property
    def copied(self) -> list[Packed]:
        """The members from the build cache, in the order of the file."""
        return [*(engine.packed for engine in self.engines), *self.others]

    @property
    def stated(self) -> dict[str, Any]:
        """Its facts for the manifest."""
        engines = {packed.engine: packed.release for packed in self.engines}
        return {
            "engines": manifest.engine_entries(engines),
            "front": manifest.front_entry(self.front),
        }

    def write(self, destination: Destination, epoch: int) -> ZipWriter:
        """Write it; the archive that continues it."""
        destination.write(self.front.data)
        archive = ZipWriter(destination, epoch)
        for name, stub in self.front.stubs.items():
            archive.add_bytes(name, stub, deflate=True)
        for packed in self.copied:
            for member, content in packed.members():
                add(archive, packed, member, content)
        return archive


ALIGNMENT = 65536
"""Bytes; weights begin on multiples of it. No system has larger pages or mapping units."""

Keep = Callable[[Member], object]  # adds a member of the present file to the archive


def write(
    contents: Contents, archive: ZipWriter, advance: Advance, keep: Keep | None = None
) -> None:
    """Write all members that the archive does not list yet, manifest, directory and end."""
    listed = {record.name for record in archive.records}
    for name, content in contents.ordered.items():
        if name in listed:
            continue
        if isinstance(content, Member):
            assert keep, "a member of another file"
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
