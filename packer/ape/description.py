"""An APE file's parts and rules as plain data."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from packer.ape.anatomy import Anatomy, Embedded
from packer.ape.rules import MACHO, PE, RULES, ZIP, Broken
from packer.head import elf, pe
from runtime.machine.targets import SYSTEMS

HOLDS, BROKEN, ADVICE, ABSENT = "holds", "broken", "advice", "absent"
"""What can be said of a rule; `ADVICE`: broken, but no loader refuses the file for it; `ABSENT`:
the file has nothing that it could hold for."""

_MACHINES = {elf.EM_X86_64: "x86_64", elf.EM_AARCH64: "aarch64", 0xF3: "riscv64"}
_PE_MACHINES = {pe.AMD64: "x86_64", 0xAA64: "aarch64"}
_SEGMENTS = {
    elf.PT_NULL: "NULL",
    elf.PT_LOAD: "LOAD",
    elf.PT_DYNAMIC: "DYNAMIC",
    elf.PT_INTERP: "INTERP",
    4: "NOTE",
    elf.PT_PHDR: "PHDR",
    7: "TLS",
    0x6474E551: "GNU_STACK",
    0x6474E552: "GNU_RELRO",
}
_OS_ABIS = {0: "System V"} | {one.osabi: one.title for one in SYSTEMS.values() if one.osabi}
_MACHO = "macos-"


def described(anatomy: Anatomy) -> dict[str, Any]:
    """All that is known of a file, as JSON values."""
    return {
        **parts(anatomy),
        "broken": [asdict(one) | {"required": RULES[one.rule].required} for one in anatomy.broken],
        "elf": [_elf(program) for program in anatomy.programs],
        "file": str(anatomy.path),
        "ok": not refused(anatomy),
        "rules": states(anatomy),
        "script": _script(anatomy),
        "size": anatomy.size,
        "zip": _zip(anatomy),
    }


def parts(anatomy: Anatomy) -> dict[str, Any]:
    """Which programs a file is, and for which systems."""
    return {
        "archs": sorted({machine(program) for program in anatomy.programs}),
        "embedded": [_embedded(one) for one in anatomy.embedded],
        "kind": anatomy.kind.value,
        "macho": [
            _embedded(one) | {"segments": _segments(one, anatomy)}
            for one in anatomy.embedded
            if (one.target or "").startswith(_MACHO)
        ],
        "magic": "".join(
            chr(one) if chr(one).isprintable() and one < 0x80 else f"\\x{one:02x}"
            for one in anatomy.magic
        ),
        "native": anatomy.native,
        "pe": _pe(anatomy),
    }


def refused(anatomy: Anatomy) -> list[Broken]:
    """The broken rules for which some loader refuses the file."""
    return [one for one in anatomy.broken if RULES[one.rule].required]


def states(anatomy: Anatomy) -> dict[str, str]:
    """What is the case with each rule."""
    broken = {one.rule for one in anatomy.broken}
    absent: set[str] = set()
    if anatomy.magic[:2] != b"MZ":
        absent |= PE.keys()
    if not any(one.extract.over_start for one in anatomy.embedded):
        absent |= MACHO.keys()
    if anatomy.directory is None:
        absent |= ZIP.keys()
    if not anatomy.programs:
        absent |= {name for name in RULES if name.startswith("elf-")}
    if anatomy.script is None:
        absent |= {name for name in RULES if name.startswith("script-")}
    return {name: _state(name, broken, absent) for name in RULES}


def _state(name: str, broken: set[str], absent: set[str]) -> str:
    if name in broken:
        return BROKEN if RULES[name].required else ADVICE
    return ABSENT if name in absent else HOLDS


def machine(program: elf.Program) -> str:
    """The architecture of a program, or its number."""
    return _MACHINES.get(program.machine, f"machine {program.machine}")


def _elf(program: elf.Program) -> dict[str, Any]:
    return {
        "entry": program.entry,
        "flags": program.flags,
        "machine": machine(program),
        "phoff": program.phoff,
        "segments": [
            asdict(segment)
            | {"type": _SEGMENTS.get(segment.type, f"{segment.type:#x}"), "flags": _rights(segment)}
            for segment in program.segments
        ],
        "os_abi": _OS_ABIS.get(program.os_abi, str(program.os_abi)),
        "type": {2: "EXEC", 3: "DYN"}.get(program.type, str(program.type)),
    }


def _rights(segment: elf.Segment) -> str:
    bits = ((elf.PF_R, "R"), (elf.PF_W, "W"), (elf.PF_X, "X"))
    return "".join(letter if segment.flags & bit else "-" for bit, letter in bits)


def _pe(anatomy: Anatomy) -> dict[str, Any] | None:
    image = anatomy.image
    if image is None:
        return None
    return {
        "entry": image.optional.entry,
        "image_base": image.optional.image_base,
        "image_size": image.optional.image_size,
        "machine": _PE_MACHINES.get(image.machine, f"{image.machine:#x}"),
        "offset": anatomy.image_at,
        "sections": [
            {
                "address": section.address,
                "name": section.name.rstrip(b"\0").decode("ascii", "backslashreplace"),
                "raw_offset": section.raw_offset,
                "raw_size": section.raw_size,
                "virtual_size": section.virtual_size,
            }
            for section in image.sections
        ],
        "subsystem": image.optional.subsystem,
    }


def _embedded(one: Embedded) -> dict[str, Any]:
    return {**asdict(one.extract), "kind": one.kind, "target": one.target}


def _segments(one: Embedded, anatomy: Anatomy) -> list[dict[str, Any]] | None:
    """Those of the header that goes over the file's start; of other programs None."""
    if not one.extract.over_start or anatomy.segments is None:
        return None
    return [asdict(segment) for segment in anatomy.segments]


def _script(anatomy: Anatomy) -> dict[str, Any] | None:
    if anatomy.script is None:
        return None
    text = anatomy.script_text.decode("utf-8", "backslashreplace")
    return {**asdict(anatomy.script), "text": text}


def _zip(anatomy: Anatomy) -> dict[str, Any] | None:
    directory = anatomy.directory
    if directory is None:
        return None
    return {
        "behind": anatomy.size - directory.end,
        "end": directory.end,
        "members": len(directory.members),
        "offset": directory.offset,
    }
