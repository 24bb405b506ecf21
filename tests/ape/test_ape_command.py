"""`llamapack ape`: what it says of sound files, and that it names what is broken in others."""

from __future__ import annotations

import json
import os
import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from apes import (
    Break,
    byte_behind_quote,
    control_byte_in_printf,
    header,
    nt_headers,
    printed_programs,
    section,
    segment,
    swapped,
    windows,
    write_cosmopolitan,
)
from helpers.stand_ins import CommandLine, Refused
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from packer.ape.anatomy import Anatomy, take_apart
from packer.ape.description import described
from packer.ape.rules import RULES
from packer.ape.script import Extract, extracts
from packer.engines import front
from packer.head import elf


def explained(llamapack: CommandLine, path: Path, status: int = 0) -> dict[str, Any]:
    done = llamapack("ape", path, "--json")
    assert done.returncode == status, done.stderr
    facts = json.loads(done.stdout)
    assert isinstance(facts, dict)
    return facts


def test_a_file_of_ours_keeps_all_rules(ape: Path, head: bytes, llamapack: CommandLine) -> None:
    facts = explained(llamapack, ape)
    assert (facts["ok"], facts["broken"]) == (True, [])
    # Of macOS no native program is made in place.
    assert facts["rules"] == {
        name: "absent" if name.startswith("macho-") else "holds" for name in RULES
    }
    assert facts["magic"] == "MZqFpD='"
    assert [one["machine"] for one in facts["elf"]] == ["aarch64", "x86_64"]
    assert [one["entry"] for one in facts["elf"]] == [p.entry for p in printed_programs(head)]
    assert facts["pe"]["machine"] == "x86_64"
    assert [one["target"] for one in facts["embedded"]] == ["linux-aarch64", "linux-x86_64"]
    assert facts["zip"]["members"] == 1
    text = llamapack("ape", ape).stdout
    for word in (
        "MZqFpD='",
        "ELF aarch64",
        "ELF x86_64",
        "PE x86_64",
        "LOAD       R-X",
        "0 broken",
    ):
        assert word in text


def test_parts_of_a_file_of_cosmopolitan(tmp_path: Path, llamapack: CommandLine) -> None:
    facts = explained(llamapack, write_cosmopolitan(tmp_path / "their.com"), status=1)
    assert [one["machine"] for one in facts["elf"]] == ["x86_64"]
    assert [(one["target"], one["kind"]) for one in facts["embedded"]] == [
        ("macos-x86_64", "a macOS program"),
        ("linux-x86_64", "an ELF program, compressed by gzip"),
    ]
    assert facts["macho"] == [{**facts["embedded"][0], "segments": facts["macho"][0]["segments"]}]
    [text] = [one for one in facts["macho"][0]["segments"] if one["name"] == "__TEXT"]
    assert (text["offset"], text["filesz"], text["rights"]) == (0, 8192, "R-X")
    assert "gzip -dc" in facts["script"]["text"]
    assert facts["zip"] is None
    assert "pe-headers" in {one["rule"] for one in facts["broken"]}


