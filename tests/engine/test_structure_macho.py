"""Each rule for macOS has a broken file that it rejects; our signatures keep all of them."""

from __future__ import annotations

import struct
from collections.abc import Callable

import lief
import pytest
from structure_samples import Break, Files, macho_command, names, patch, signed, swap

from packer.checks import check, check_module
from packer.head.macho_signature import (
    CODE_DIRECTORY,
    LC_CODE_SIGNATURE,
    LC_SEGMENT_64,
    commands,
    sign,
)

Engines = Callable[[str], Files]

ARM, INTEL = "macos-aarch64", "macos-x86_64"
BASE, MODULE, PROGRAM = names(ARM)
LC_ID_DYLIB, LC_BUILD_VERSION, LC_RPATH, LC_MAIN = 0xD, 0x32, 0x8000001C, 0x80000028
NO_COMMAND = struct.pack("<I", 0x29)  # LC_DATA_IN_CODE, which nobody misses


def version(major: int, minor: int) -> bytes:
    return struct.pack("<I", major << 16 | minor << 8)


def in_directory(offset: int, new: bytes) -> Break:
    """Replace bytes of the signature's CodeDirectory."""

    def broken(data: bytes) -> bytes:
        at = data.rindex(struct.pack(">I", CODE_DIRECTORY))
        return patch(at + offset, new)(data)

    return broken


def no_identifier(data: bytes) -> bytes:
    at = data.rindex(struct.pack(">I", CODE_DIRECTORY))
    return patch(at + struct.unpack_from(">I", data, at + 20)[0], b"\0")(data)


def flip(offset: int) -> Break:
    return lambda data: patch(offset, bytes([data[offset] ^ 1]))(data)


BROKEN: list[tuple[str, Break, str]] = [
    (PROGRAM, patch(0, b"\xca\xfe\xba\xbe"), "not a thin 64-bit Mach-O file"),
    (PROGRAM, lambda data: b"", "not a thin 64-bit Mach-O file"),
    (PROGRAM, signed(patch(4, struct.pack("<I", 0x01000007))), "is for X86_64, not for aarch64"),
    (PROGRAM, signed(patch(8, struct.pack("<I", 2))), "is for processor subtype 2"),
    (PROGRAM, signed(patch(12, b"\6")), "is of type DYLIB, which no program is"),
    (PROGRAM, signed(patch(24, struct.pack("<I", 0x85))), "not position-independent"),
    (PROGRAM, signed(patch(24, struct.pack("<I", 0x200005))), "(two-level names)"),
    (PROGRAM, signed(macho_command(LC_MAIN, 0, NO_COMMAND)), "has no entry point"),
    (PROGRAM, signed(swap(b"/usr/lib/dyld", b"/opt/lib/dyld")), "interpreter is not `/usr/lib/dyl"),
    (PROGRAM, signed(macho_command(LC_BUILD_VERSION, 12, version(14, 0))), "needs macOS 14.0.0"),
    (PROGRAM, signed(macho_command(LC_BUILD_VERSION, 12, version(13, 1))), "needs macOS 13.1.0"),
    (PROGRAM, signed(macho_command(LC_BUILD_VERSION, 8, b"\2")), "for the platform IOS"),
    (PROGRAM, signed(macho_command(LC_BUILD_VERSION, 0, NO_COMMAND)), "has no minimum macOS"),
    (
        PROGRAM,
        signed(swap(b"/usr/lib/libS", b"/opt/lib/libS")),
        "which is not a library of the syst",
    ),
    (MODULE, signed(swap(b"@rpath/libggml-base", b"@rpath/libggml-core")), "is not beside it"),
    (
        MODULE,
        signed(swap(b"@rpath/libggml-base", b"@build/libggml-base")),
        "not a library of the sys",
    ),
    (MODULE, signed(swap(b"@loader_path", b"/usr/local/x")), "not in `@loader_path`"),
    (MODULE, signed(macho_command(LC_RPATH, 0, NO_COMMAND)), "in [], not in `@loader_path`"),
    (BASE, signed(macho_command(LC_ID_DYLIB, 24, b"@build")), "is called `@build/libggml-base"),
    (PROGRAM, signed(macho_command(LC_SEGMENT_64, 60, b"\7")), "is writable and executable"),
    (PROGRAM, macho_command(LC_CODE_SIGNATURE, 0, NO_COMMAND), "has no signature"),
    (PROGRAM, flip(40), "does not fit 1 pages, at 0x0"),
    (PROGRAM, flip(0x9000), "does not fit 1 pages, at 0x8000"),
    (PROGRAM, lambda data: data + b"more", "__LINKEDIT does not end where the file ends"),
    (PROGRAM, lambda data: data + b"more", "not the last thing in the file"),
    (PROGRAM, lambda data: data[:-32], "ends after the end of the file"),
    (PROGRAM, swap(bytes.fromhex("fade0cc0"), bytes.fromhex("fade0cc9")), "cannot be read"),
    (PROGRAM, in_directory(0, b"\0"), "not of version 0x20400"),
    (PROGRAM, in_directory(8, struct.pack(">I", 0x20100)), "not of version 0x20400"),
    (PROGRAM, in_directory(12, struct.pack(">I", 0)), "not marked as ad-hoc"),
    (PROGRAM, in_directory(28, struct.pack(">I", 1)), "has 1 page hashes"),
    (PROGRAM, in_directory(32, struct.pack(">I", 99)), "covers 99 bytes"),
    (PROGRAM, in_directory(37, b"\1"), "not of SHA-256"),
    (PROGRAM, in_directory(39, b"\0"), "pages are of 2^0 bytes"),
    (PROGRAM, no_identifier, "has no identifier"),
]


