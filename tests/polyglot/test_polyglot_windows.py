"""The Windows program that a bundle is: PE headers, their rules, and Wine."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import os
import struct
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_bundle import WINDOWS, broken_rules, needs, write_bundle

from packer.engines import stubs
from packer.head import pe
from packer.head.head import HEAD_SIZE, NT_HEADERS, PAGE, build_head


def test_what_shells_read_holds_no_nul_but_those_of_e_lfanew(windows_head: bytes) -> None:
    parsed = windows_head[: windows_head.rindex(b"\nexit 1\n", 0, PAGE)]
    assert windows_head.startswith(b"MZqFpD='\n")
    assert parsed[0x3C:0x40] == b"x\r\0\0"
    others = parsed[:0x3C] + parsed[0x40:]
    assert all(byte in b"\n\t" or 0x20 <= byte < 0x7F for byte in others)
    assert parsed[8:].index(b"'") + 8 == 0x41
    assert int.from_bytes(parsed[0x18:0x1A], "little") >= 0x40


def test_headers_lie_behind_the_script(windows_head: bytes, windows_stub: bytes) -> None:
    old, new = pe.parse(windows_stub), pe.parse(windows_head)
    assert int.from_bytes(windows_head[0x3C:0x40], "little") == NT_HEADERS
    assert windows_head.rindex(b"\nexit 1\n", 0, PAGE) < NT_HEADERS < PAGE
    assert windows_head[NT_HEADERS:].startswith(new.pack())
    assert new.optional.headers_size == PAGE
    for a, b in zip(old.sections, new.sections, strict=True):
        assert dataclasses.replace(a, raw_offset=0) == dataclasses.replace(b, raw_offset=0)
        want = windows_stub[a.raw_offset : a.raw_offset + a.raw_size]
        assert windows_head[b.raw_offset : b.raw_offset + b.raw_size] == want


def test_rules_hold(windows_head: bytes, tmp_path: Path) -> None:
    assert broken_rules(tmp_path, windows_head) == []


def test_a_program_without_room_for_headers(windows_stub: bytes) -> None:
    image = pe.parse(windows_stub)
    near = tuple(dataclasses.replace(s, address=s.address - 0xF800) for s in image.sections)
    with pytest.raises(ValueError, match="first section is at 0x800"):
        pe.embed(dataclasses.replace(image, sections=near), at=HEAD_SIZE, headers_at=NT_HEADERS)


def test_what_refers_to_the_file_is_taken_out(windows_stub: bytes) -> None:
    image = pe.parse(windows_stub)
    image = dataclasses.replace(
        image,
        optional=dataclasses.replace(image.optional, checksum=9),
        directories=tuple((0x20000, 8) for _ in image.directories),
    )
    new = pe.embed(image, at=HEAD_SIZE, headers_at=NT_HEADERS)
    parsed = pe.parse(b"MZ".ljust(0x3C) + struct.pack("<I", 64) + new)
    assert parsed.optional.checksum == 0
    assert parsed.directories[pe.CERTIFICATE] == parsed.directories[pe.DEBUG] == (0, 0)


def test_windows_on_arm_starts_through_x86_64(
    stubs: dict[str, bytes], windows_stub: bytes, windows_head: bytes
) -> None:
    with pytest.raises(ValueError, match="windows-aarch64 starts through windows-x86_64"):
        build_head({**stubs, "windows-aarch64": b"MZ"})
    both = build_head({**stubs, "windows-x86_64": windows_stub, "windows-aarch64": b"MZ"})
    assert len(both) == len(windows_head)
    assert both[NT_HEADERS:] == windows_head[NT_HEADERS:]
    assert b"linux-x86_64, windows-aarch64, windows-x86_64" in both[:NT_HEADERS]


def test_too_many_sections(stubs: dict[str, bytes], windows_stub: bytes) -> None:
    image = pe.parse(windows_stub)
    many = dataclasses.replace(image, sections=image.sections * 2).pack()
    place = int.from_bytes(windows_stub[0x3C:0x40], "little")
    program = windows_stub[:place] + many + windows_stub[place + len(many) :]
    with pytest.raises(ValueError, match="too many sections"):
        build_head({**stubs, "windows-x86_64": program})


@given(st.data())
def test_parser_says_what_is_wrong(data: st.DataObject) -> None:
    """Whatever the bytes: an image or a ValueError; and what is an image is written as it was."""
    noise = data.draw(st.binary(max_size=700))
    at = data.draw(st.integers(0, 100))
    coff = struct.pack("<4sHHIIIHH", b"PE\0\0", pe.AMD64, data.draw(st.integers(0, 4)), 0, 0, 0,
                       data.draw(st.sampled_from([112, 128, 240])), 0x22)  # fmt: skip
    optional = struct.pack("<H", data.draw(st.sampled_from([0x20B, 0x10B])))
    body = bytes(at) + coff + optional + noise
    image = b"MZ".ljust(0x3C) + struct.pack("<I", 0x40 + at) + body
    count = data.draw(st.integers(0, 20))
    place = 0x40 + at + 24 + 108
    image = image[:place] + struct.pack("<I", count) + image[place + 4 :]
    with contextlib.suppress(ValueError):
        assert image[0x40 + at :].startswith(pe.parse(image).pack())


@given(st.binary(max_size=200))
def test_parser_takes_any_bytes(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"MZ|PE|cut off|Optional"):
        pe.parse(data)


def test_links_to_the_same_bytes_in_a_folder_with_blanks(
    zig: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, arguments = tmp_path / "x.c", ["-target", WINDOWS, "-O1", "-s"]
    source.write_text("int main(void) { return 3; }")
    built = []
    for name in ("a b c", "plain"):
        folder = tmp_path / name
        folder.mkdir()
        monkeypatch.setattr("tempfile.tempdir", str(folder))
        stubs.link_windows(zig, [*arguments, source], folder / "x.exe")
        built.append((folder / "x.exe").read_bytes())
        time.sleep(1.1)  # the clock's time in a program has whole seconds
    assert built[0] == built[1]
    assert pe.parse(built[0]).optional.section_alignment == stubs.SECTION_ALIGNMENT


def test_a_program_that_does_not_compile(zig: Path, tmp_path: Path) -> None:
    source = tmp_path / "x.c"
    source.write_text("int main( {")
    with pytest.raises(subprocess.CalledProcessError):
        stubs.link_windows(zig, ["-target", WINDOWS, "-O1", source], tmp_path / "x.exe")


def reader(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        pytest.skip(f"{name} is not installed")


def test_lief_finds_the_layout_sound(windows_head: bytes) -> None:
    lief = reader("lief")
    binary = lief.PE.parse(list(windows_head))
    assert lief.PE.check_layout(binary) == (True, "")
    assert binary.has_relocations
    assert binary.has_tls
    assert binary.has_exceptions
    assert {"kernel32.dll"} <= {library.name.lower() for library in binary.imports}


def test_pefile_warns_of_nothing_but_padding(windows_head: bytes) -> None:
    pefile = reader("pefile")
    warnings = pefile.PE(data=windows_head).get_warnings()
    assert [text for text in warnings if not text.startswith("Byte 0x00 makes up")] == []


@pytest.fixture(scope="session")
def wine(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a Wine of this test run's own."""
    needs("wine")
    folder = tmp_path_factory.mktemp("wine")
    env = {**os.environ, "WINEPREFIX": str(folder), "WINEDEBUG": "-all", "HOME": str(folder)}
    env.pop("DISPLAY", None)
    subprocess.run(["wineboot", "-i"], env=env, capture_output=True, check=False, timeout=300)
    return env


def test_under_wine(wine: dict[str, str], tmp_path: Path, windows_head: bytes) -> None:
    bundle = write_bundle(tmp_path / "a bundle.exe", windows_head, {})
    done = subprocess.run(
        ["wine", str(bundle), "one", "t wo"],
        env=wine, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    want = "local 41 42\nsignature PE\nunwind 1\nargument one\nargument t wo\nfaulted\n"
    assert (done.returncode, done.stdout) == (7, want)