BROKEN: dict[str, tuple[str, Break]] = {
    "other magic": ("magic", swapped(b"MZqFpD", b"MZqFpX", 1)),
    "text behind the quote": ("quote", byte_behind_quote),
    "no exit": ("script-exit", swapped(b"exit", b"quit")),
    "stub behind the end": ("script-extracts", swapped(b"o=1 h=", b"o=9 h=")),
    "escape that shells alone know": (
        "elf-escapes",
        swapped(b"\\002\\001\\001", b"\\2\\x1\\001", 1),
    ),
    "control byte": ("elf-escapes", control_byte_in_printf),
    "conversion": ("elf-escapes", swapped(b"ELF\\002", b"ELF%\\02", 1)),
    "address of the kernel": ("elf-address-space", segment(vaddr=(1 << 64) - (1 << 20))),
    "ELFCLASS32": ("elf-header", header(4, "<B", 1)),
    "small program headers": ("elf-header", header(54, "<H", 32)),
    "table behind the end": ("elf-header", header(32, "<Q", 1 << 40)),
    "object file": ("elf-type", header(16, "<H", 1)),
    "nineteen segments": ("elf-segment-count", header(56, "<H", 19)),
    "entry nowhere": ("elf-entry", header(24, "<Q", 0)),
    "interpreter": ("elf-static", segment(type=elf.PT_INTERP)),
    "dynamic": ("elf-static", segment(type=elf.PT_DYNAMIC)),
    "more in file than in memory": ("elf-sizes", segment(memsz=1)),
    "segment behind the end": ("elf-in-file", segment(filesz=1 << 30, memsz=1 << 30)),
    "odd address": ("elf-congruent", segment(vaddr=0x1000001)),
    "where the loader is": ("elf-overlap", segment(vaddr=0x7F000000)),
    "a neighbour": ("elf-merge", segment(flags=4, offset=0x1000, vaddr=0xF02000)),
    "library": ("pe-program", nt_headers(lambda image: replace(image, flags=image.flags | 0x2000))),
    "e_lfanew behind the end": ("pe-headers", lambda d: d[:60] + b"\xf8\xff\xff\x7f" + d[64:]),
    "odd e_lfanew": ("pe-lfanew", windows(at=4)),
    "other signature": ("pe-headers", swapped(b"PE\0\0", b"ZM\0\0", 1)),
    "odd base": ("pe-image-base", windows(image_base=0x140001000)),
    "odd file alignment": ("pe-file-alignment", windows(file_alignment=300)),
    "small SizeOfHeaders": ("pe-headers-size", windows(headers_size=512)),
    "odd section alignment": ("pe-section-alignment", windows(section_alignment=3)),
    "other SizeOfImage": ("pe-image-size", windows(image_size=65536)),
    "entry in data": ("pe-entry", windows(entry=0)),
    "gap": ("pe-section-order", section(1, address=0x1000000)),
    "section in the headers": ("pe-overlap", section(0, raw_offset=512)),
    "odd place of a section": ("pe-file-alignment", section(0, raw_offset=65537)),
    "section behind the end": ("pe-in-file", section(0, raw_offset=1 << 30)),
    "no directory": ("zip-directory", swapped(b"PK\x01\x02", b"PK\x01\x00")),
    "no local header": ("zip-local", swapped(b"PK\x03\x04", b"PK\x03\x00")),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_rule_is_named(name: str, ape: Path) -> None:
    rule, change = BROKEN[name]
    ape.write_bytes(change(ape.read_bytes()))
    anatomy = take_apart(ape)
    facts = described(anatomy)
    assert rule in {one.rule for one in anatomy.broken}
    assert (facts["ok"], facts["rules"][rule]) == (False, "broken")


def test_the_refusal_names_rules(ape: Path, llamapack: CommandLine) -> None:
    ape.write_bytes(header(16, "<H", 1)(ape.read_bytes()))
    done = llamapack("ape", ape)
    assert done.returncode == 1
    assert "broken  elf-type: machine 183: e_type is neither" in done.stdout
    error, tip = done.stderr.splitlines()
    assert error == f"ERROR {ape} breaks elf-type"
    assert tip.startswith("TIP ")


@pytest.mark.parametrize(
    ("rule", "change"),
    [
        ("elf-align", segment(align=4096)),
        ("elf-phdr", segment(0, type=elf.PT_PHDR)),
        ("elf-write-execute", segment(2, flags=7)),
        ("pe-checksum", windows(checksum=1)),
        ("pe-file-offsets", nt_headers(lambda image: replace(image, directories=((9, 9),) * 16))),
        ("pe-signatures", windows(section_alignment=4096)),
        ("pe-write-execute", section(0, flags=0xE0000020)),
        # "APE binaries MAY embed an ELF header": a file for macOS and Windows has none.
        ("elf-present", swapped(b"printf '", b"prinnf '")),
    ],
)
def test_advice_is_no_refusal(rule: str, change: Break, ape: Path) -> None:
    ape.write_bytes(change(ape.read_bytes()))
    facts = described(take_apart(ape))
    assert facts["rules"][rule] == "advice"
    assert facts["ok"] == ("broken" not in facts["rules"].values())


@pytest.mark.parametrize(
    "change",
    [
        # One piece in file and memory, however it is divided: the loader's merging changes nothing.
        segment(flags=4, offset=0x2000, vaddr=0xF02000, memsz=0x1000, filesz=0x1000),
        # The loader drops what has no memory.
        segment(vaddr=0x1001000, offset=0x1000, memsz=0, filesz=0, flags=4),
    ],
)
def test_merging_may_be_harmless(change: Break, ape: Path) -> None:
    ape.write_bytes(change(ape.read_bytes()))
    broken = {one.rule for one in take_apart(ape).broken if one.where.startswith("machine 183")}
    assert broken & {"elf-merge", "elf-overlap", "elf-congruent"} == set()


def test_targets_without_linux_keep_the_rules(tmp_path: Path) -> None:
    path = tmp_path / "mac"
    path.write_bytes(front.polyglot(["macos-aarch64", "windows-x86_64"]).data)
    facts = described(take_apart(path))
    assert facts["ok"]
    assert [one["target"] for one in facts["embedded"]] == ["macos-aarch64"]


def test_programs_that_know_zip_are_no_broken_archives(ape: Path) -> None:
    data = ape.read_bytes()
    ape.write_bytes(data[: data.rindex(b"PK\3\4")] + b"PK\5\6 in the code of a reader".ljust(99))
    facts = described(take_apart(ape))
    assert (facts["ok"], facts["zip"]) == (True, None)


def test_a_native_program_is_named(tmp_path: Path, llamapack: CommandLine) -> None:
    path = tmp_path / "native"
    path.write_bytes(front.native("elf", {"linux-x86_64": tmp_path}).data)
    done = llamapack("ape", path)
    assert done.returncode == 1
    assert done.stderr.startswith(f"ERROR {path} is an ELF program, not an APE file\nTIP ")
    assert "magic \\x7fELF\\x02" in done.stdout


def _survives(path: Path) -> Anatomy:
    anatomy = take_apart(path)
    json.dumps(described(anatomy))
    assert {one.rule for one in anatomy.broken} <= RULES.keys()
    return anatomy


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.dictionaries(st.integers(0, 8191), st.integers(0, 255), min_size=1, max_size=40))
def test_no_damage_of_the_head_is_a_crash(ape: Path, damage: dict[int, int]) -> None:
    data = bytearray(ape.read_bytes())
    for place, value in damage.items():
        data[place] = value
    path = ape.with_name("damaged")
    path.write_bytes(data)
    _survives(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.sampled_from([b"", b"MZqFpD='", b"jartsr='\n'\n", b"\x7fELF"]), st.binary(max_size=600))
