"""Makes the native program of one system out of an APE file, as Cosmopolitan's `assimilate` does.

In a bundle of llamapack, one of its start stubs replaces head and stubs. In another APE file, the
ELF header that its script prints replaces the first 64 bytes, or the Mach-O header that its script
copies replaces as many bytes as it has.
"""

from __future__ import annotations

import io
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from packer.ape import macho_rules
from packer.ape.anatomy import Anatomy, Embedded, take_apart
from packer.ape.description import machine
from packer.ape.elf_rules import SCANNED, printed
from packer.bundle.manifest import expected, expected_front, front_entry
from packer.edit.apply import apply
from packer.edit.edition import Edition, changed
from packer.edit.edits import hashes
from packer.edit.opened import held, opened
from packer.engines.front import Front
from packer.head import elf
from packer.head.windows_exe import LIMIT
from packer.io.copy import append_range
from packer.io.epoch import source_date_epoch
from packer.io.output import OutputFile, create, made_file
from runtime.errors import InputError
from runtime.formats.bundle import MANIFEST, Bundle
from runtime.machine.targets import stub_of

WINDOWS = "windows-x86_64"
_MACHINE = 18  # offset of e_machine
_COPY = "add `-o OUT`, which writes a new file and leaves the old one to its users"


def assimilate(path: Path, target: str, output: Path | None, *, force: bool = False) -> bool:
    """Make the native program for `target`, of the file itself or as `output`; whether its bytes
    differ from the APE file's, which is a Windows program already.

    Raises InputError if the file is not APE, has no such program, or must not be changed.
    """
    target = stub_of(target)
    anatomy = take_apart(path)
    _check(anatomy, target)
    if output is None:
        return _change(path, anatomy, target)
    made = made_file(output, force=force, inputs=[path], needed=anatomy.size)
    with made as temporary:
        with create(temporary) as new, io.FileIO(path) as old:
            copied = OutputFile(new)
            append_range(old, 0, anatomy.size, copied)
            copied.end()
        return _change(temporary, anatomy, target)


def _check(anatomy: Anatomy, target: str) -> None:
    has = programs(anatomy)
    if not anatomy.kind.is_ape:
        raise InputError(
            f"{anatomy.path} is {anatomy.kind.value}, not an APE file", "It needs no conversion."
        )
    if target not in has:
        raise InputError(
            f"{anatomy.path} has no program for {target}; it has: {', '.join(has) or 'none'}",
            "Name one of these with `--target`.",
        )
    if target == WINDOWS and anatomy.size >= LIMIT:
        raise InputError(
            f"{anatomy.path} has {anatomy.size:,} bytes, and Windows starts no file of {LIMIT:,} "
            "or more",
            "Pack again: `--windows external` makes a NAME.exe to put beside it.",
        )


def programs(anatomy: Anatomy) -> list[str]:
    """The targets that a native program can be made for."""
    found = [target for program in anatomy.programs for target in _targets(program)]
    found += _stubs(anatomy, _front_size(anatomy))
    if (mac := _mac_header(anatomy)) and mac.target:
        found.append(mac.target)
    if anatomy.image:
        found.append(WINDOWS)
    return list(dict.fromkeys(found))


def _targets(program: elf.Program) -> list[str]:
    """Where its header makes the file start: FreeBSD is the one system that must be named in it."""
    systems = ("linux", "freebsd") if program.os_abi == elf.FREEBSD else ("linux",)
    return [f"{system}-{machine(program)}" for system in systems]


def _mac_header(anatomy: Anatomy) -> Embedded | None:
    """What the script copies over the file's start, if that is a sound Mach-O header."""
    if anatomy.segments is None:
        return None
    found = (one for one in anatomy.embedded if one.extract.over_start)
    return next(
        (one for one in found if 0 < (one.extract.size or 0) <= macho_rules.HEADERS_MAX), None
    )


def _front_size(anatomy: Anatomy) -> int:
    """Bytes of head and stubs, of a bundle of llamapack that states them; else 0."""
    if anatomy.directory is None:
        return 0
    with Bundle.open(anatomy.path) as bundle:
        stated = expected_front(bundle.manifest or {})
        room = min((one.header_offset for one in bundle.members.values()), default=0)
    return stated[0] if stated and stated[0] <= room else 0


def _stubs(anatomy: Anatomy, front_size: int) -> dict[str, tuple[int, int]]:
    """Offset and size of what the script extracts out of the front, by target."""
    return {
        one.target: (one.extract.offset, one.extract.size)
        for one in anatomy.embedded
        if one.target and one.extract.size and one.extract.offset + one.extract.size <= front_size
    }


def _change(path: Path, anatomy: Anatomy, target: str) -> bool:
    if target == WINDOWS:
        return False
    size = _front_size(anatomy)
    stub = _stubs(anatomy, size).get(target)
    if stub:
        with opened(path, alone=True, otherwise=_COPY) as bundle:
            bundle.file.seek(stub[0])
            front = Front(bundle.file.read(stub[1]).ljust(size, b"\0"), target)
            apply(bundle, _restarted(bundle.bundle, front), copy=False)
        return True
    with held(path, alone=True, otherwise=_COPY) as file:
        OutputFile(file.file).patch(0, _header(file.file, anatomy, target))
    return True


def _restarted(bundle: Bundle, front: Front) -> Edition:
    """The bundle with what it begins with replaced. Raises InputError if its manifest is of a later
    format."""
    old = bundle.manifest or {}
    kept = [member for member in bundle.members.values() if member.name != MANIFEST]
    stated = {**old, "front": front_entry(front)}
    return Edition(
        changed(kept, stated),
        start=front.data,
        hashed=hashes(bundle, expected(old, str(bundle.path))),
        epoch=source_date_epoch(),
    )


def _header(file: BinaryIO, anatomy: Anatomy, target: str) -> bytes:
    """The first bytes of the native program."""
    mac = _mac_header(anatomy)
    if mac and mac.target == target:
        file.seek(mac.extract.offset)
        return file.read(mac.extract.size or 0)
    number = next(one.machine for one in anatomy.programs if target in _targets(one))
    file.seek(0)
    return _printed_header(file.read(SCANNED), number)


def _printed_header(head: bytes, number: int) -> bytes:
    """The first ELF header for this machine, byte for byte: its system and version count, too."""
    for header in printed(head):
        with suppress(ValueError):
            elf.table_place(header)
            if int.from_bytes(header[_MACHINE : _MACHINE + 2], "little") == number:
                return header[: elf.HEADER_SIZE]
    raise ValueError("the file has changed meanwhile")