@pytest.mark.parametrize(("name", "change", "rule"), BROKEN)
def test_a_broken_file_is_rejected(name: str, change: Break, rule: str, engines: Engines) -> None:
    files = engines(ARM)
    found = check(ARM, {**files, name: change(files[name])})
    assert any(line.startswith(f"{name}: ") and rule in line for line in found), found


def test_another_architecture_is_rejected(engines: Engines) -> None:
    assert any("is for ARM64, not for x86_64" in line for line in check(INTEL, engines(ARM)))


def test_requirements_belong_to_the_signature(engines: Engines) -> None:
    files = engines(INTEL)
    broken = swap(
        bytes.fromhex("fade0c010000000c00000000"), bytes.fromhex("fade0c010000000c00000001")
    )
    found = check(INTEL, {**files, PROGRAM: broken(files[PROGRAM])})
    assert found == [f"{PROGRAM}: its signature does not fit its requirements"]


def test_every_symbol_of_ggml_is_exported_beside(engines: Engines) -> None:
    files = engines(ARM)
    module = signed(swap(b"_ggml_one", b"_ggml_two"))(files[MODULE])
    expected = "no library beside it exports ggml_two"
    assert f"{MODULE}: {expected}" in check(ARM, {**files, MODULE: module})
    metal = "libggml-metal.so"
    assert check_module(ARM, metal, files[MODULE], files[BASE]) == []
    assert check_module(ARM, metal, module, files[BASE]) == [f"{metal}: {expected}"]


@pytest.mark.parametrize("target", [ARM, INTEL])
@pytest.mark.parametrize("name", [BASE, MODULE, PROGRAM])
def test_signing_twice_is_signing_once(target: str, name: str, engines: Engines) -> None:
    data = engines(target)[name]
    once = sign(data, "org.example.sample")
    assert sign(once, "org.example.sample") == once
    assert b"org.example.sample\0" in once
    assert check(target, {**engines(target), name: once}) == []


def test_a_signature_is_added_where_there_was_none(engines: Engines) -> None:
    data = unsigned(engines(INTEL)[PROGRAM])
    files = {**engines(INTEL), PROGRAM: data}
    assert check(INTEL, files) == [f"{PROGRAM}: has no signature (LC_CODE_SIGNATURE)"]
    again = sign(data, PROGRAM)
    assert check(INTEL, {**files, PROGRAM: again}) == []
    binary = lief.MachO.parse(again)
    assert binary is not None
    first = binary.at(0)
    assert first is not None
    assert first.code_signature is not None
    assert first.code_signature.data_offset % 16 == 0
    assert lief.MachO.check_layout(first)[0]


def unsigned(data: bytes) -> bytes:
    """Take LC_CODE_SIGNATURE, which is the last command, and the signature away."""
    at = next(at for kind, at, _ in commands(data) if kind == LC_CODE_SIGNATURE)
    start = struct.unpack_from("<I", data, at + 8)[0]
    count, size = struct.unpack_from("<II", data, 16)
    out = bytearray(data[:start])
    out[at : at + 16] = bytes(16)
    struct.pack_into("<II", out, 16, count - 1, size - 16)
    for kind, segment, _ in commands(bytes(out)):
        if kind == LC_SEGMENT_64 and out[segment + 8 : segment + 18] == b"__LINKEDIT":
            offset = struct.unpack_from("<Q", out, segment + 40)[0]
            struct.pack_into("<Q", out, segment + 48, start - offset)
    return bytes(out)


@pytest.mark.parametrize(
    "data",
    [b"", b"MZ" * 100, b"\xcf\xfa\xed\xfe" + b"\xff" * 100, b"\xcf\xfa\xed\xfe" + bytes(100)],
)
def test_what_is_no_macho_file_is_not_signed(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"Mach-O|cut off|no __TEXT"):
        sign(data, "x")


def test_a_file_without_room_is_not_signed(engines: Engines) -> None:
    data = unsigned(engines(INTEL)[PROGRAM])
    end = 32 + struct.unpack_from("<I", data, 20)[0]
    with pytest.raises(ValueError, match="no room"):
        sign(patch(end, b"x")(data), "x")
    with pytest.raises(ValueError, match="does not end where the file ends"):
        sign(data + b"x", "x")
