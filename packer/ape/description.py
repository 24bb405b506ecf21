"""An APE file's parts and rules as JSON values."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from packer.ape.anatomy import Anatomy, Embedded
from packer.ape.rules import RULES, Broken
from packer.head import elf, pe
from runtime.machine.targets import SYSTEMS

_MACHINES = {elf.EM_X86_64: "x86_64", elf.EM_AARCH64: "aarch64", 0xF3: "riscv64"}
_PE_MACHINES = {pe.AMD64: "x86_64", 0xAA64: "aarch64"}
_ELF_TYPES = {2: "EXEC", 3: "DYN"}
_SEGMENTS = {
    elf.PT_NULL: "NULL",
    elf.PT_LOAD: "LOAD",
    elf.PT_DYNAMIC: "DYNAMIC",
    elf.PT_INTERP: "INTERP",
    4: "NOTE",
    elf.PT_PHDR: "PHDR",
    7: "TLS",
    elf.PT_GNU_STACK: "GNU_STACK",
    0x6474E552: "GNU_RELRO",
}
_RIGHTS = ((elf.PF_R, "R"), (elf.PF_W, "W"), (elf.PF_X, "X"))
_OS_ABIS = {0: "System V"} | {one.osabi: one.title for one in SYSTEMS.values() if one.osabi}


def described(anatomy: Anatomy) -> dict[str, Any]:
    """Everything that is known about a file."""
    script, directory = anatomy.script, anatomy.directory
    text = anatomy.script_text.decode("utf-8", "backslashreplace")
    return {
        **parts(anatomy),
        "broken": [asdict(one) | {"required": RULES[one.rule].required} for one in anatomy.broken],
        "elf": [_elf(program) for program in anatomy.programs],
        "file": str(anatomy.path),
        "ok": not refused(anatomy),
        "rules": states(anatomy),
        "script": {**asdict(script), "text": text} if script else None,
        "size": anatomy.size,
        "zip": directory
        and {
            "behind": anatomy.size - directory.end,
            "end": directory.end,
            "members": len(directory.members),
            "offset": directory.offset,
        },
    }


def parts(anatomy: Anatomy) -> dict[str, Any]:
    """The programs in a file, and their systems."""
    return {
        "archs": sorted({machine(program) for program in anatomy.programs}),
        "embedded": [_embedded(one) for one in anatomy.embedded],
        "kind": anatomy.kind.value,
        "macho": [
            _embedded(one) | {"segments": _segments(one, anatomy)}
            for one in anatomy.embedded
            if (one.target or "").startswith("macos-")
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
    """The state of each rule.

    It is `holds`, `broken`, `advice` (broken, but no loader refuses the file), or `absent` (the
    file does not have the part that the rule is for).
    """
    broken = {one.rule for one in anatomy.broken}
    absent = {
        "elf": not anatomy.programs,
        "macho": not any(one.extract.over_start for one in anatomy.embedded),
        "pe": anatomy.magic[:2] != b"MZ",
        "script": anatomy.script is None,
        "zip": anatomy.directory is None,
    }
    found = {}
    for name, rule in RULES.items():
        if name in broken:
            found[name] = "broken" if rule.required else "advice"
        else:
            found[name] = "absent" if absent.get(name.partition("-")[0]) else "holds"
    return found


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
            | {
                "type": _SEGMENTS.get(segment.type, f"{segment.type:#x}"),
                "flags": "".join(c if segment.flags & bit else "-" for bit, c in _RIGHTS),
            }
            for segment in program.segments
        ],
        "os_abi": _OS_ABIS.get(program.os_abi, str(program.os_abi)),
        "type": _ELF_TYPES.get(program.type, str(program.type)),
    }


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
    """The segments of the header that is copied over the file's start; None for other programs."""
    if not one.extract.over_start or anatomy.segments is None:
        return None
    return [asdict(segment) for segment in anatomy.segments]
