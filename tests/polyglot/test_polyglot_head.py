"""The head: its layout, and the APE loader's rules."""

from __future__ import annotations

import io
import shutil
import subprocess
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile
from hypothesis import given
from hypothesis import strategies as st
from small_bundle import broken_rules

from packer.ape.elf_rules import printed
from packer.head import elf, script
from packer.head.head import HEAD_SIZE, NT_HEADERS, TABLES_END, build_head, printf

MACHINES = {elf.EM_X86_64: "linux-x86_64", elf.EM_AARCH64: "linux-aarch64"}


def printed_programs(head: bytes) -> list[elf.Program]:
    return [elf.parse(header, head) for header in printed(head)]


def test_regions(head: bytes, stubs: dict[str, bytes]) -> None:
    assert len(head) % 65536 == 0
    assert head.startswith(b"jartsr='\n")
    for number, target in enumerate(sorted(stubs)):
        start = HEAD_SIZE + number * 65536
        assert head[start : start + len(stubs[target])] == stubs[target]


def test_stubs_are_small(stubs: dict[str, bytes]) -> None:
    assert {target: len(data) // 65536 for target, data in stubs.items()} == dict.fromkeys(stubs, 0)


def test_nothing_that_a_shell_chokes_on_before_exit(head: bytes) -> None:
    parsed = head[: head.rindex(b"\nexit 1\n", 0, NT_HEADERS)]
    assert all(byte in b"\n\t" or 0x20 <= byte < 0x7F for byte in parsed)


def test_head_does_not_depend_on_the_order_of_stubs(head: bytes, stubs: dict[str, bytes]) -> None:
    assert build_head(dict(reversed(stubs.items()))) == head


def test_head_for_one_target(stubs: dict[str, bytes], tmp_path: Path) -> None:
    head = build_head({"linux-aarch64": stubs["linux-aarch64"]})
    assert len(head) == 2 * 65536
    assert broken_rules(tmp_path, head) == []
    assert b"Linux x86_64" not in head[:TABLES_END]


def test_printed_headers_describe_the_stubs(head: bytes, stubs: dict[str, bytes]) -> None:
    programs = printed_programs(head)
    assert {MACHINES[p.machine] for p in programs} == set(stubs)
    for program in programs:
        stub = ELFFile(io.BytesIO(stubs[MACHINES[program.machine]]))
        want = {
            s["p_vaddr"]: (s.data(), s["p_memsz"], s["p_flags"])
            for s in stub.iter_segments("PT_LOAD")
        }
        cover, *rest = program.loads
        assert (cover.offset, cover.flags) == (0, elf.PF_R)
        got = {s.vaddr: (head[s.offset : s.offset + s.filesz], s.memsz, s.flags) for s in rest}
        assert got == want
        assert program.entry == stub["e_entry"]


@given(st.binary(min_size=64, max_size=64))
def test_printf_survives_every_byte(header: bytes) -> None:
    assert list(printed(printf(header))) == [header]


@given(st.binary(max_size=2000))
def test_cksum_is_that_of_posix(data: bytes) -> None:
    if not shutil.which("cksum"):
        pytest.skip("this machine has no cksum")
    done = subprocess.run(["cksum"], input=data, capture_output=True, check=True)
    assert script.cksum(data) == done.stdout.decode().strip()
