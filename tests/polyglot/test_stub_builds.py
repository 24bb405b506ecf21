"""The stub of every target: it compiles, is of the right kind, small, and the same every time."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from packer.engines.stubs import STUB_TARGETS, build_stub, build_stubs

KIB = 1024


@pytest.fixture(scope="module")
def all_stubs(zig: Path) -> dict[str, bytes]:
    return build_stubs(STUB_TARGETS, zig)


def test_targets(all_stubs: dict[str, bytes]) -> None:
    assert len(STUB_TARGETS) == 12
    assert tuple(all_stubs) == STUB_TARGETS


ELF_MACHINES = {"x86_64": 62, "aarch64": 183}
MACHO_CPUS = {"x86_64": 0x01000007, "aarch64": 0x0100000C}
PE_MACHINES = {"x86_64": 0x8664, "aarch64": 0xAA64}


@pytest.mark.parametrize("target", STUB_TARGETS)
def test_format_and_machine(all_stubs: dict[str, bytes], target: str) -> None:
    data = all_stubs[target]
    system, machine = target.split("-")
    if system == "windows":
        at = int.from_bytes(data[0x3C:0x40], "little")
        assert (data[:2], data[at : at + 4]) == (b"MZ", b"PE\0\0")
        assert struct.unpack_from("<H", data, at + 4) == (PE_MACHINES[machine],)
    elif system == "macos":
        assert struct.unpack_from("<II", data) == (0xFEEDFACF, MACHO_CPUS[machine])
    else:
        assert data[:4] == b"\x7fELF"
        assert struct.unpack_from("<H", data, 18) == (ELF_MACHINES[machine],)


@pytest.mark.parametrize("target", STUB_TARGETS)
def test_size(all_stubs: dict[str, bytes], target: str) -> None:
    # arm64 macOS has pages of 16 KiB, and its linker starts four segments on pages of their own.
    limit = {"windows-x86_64": 128, "macos-aarch64": 96}.get(target, 64)
    assert len(all_stubs[target]) <= limit * KIB


def test_windows_resources(all_stubs: dict[str, bytes]) -> None:
    for target in ("windows-x86_64", "windows-aarch64"):
        data = all_stubs[target]
        for text in (b"longPathAware", b'level="asInvoker"', b">UTF-8</activeCodePage>"):
            assert text in data
        for word in ("FileDescription", "Language model (llamapack)"):
            assert word.encode("utf-16-le") in data


def test_openbsd_keeps_its_notes(all_stubs: dict[str, bytes]) -> None:
    for target in ("openbsd-x86_64", "openbsd-aarch64"):
        assert b"OpenBSD\0\0\0\0\0" in all_stubs[target]
        # IBT; BTI and PAC.
        feature = struct.pack("<II", *((0xC0000002, 4) if "x86" in target else (0xC0000000, 4)))
        assert feature in all_stubs[target]


@pytest.mark.parametrize("target", ["linux-aarch64", "macos-aarch64", "windows-x86_64"])
def test_same_bytes_every_time(
    all_stubs: dict[str, bytes], target: str, zig: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("LLAMAPACK_BUILD_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("ZIG_LOCAL_CACHE_DIR", str(tmp_path / "zig"))
    assert build_stub(target, zig, tmp_path / "out").read_bytes() == all_stubs[target]
