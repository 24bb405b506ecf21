"""Each rule for Linux and the BSDs has a broken file that it rejects."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest
from structure_samples import (
    ZIG_TARGETS,
    Break,
    Files,
    elf_dynamic,
    elf_segment,
    names,
    patch,
    swap,
)

from packer.checks import check, check_module, check_stub
from packer.head import elf
from packer.head.elf import without_landing_pads

Engines = Callable[[str], Files]

PT_NULL, PT_LOAD, PT_TLS, PT_NOTE = 0, 1, 7, 4
PT_GNU_STACK, PT_GNU_EH_FRAME, PT_GNU_PROPERTY = 0x6474E551, 0x6474E550, 0x6474E553
DT_NEEDED, DT_RPATH, DT_DEBUG, DT_TEXTREL, DT_RUNPATH, DT_FLAGS = 1, 15, 21, 22, 29, 30

LINUX, STATIC = "linux-x86_64", "linux-x86_64-static"
FREEBSD, NETBSD, OPENBSD = "freebsd-x86_64", "netbsd-x86_64", "openbsd-x86_64"
BASE, MODULE, PROGRAM = names(LINUX)


def freebsd(version: int) -> bytes:
    return b"FreeBSD\0" + struct.pack("<I", version)


BROKEN: list[tuple[str, str, Break, str]] = [
    (LINUX, PROGRAM, lambda data: b"#!/bin/sh\nexit 0\n" * 9, "not a 64-bit little-endian ELF"),
    (LINUX, PROGRAM, patch(4, b"\1"), "not a 64-bit little-endian ELF"),
    (LINUX, PROGRAM, patch(5, b"\2"), "not a 64-bit little-endian ELF"),
    (LINUX, PROGRAM, lambda data: data[:100], "not a 64-bit little-endian ELF"),
    (LINUX, MODULE, patch(18, b"\xb7"), "is for machine 183, not for x86_64"),
    ("linux-aarch64", MODULE, patch(18, b"\x3e"), "is for machine 62, not for aarch64"),
    (LINUX, MODULE, patch(16, b"\1"), "is of ELF type 1, which no module is"),
    (LINUX, PROGRAM, patch(24, bytes(8)), "entry point is not in an executable segment"),
    (LINUX, PROGRAM, patch(7, b"\x09"), "another system (EI_OSABI is 9)"),
    (LINUX, PROGRAM, swap(b"/lib64/ld-", b"/lib32/ld-"), "interpreter is `/lib32/ld-linux"),
    (LINUX, PROGRAM, elf_segment(3, 0, lambda _: PT_NULL), "its interpreter is missing"),
    (LINUX, PROGRAM, swap(b"libc.so.6", b"libz.so.1"), "`libz.so.1`, which is neither"),
    (LINUX, MODULE, swap(b"-base.so", b"-core.so"), "`libggml-core.so`, which is neither"),
    (LINUX, MODULE, swap(b"$ORIGIN", b"/opt/xy"), "in ['/opt/xy'] (DT_RUNPATH)"),
    (LINUX, MODULE, elf_dynamic(DT_RUNPATH, lambda _, v: (DT_RPATH, v)), "has DT_RPATH"),
    (LINUX, PROGRAM, elf_dynamic(DT_DEBUG, lambda _, v: (DT_TEXTREL, v)), "(DT_TEXTREL)"),
    (LINUX, MODULE, elf_dynamic(DT_FLAGS, lambda t, v: (t, v | 4)), "(DT_TEXTREL)"),
    (LINUX, MODULE, elf_segment(PT_GNU_STACK, 4, lambda f: f | 1), "an executable stack"),
    (LINUX, MODULE, elf_segment(PT_GNU_STACK, 0, lambda _: PT_NULL), "(PT_GNU_STACK)"),
    (LINUX, MODULE, elf_segment(PT_LOAD, 4, lambda f: f | 3), "0 is writable and executable"),
    (LINUX, MODULE, elf_segment(PT_LOAD, 32, lambda _: 1 << 30), "0 ends after the end"),
    (LINUX, MODULE, elf_segment(PT_LOAD, 48, lambda _: 16), "0 is not aligned to pages of 4096"),
    (
        "linux-aarch64",
        MODULE,
        elf_segment(PT_LOAD, 48, lambda _: 0x1000),
        "0 is not aligned to pages of 65536",
    ),
    (LINUX, PROGRAM, swap(b"GLIBC_2.2.5", b"GLIBC_2.100"), "needs glibc 2.100"),
    (LINUX, BASE, swap(b"libggml-base.so", b"libggml-core.so"), "(DT_SONAME), not `libggml-base"),
    (FREEBSD, PROGRAM, patch(7, b"\3"), "another system (EI_OSABI is 3)"),
    (FREEBSD, PROGRAM, swap(b"/libexec/ld-elf", b"/usr/lib/ld-elf"), "interpreter is `/usr/lib"),
    (FREEBSD, PROGRAM, swap(b"FreeBSD\0", b"FreeDOS\0"), "no note that says that it is for Free"),
    (FREEBSD, PROGRAM, swap(freebsd(1400500), freebsd(1500000)), "says FreeBSD 1500000, not 14"),
    (FREEBSD, MODULE, elf_dynamic(DT_FLAGS, lambda t, v: (t, v & ~1)), "without DF_ORIGIN"),
    (NETBSD, PROGRAM, swap(b"/libexec/ld.elf_so", b"/libexec/ld.elf_xx"), "interpreter is `/libe"),
    (NETBSD, PROGRAM, swap(b"NetBSD\0\0", b"OpenBSD\0"), "no note that says that it is for Net"),
    (NETBSD, PROGRAM, swap(b"\x40\x0c\xaa\x3b", b"\xff\xff\xff\x7f"), "says NetBSD 2147483647"),
    (NETBSD, PROGRAM, swap(b"libpthread.so.1", b"libgcc_s.so.001"), "not want `libpthread.so.1`"),
    (NETBSD, PROGRAM, swap(b"libc.so.12", b"libz.so.12"), "`libz.so.12`, which is neither"),
    (OPENBSD, PROGRAM, swap(b"/usr/libexec/ld.so", b"/usr/local//lib/ld"), "interpreter is `/usr/"),
    (OPENBSD, PROGRAM, swap(b"OpenBSD\0", b"NetBSD\0\0"), "no note that says that it is for Open"),
    (OPENBSD, PROGRAM, swap(b"libpthread.so", b"libc.so.100.0"), "`libc.so.100.0`, which is neit"),
    (OPENBSD, MODULE, elf_dynamic(DT_FLAGS, lambda t, v: (t, v & ~1)), "without DF_ORIGIN"),
    (OPENBSD, MODULE, elf_segment(PT_GNU_EH_FRAME, 0, lambda _: PT_TLS), "thread-local variables"),
    (OPENBSD, MODULE, elf_segment(PT_NOTE, 0, lambda _: PT_NULL), "code without landing pads"),
    ("openbsd-aarch64", MODULE, elf_segment(PT_NOTE, 0, lambda _: PT_NULL), "without landing pads"),
]


@pytest.mark.parametrize("target", ZIG_TARGETS)
def test_a_right_engine_breaks_no_rule(target: str, engines: Engines) -> None:
    assert check(target, engines(target)) == []


@pytest.mark.parametrize(("target", "name", "change", "rule"), BROKEN)
def test_a_broken_file_is_rejected(
    target: str, name: str, change: Break, rule: str, engines: Engines
) -> None:
    files = engines(target)
    found = check(target, {**files, name: change(files[name])})
    assert any(line.startswith(f"{name}: ") and rule in line for line in found), found


def test_a_static_program_needs_no_loader(engines: Engines) -> None:
    found = check(STATIC, {PROGRAM: engines(LINUX)[PROGRAM]})
    assert f"{PROGRAM}: is not static (PT_DYNAMIC)" in found
    assert any("has an interpreter" in line for line in found)


@pytest.mark.parametrize("target", [STATIC, "linux-aarch64-static"])
def test_linux_stubs_are_static(target: str, engines: Engines) -> None:
    target_of_stub = target.removesuffix("-static")
    assert check_stub(target_of_stub, engines(target)[PROGRAM]) == []
    assert check_stub(target_of_stub, engines(LINUX)[PROGRAM])


def test_a_stub_wants_no_file_of_ours(engines: Engines) -> None:
    found = check_stub(FREEBSD, engines(FREEBSD)[PROGRAM], "start")
    assert any("start: wants `libggml-base.so`" in line for line in found), found


def test_openbsd_accepts_a_program_that_opts_out_of_landing_pads(engines: Engines) -> None:
    files = engines(OPENBSD)
    bare = elf_segment(PT_NOTE, 0, lambda _: PT_NULL)(files[MODULE])
    marked = without_landing_pads(files[PROGRAM])
    assert without_landing_pads(marked) == marked
    assert len(marked) == len(files[PROGRAM])
    assert check(OPENBSD, {**files, MODULE: bare, PROGRAM: marked}) == []
    assert check(OPENBSD, {**files, MODULE: bare}) != []


def test_only_an_elf_program_can_be_marked(engines: Engines) -> None:
    bare = elf_segment(PT_GNU_STACK, 0, lambda _: PT_NULL)(engines(OPENBSD)[PROGRAM])
    for data in (b"", b"MZ" * 99, bare):
        with pytest.raises(ValueError, match=r"ELF|PT_GNU_STACK"):
            without_landing_pads(data)


def test_every_symbol_of_ggml_is_exported_beside(engines: Engines) -> None:
    files = engines(LINUX)
    base = swap(b"ggml_one", b"ggml_two")(files[BASE])
    found = check(LINUX, {**files, BASE: base})
    assert f"{MODULE}: no library beside it exports ggml_one" in found
    assert check_module(LINUX, "libggml-vulkan.so", files[MODULE], files[BASE]) == []
    assert check_module(LINUX, "libggml-vulkan.so", files[MODULE], base) == [
        "libggml-vulkan.so: no library beside it exports ggml_one"
    ]


def test_a_foreign_module_asks_for_our_base(engines: Engines) -> None:
    files = engines(LINUX)
    module = swap(b"libggml-base.so", b"libggml-bas.so\0")(files[MODULE])
    assert check_module(LINUX, "libggml-cuda.so", module, files[BASE]) == [
        "libggml-cuda.so: asks for libggml-bas.so, not for `libggml-base.so`"
    ]
    foreign = swap(b"libpthread.so.0", b"libvulkany.so.1")(files[MODULE])
    assert check_module(LINUX, "libggml-cuda.so", foreign, files[BASE]) == []


def test_the_first_note_of_an_openbsd_program_is_its_ident(engines: Engines) -> None:
    data = engines(OPENBSD)[PROGRAM]
    program = elf.parse(data, data)
    first, second = (i for i, s in enumerate(program.segments) if s.type == PT_NOTE)
    swapped = patch(program.phoff + first * elf.SEGMENT_SIZE, program.segments[second].pack())(data)
    swapped = patch(program.phoff + second * elf.SEGMENT_SIZE, program.segments[first].pack())(
        swapped
    )
    found = check(OPENBSD, {**engines(OPENBSD), PROGRAM: swapped})
    assert found == [f"{PROGRAM}: has no note that says that it is for OpenBSD"]


@pytest.mark.parametrize("name", [BASE, PROGRAM])
def test_a_file_is_missing(name: str, engines: Engines) -> None:
    files = {key: data for key, data in engines(LINUX).items() if key != name}
    assert f"{name}: is missing" in check(LINUX, files)