def test_any_bytes_are_explained(tmp_path: Path, magic: bytes, data: bytes) -> None:
    path = tmp_path / "any"
    path.write_bytes(magic + data)
    assert _survives(path).broken


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.integers(0, 65535), st.integers(0, (1 << 64) - 1))
def test_no_program_header_table_is_a_crash(ape: Path, count: int, place: int) -> None:
    data = header(32, "<Q", place)(header(56, "<H", count)(ape.read_bytes()))
    path = ape.with_name("tables")
    path.write_bytes(data)
    _survives(path)


def test_memory_does_not_depend_on_the_size_of_the_file(ape: Path) -> None:
    os.truncate(ape, 50 << 30)
    tracemalloc.start()
    try:
        take_apart(ape)
        assert tracemalloc.get_traced_memory()[1] < 2 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("magic", [b"jartsr='", b"APEDBG='"])
def test_other_magics(magic: bytes, ape: Path, llamapack: CommandLine) -> None:
    ape.write_bytes(magic + ape.read_bytes()[8:])
    facts = explained(llamapack, ape)
    assert (facts["magic"], facts["kind"]) == (magic.decode(), "a shell script")


@pytest.mark.parametrize(
    "words",
    [
        b'bs=8 skip="     512" count="      8"',
        b"bs=8 skip=$((     512)) count=$((      8))",
        b"bs=8 skip='     512' count='      8'",
        b"bs=8 skip=512        count=8      ",
        b"skip=4096 count=64 bs=1",
    ],
)
def test_spellings_of_the_mach_o_part(words: bytes, tmp_path: Path) -> None:
    script = b'o=$0\ndd if="$o" of="$o" ' + words + b" conv=notrunc 2>/dev/null\n"
    script += b'dd if="$t.$$" of="$t.$$" skip=5 count=8 bs=64 conv=notrunc\n'
    assert extracts(script) == [Extract(4096, 64, over_start=True)]


def test_nothing_to_explain(tmp_path: Path, llamapack: CommandLine, refused: Refused) -> None:
    assert "is not a file" in refused(llamapack("ape", tmp_path / "missing"))
