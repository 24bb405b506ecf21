"""Takes an APE file apart: script, ELF headers, PE headers, embedded programs, ZIP.

Reads only the first 64 KiB, headers and the ZIP directory. Sources: cosmopolitan's
`ape/specification.md` and `ape/loader.c`.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from packer.ape import elf_rules, macho_rules, pe_rules
from packer.ape.rules import Broken
from packer.ape.script import Extract, Script, extracts, read_script
from packer.head import elf, pe
from runtime.errors import InputError
from runtime.formats.zip_directory import (
    END,
    END_MAGIC,
    STORED,
    Directory,
    data_offset,
    read_directory,
)
from runtime.machine.head import SIZE, Kind, kind_of, native_target

_NT_HEADERS_MAX = 65536
_ZIP_TAIL = 65536 + 22
_GZIP = b"\x1f\x8b"
_ALIGNMENT = 65536


@dataclass(frozen=True)
class Embedded:
    """A range that the script copies out of the file: a program, or part of one."""

    extract: Extract
    kind: str
    target: str | None
    """Such as `macos-aarch64`; None if its head does not tell."""


@dataclass(frozen=True)
class Anatomy:
    """The parts of one file."""

    path: Path
    size: int
    magic: bytes
    kind: Kind
    native: str | None
    """The target of a file that is a native program; None for an APE."""
    script: Script | None
    script_text: bytes
    programs: list[elf.Program]
    """The programs whose ELF headers the script prints."""
    image: pe.Image | None
    image_at: int
    segments: list[macho_rules.MachoSegment] | None
    """Of the Mach-O header that the script copies over the file's start, if it does."""
    embedded: list[Embedded]
    directory: Directory | None
    broken: list[Broken]


def take_apart(path: Path) -> Anatomy:
    """Read the parts of the file at `path`, and list the rules that they break.

    Raises:
        InputError: it is not a file.
    """
    if not path.is_file():
        raise InputError(f"{path} is not a file", "Check the path.")
    with path.open("rb") as file:
        return _Reader(path, file).anatomy()


class _Reader:
    def __init__(self, path: Path, file: BinaryIO) -> None:
        self._path = path
        self._file = file
        self._size = file.seek(0, 2)
        self._head = self._read(0, SIZE)

    def _read(self, offset: int, count: int) -> bytes:
        if offset >= self._size:
            return b""
        self._file.seek(offset)
        return self._file.read(count)

    def anatomy(self) -> Anatomy:
        head = self._head
        kind = kind_of(head)
        script, broken = read_script(head)
        text = head[script.start : script.end] if script else b""
        programs, faults = elf_rules.read_programs(head, self._read)
        broken += faults
        for program in programs:
            broken += [*elf_rules.check_program(program), *self._beyond(program)]
        image, place = None, 0
        if head[:2] == b"MZ":
            image, place, faults = self._windows()
            broken += faults
        embedded = [self._embedded(one) for one in extracts(text)]
        broken += self._extracts_beyond(embedded)
        segments, faults = self._mac(embedded)
        broken += faults
        directory, faults = self._archive(programs)
        return Anatomy(
            path=self._path,
            size=self._size,
            magic=head[:8],
            kind=kind,
            native=native_target(head),
            script=script,
            script_text=text,
            programs=programs,
            image=image,
            image_at=place,
            segments=segments,
            embedded=embedded,
            directory=directory,
            broken=broken + faults,
        )

    def _beyond(self, program: elf.Program) -> Iterator[Broken]:
        for i, segment in enumerate(program.loads):
            if segment.offset + segment.filesz > self._size:
                where = f"machine {program.machine}: segment {i}"
                yield Broken("elf-in-file", "ends after the end of the file", where)

    def _windows(self) -> tuple[pe.Image | None, int, list[Broken]]:
        try:
            place = pe.place(self._head)
            image = pe.nt_headers(self._read(place, _NT_HEADERS_MAX), 0)
        except ValueError as problem:
            return None, 0, [Broken("pe-headers", str(problem), "Windows")]
        broken = pe_rules.check_image(image, place)
        broken += [
            Broken("pe-in-file", "ends after the end of the file", f"Windows: section {i}")
            for i, section in enumerate(image.sections)
            if section.raw_size and section.raw_offset + section.raw_size > self._size
        ]
        return image, place, broken

    def _embedded(self, extract: Extract) -> Embedded:
        head = self._read(extract.offset, SIZE)
        if head.startswith(_GZIP):
            inner = _start_of_gzip(head)
            return Embedded(extract, f"{_content(inner)}, compressed by gzip", native_target(inner))
        return Embedded(extract, _content(head), native_target(head))

    def _mac(
        self, embedded: list[Embedded]
    ) -> tuple[list[macho_rules.MachoSegment] | None, list[Broken]]:
        extract = next((one.extract for one in embedded if one.extract.over_start), None)
        if extract is None:
            return None, []
        size = min(extract.size or macho_rules.HEADERS_MAX, macho_rules.HEADERS_MAX)
        try:
            segments = macho_rules.segments(self._read(extract.offset, size))
        except ValueError as problem:
            return None, [Broken("macho-header", str(problem), "macOS")]
        return segments, list(macho_rules.check(segments, extract.offset, self._size))

    def _extracts_beyond(self, embedded: list[Embedded]) -> Iterator[Broken]:
        for one in embedded:
            offset, size = one.extract.offset, one.extract.size or 1
            if offset + size > self._size:
                what = f"{size:,} bytes at {offset:,} end behind the end of the file"
                yield Broken("script-extracts", what)

    def _archive(self, programs: list[elf.Program]) -> tuple[Directory | None, list[Broken]]:
        try:
            directory = read_directory(self._file, str(self._path))
        except InputError as problem:
            tail = self._read(max(0, self._size - _ZIP_TAIL), _ZIP_TAIL)
            broken = [Broken("zip-directory", problem.message)] if _has_end_record(tail) else []
            return None, broken
        return directory, list(self._members(directory, programs))

    def _members(self, directory: Directory, programs: list[elf.Program]) -> Iterator[Broken]:
        ends = [s.offset + s.filesz for program in programs for s in program.loads]
        programs_end = max(ends, default=0)
        for member in directory.members.values():
            try:
                start = data_offset(self._file, member, str(self._path))
            except InputError as problem:
                yield Broken("zip-local", problem.message)
                continue
            if start + member.compressed_size > directory.offset:
                yield Broken("zip-local", f"{member.name!r} reaches into the directory")
            if member.header_offset < programs_end:
                yield Broken("zip-behind-programs", f"{member.name!r} begins before their end")
            weights = member.name.endswith(".gguf") and member.method == STORED
            if weights and start % _ALIGNMENT:
                yield Broken("zip-aligned", f"{member.name!r} begins at {start:,}")


def _content(head: bytes) -> str:
    kind = kind_of(head)
    return "text" if kind is Kind.OTHER and head[:64].isascii() else kind.value


def _has_end_record(tail: bytes) -> bool:
    """Whether there is a whole record: programs that read ZIP files contain its magic as well."""
    at = tail.find(END_MAGIC)
    while at >= 0:
        if at + END.size <= len(tail):
            _, disk, first_disk, here, count, _, _, comment = END.unpack_from(tail, at)
            whole = at + END.size + comment <= len(tail)
            if whole and disk == first_disk == 0 and here == count:
                return True
        at = tail.find(END_MAGIC, at + 1)
    return False


def _start_of_gzip(data: bytes) -> bytes:
    try:
        return zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(data, 4096)
    except zlib.error:
        return b""
