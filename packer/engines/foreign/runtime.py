"""A program of others, such as a released llamafile, in front of weights of ours.

It is copied byte for byte, with its own members and their old directory in it; the new directory
lists those members as the old one does, but for what ours replace.
"""

from __future__ import annotations

import zipfile
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packer.ape.anatomy import take_apart
from packer.ape.description import machine, parts
from packer.engines.foreign.args import Dialect, dialect
from packer.engines.foreign.version import program_version
from packer.io.copy import Destination, copy
from packer.io.digest import Digest
from packer.zip.writer import Record, ZipWriter
from runtime.errors import InputError
from runtime.formats.bundle import MANIFEST, Bundle
from runtime.formats.zip_directory import Member, data_offset, read_directory
from runtime.machine.head import Kind

_PROGRAMS = (Kind.APE_WINDOWS, Kind.APE_UNIX, Kind.ELF, Kind.PE, Kind.MACHO)


@dataclass(frozen=True)
class Runtime:
    """A program, and the members that it has already."""

    path: Path
    size: int
    """Bytes."""
    kind: Kind
    systems: tuple[str, ...]
    """What its head says that it is for, such as `linux-x86_64` or `windows-x86_64`."""
    members: tuple[tuple[Member, int], ...]
    """Each with the offset of its data."""
    dialect: Dialect
    """How it reads its `.args`."""

    def begin(self, destination: Destination, epoch: int, replaced: Collection[str]) -> ZipWriter:
        """Copy the program, and hand over an archive that lists its members.

        Args:
            replaced: names of members that are added later, and so are not listed.
        """
        with self.path.open("rb") as file:
            copy(file, self.size, str(self.path), destination, advance=lambda _: None, sparse=False)
        archive = ZipWriter(destination, epoch)
        archive.records += [
            _record(member, place) for member, place in self.members if member.name not in replaced
        ]
        return archive


def read_runtime(path: Path) -> Runtime:
    """Look at the program at `path`.

    Raises:
        InputError: it is no program, a bundle of llamapack, or its archive cannot be kept.
    """
    anatomy = take_apart(path)
    if anatomy.kind not in _PROGRAMS:
        raise InputError(
            f"{path} is {anatomy.kind.value}, not a program that reads its own ZIP",
            "Give `--runtime` a llamafile, or another APE, ELF, PE or Mach-O program.",
        )
    members = _members(path)
    if any(member.name == MANIFEST for member, _ in members):
        raise InputError(
            f"{path} is a bundle of llamapack already",
            f"Add to it with `llamapack edit {path} --add FILE`, or pack without `--runtime`.",
        )
    systems = [f"linux-{machine(program)}" for program in anatomy.programs]
    if anatomy.image and anatomy.kind.is_ape:
        systems.append("windows-x86_64")
    systems += [one.target for one in anatomy.embedded if one.target]
    systems += [anatomy.native] if anatomy.native else []
    return Runtime(
        path=path,
        size=anatomy.size,
        kind=anatomy.kind,
        systems=tuple(dict.fromkeys(systems)),
        members=members,
        dialect=dialect(program_version(path, (member for member, _ in members), anatomy.size)),
    )


def runtime_facts(bundle: Bundle) -> dict[str, Any]:
    """What `inspect` says of the program in a file that llamapack did not make: JSON values."""
    version = program_version(bundle.path, bundle.members.values(), bundle.size)
    return {**parts(take_apart(bundle.path)), "version": version}


def _members(path: Path) -> tuple[tuple[Member, int], ...]:
    with path.open("rb") as file:
        try:
            directory = read_directory(file, str(path))
        except InputError as problem:
            _refuse_unread_archive(path, problem)
            return ()
        return tuple(
            (member, data_offset(file, member, str(path))) for member in directory.members.values()
        )


def _refuse_unread_archive(path: Path, problem: InputError) -> None:
    """A ZIP that others read although we do not must not lose its members in silence.

    Raises:
        InputError: there is such an archive.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError):
        return
    if names:
        raise InputError(
            f"the ZIP of {path} does not count its offsets from the file's first byte "
            f"({problem.message})",
            f"Run `zip -A {path}` on a copy of it first.",
        )


def _record(member: Member, place: int) -> Record:
    content = Digest(member.size, member.crc32, "")
    return Record(
        member.name,
        member.method,
        content,
        member.compressed_size,
        member.header_offset,
        place,
        member.mode & 0o777,
        member.entry,
    )
