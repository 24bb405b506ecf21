"""Each rule for Windows has a broken file that it rejects."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest
from structure_samples import IMPORT_LIBRARY, Break, Files, names, patch, pe_header, swap

from packer.checks import check, check_module, check_stub

Engines = Callable[[str], Files]

X86 = "windows-x86_64"
BASE, MODULE, PROGRAM = names(X86)
# Offsets from the PE signature: the COFF header is 20 bytes, the optional header follows it.
MACHINE, CHARACTERISTICS, OPTIONAL = 4, 22, 24
MAGIC, OS_MAJOR, SUBSYSTEM_MAJOR, SUBSYSTEM, DLL_FLAGS = (
    OPTIONAL + offset for offset in (0, 40, 48, 68, 70)
)
DIRECTORIES = OPTIONAL + 112
RESOURCES, RELOCATIONS = DIRECTORIES + 8 * 2, DIRECTORIES + 8 * 5


def without_directory(at: int) -> Break:
    def broken(data: bytes) -> bytes:
        start = struct.unpack_from("<I", data, 0x3C)[0] + at
        return patch(start, bytes(8))(data)

    return broken


def writable_code(data: bytes) -> bytes:
    at = data.index(b".text\0\0\0")
    flags = struct.unpack_from("<I", data, at + 36)[0] | 0x80000000
    return patch(at + 36, struct.pack("<I", flags))(data)


def clear(bit: int) -> Callable[[int], int]:
    return lambda value: value & ~bit


BROKEN: list[tuple[str, Break, str]] = [
    (PROGRAM, lambda data: b"\x7fELF" + data, "not a PE file"),
    (PROGRAM, lambda data: data[:0x60], "cannot be read"),
    (PROGRAM, pe_header(MAGIC, lambda _: 0x10B), "not a 64-bit PE file"),
    (PROGRAM, pe_header(MACHINE, lambda _: 0xAA64), "is for ARM64, not for x86_64"),
    (MODULE, pe_header(CHARACTERISTICS, clear(0x2000)), "is not a DLL, but should be a module"),
    (PROGRAM, pe_header(CHARACTERISTICS, lambda v: v | 0x2000), "is a DLL, but should be a progr"),
    (PROGRAM, pe_header(SUBSYSTEM, lambda _: 2), "subsystem is WINDOWS_GUI, not the console's"),
    (MODULE, pe_header(DLL_FLAGS, clear(0x20)), "(HIGH_ENTROPY_VA)"),
    (MODULE, pe_header(DLL_FLAGS, clear(0x40)), "(DYNAMIC_BASE)"),
    (MODULE, pe_header(DLL_FLAGS, clear(0x100)), "(no NX_COMPAT)"),
    (MODULE, without_directory(RELOCATIONS), "has no relocations"),
    (MODULE, writable_code, "section .text is writable and executable"),
    (PROGRAM, pe_header(OS_MAJOR, lambda _: 11), "needs Windows 11.0"),
    (PROGRAM, pe_header(SUBSYSTEM_MAJOR, lambda _: 11), "needs Windows 11.0"),
    (PROGRAM, without_directory(RESOURCES), "has no version resource"),
    (IMPORT_LIBRARY, lambda data: data[1:], "is not an archive"),
    (
        IMPORT_LIBRARY,
        swap(b"\0\0\xff\xff\0\0\x64\x86", b"\0\0\xff\xff\0\0\x64\xaa"),
        "another machine (0xaa64)",
    ),
    (IMPORT_LIBRARY, swap(b"\0ggml-base.dll", b"\0hgml-base.dll"), "imports from `hgml-base.dll`"),
    (
        IMPORT_LIBRARY,
        swap(b"gguf_two\0ggml", b"gguf_six\0ggml"),
        "lacks 1 functions of `ggml-base.dll`",
    ),
    (IMPORT_LIBRARY, lambda data: data[: len(data) // 2], "lacks"),
    (MODULE, swap(b"KERNEL32.dll", b"VULKAN-1.dll"), "`VULKAN-1.dll`, which is neither"),
    (MODULE, swap(b"ggml-base.dll", b"ggml-core.dll"), "`ggml-core.dll`, which is neither"),
    (BASE, swap(b"ggml-base.dll", b"ggml-core.dll"), "is called `ggml-core.dll` inside"),
]


@pytest.mark.parametrize(("name", "change", "rule"), BROKEN)
def test_a_broken_file_is_rejected(name: str, change: Break, rule: str, engines: Engines) -> None:
    files = engines(X86)
    found = check(X86, {**files, name: change(files[name])})
    assert any(line.startswith(f"{name}: ") and rule in line for line in found), found


def test_another_architecture_is_rejected(engines: Engines) -> None:
    assert any("is for AMD64" in line for line in check("windows-aarch64", engines(X86)))


def test_every_symbol_of_ggml_is_exported_beside(engines: Engines) -> None:
    files = engines(X86)
    module = swap(b"ggml_one", b"ggml_two")(files[MODULE])
    expected = "no library beside it exports ggml_two"
    assert f"{MODULE}: {expected}" in check(X86, {**files, MODULE: module})
    vulkan = "ggml-vulkan.dll"
    assert check_module(X86, vulkan, files[MODULE], files[BASE]) == []
    assert check_module(X86, vulkan, module, files[BASE]) == [f"{vulkan}: {expected}"]


def test_a_stub_wants_no_file_of_ours(engines: Engines) -> None:
    found = check_stub(X86, engines(X86)[PROGRAM])
    assert found == [
        "stub: wants `ggml-base.dll`, which is neither beside it nor a part of Windows"
    ]
