"""Ways to break an APE file, and one as Cosmopolitan makes them, from its description."""

from __future__ import annotations

import dataclasses
import gzip
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from packer.ape.elf_rules import printed
from packer.head import elf, pe
from packer.head.head import PAGE, build_head, printf

Break = Callable[[bytes], bytes]


def write_archive(path: Path) -> Path:
    """Append a ZIP with weights on a multiple of 64 KiB."""
    with zipfile.ZipFile(path, "a") as archive:
        info = zipfile.ZipInfo("tiny.gguf")
        assert archive.fp
        gap = -(archive.fp.seek(0, 2) + 30 + len(info.filename) + 4) % 65536
        info.extra = struct.pack("<2H", 0x1234, gap) + bytes(gap)
        archive.writestr(info, b"GGUF weights")
    return path


def write_ape(path: Path, program: Path) -> Path:
    """An APE file for Linux around a static program, with members, as others could make it."""
    path.write_bytes(build_head({"linux-x86_64": program.read_bytes()}))
    path.chmod(0o755)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("usr/share/zoneinfo/UTC", b"TZif2")
        archive.writestr(".args", b"--their\n...\n")
    return path


def swapped(old: bytes, new: bytes, count: int = -1) -> Break:
    def change(data: bytes) -> bytes:
        assert old in data
        return data.replace(old, new, count)

    return change


def byte_behind_quote(data: bytes) -> bytes:
    at = data.index(b"'", 8) + 1
    return data[:at] + b"x" + data[at + 1 :]


def control_byte_in_printf(data: bytes) -> bytes:
    """At the end of its text, behind all escapes."""
    end = data.index(b"'", data.index(b"printf '") + 8)
    return data[: end - 1] + b"\1" + data[end:]


def printed_programs(data: bytes) -> list[elf.Program]:
    return [elf.parse(header, data) for header in printed(data)]


def header(at: int, form: str, value: int) -> Break:
    """Another value in the first printed ELF header."""

    def change(data: bytes) -> bytes:
        old = list(printed(data))
        first = bytearray(old[0])
        struct.pack_into(form, first, at, value)
        text = b"".join(map(printf, [bytes(first), *old[1:]]))
        end = PAGE + max(len(text), sum(len(printf(one)) for one in old))
        return data[:PAGE] + text.ljust(end - PAGE, b"\0") + data[end:]

    return change


def segment(number: int = 1, **changes: int) -> Break:
    """Other values in a program header of the first program; by default in the stub's first."""

    def change(data: bytes) -> bytes:
        program = printed_programs(data)[0]
        at = program.phoff + number * elf.SEGMENT_SIZE
        new = dataclasses.replace(program.segments[number], **changes).pack()
        return data[:at] + new + data[at + len(new) :]

    return change


def windows(at: int = 0, **changes: Any) -> Break:
    """Other values in the optional header; `at` moves all the NT headers."""

    def edit(image: pe.Image) -> pe.Image:
        return dataclasses.replace(image, optional=dataclasses.replace(image.optional, **changes))

    return nt_headers(edit, at)


def section(number: int, **changes: int) -> Break:
    def edit(image: pe.Image) -> pe.Image:
        sections = list(image.sections)
        sections[number] = dataclasses.replace(sections[number], **changes)
        return dataclasses.replace(image, sections=tuple(sections))

    return nt_headers(edit)


def nt_headers(edit: Callable[[pe.Image], pe.Image], shift: int = 0) -> Break:
    def change(data: bytes) -> bytes:
        at = pe.place(data) + shift
        new = edit(pe.parse(data)).pack()
        out = data[:at] + new + data[at + len(new) :]
        return out[: pe.LFANEW] + struct.pack("<I", at) + out[pe.LFANEW + 4 :]

    return change


def mach_o(name: bytes, vaddr: int, memsz: int, offset: int, filesz: int) -> bytes:
    """A header for macOS on x86-64 with one segment that may be read and executed."""
    header = struct.pack("<8I", 0xFEEDFACF, 0x01000007, 3, 2, 1, 72, 1, 0)
    segment = struct.pack("<2I16s4Q4I", 0x19, 72, name, vaddr, memsz, offset, filesz, 7, 5, 0, 0)
    return (header + segment).ljust(112, b"\0")


def write_cosmopolitan(path: Path) -> Path:
    """Has an x86-64 Mach-O header that the script copies over its own start, and a loader."""
    loader = gzip.compress(b"\x7fELF\x02\x01\x01" + bytes(11) + struct.pack("<H", 62) + bytes(44))
    macho = mach_o(b"__TEXT", 0x400000, 8192, 0, 8192)
    program = elf.Program(62, 0x400000, 0x1000, 0x101CA75, 2, 56, ())
    text = b"MZqFpD='\n".ljust(pe.LFANEW, b"\n") + struct.pack("<I", 0x2000) + b"\n'\n#'\"\n"
    text += b"o=$0\n" + printf(program.header()).replace(b"\n", b" >&7\n")
    text += b'dd if="$o" of="$o" bs=8 skip="     512" count="     14" conv=notrunc 2>/dev/null\n'
    text += b'dd if="$o" skip=5000 count=%d bs=1 2>/dev/null|gzip -dc >"$t"\nexit 1\n' % len(loader)
    data = text.ljust(4096, b"\0") + macho
    path.write_bytes((data.ljust(5000, b"\0") + loader).ljust(9000, b"\0"))
    path.chmod(0o755)
    return path
