"""What the engine leaves of strangers' text for a terminal."""

from __future__ import annotations

import shutil
import subprocess
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from packer.engine import native, toolchain


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    built = tmp_path_factory.mktemp("utf8") / "try"
    folder = native.directory() / "engine" / "os"
    sources = [Path(__file__).with_name("utf8_try.cpp"), folder / "utf8.cpp"]
    found = shutil.which("g++")  # zig would first compile a C++ library
    compiler = [found] if found else [toolchain._zig(), "c++"]
    command = [*compiler, "-std=c++17", "-Wall", "-Wextra", f"-I{folder}", *sources]
    subprocess.run([*command, "-o", built], check=True)
    return built


def shown(program: Path, data: bytes) -> bytes:
    return subprocess.run([program], input=data, capture_output=True, check=True).stdout


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"\xc2\x1b\x9b2J", "\ufffd\ufffd2J"),  # were ESC dropped alone, CSI would be left
        (b"\xe2\x1b\x80\x1b\xae", "\ufffd\ufffd\ufffd"),
        (b"a\xffb\xc3", "a\ufffdb\ufffd"),
        ("a\u202eb\u2066c\u200fd\x9b\x1b[2J\te\n".encode(), "abcd[2J\te\n"),
        ("日本 é 🎉".encode(), "日本 é 🎉"),
    ],
)
def test_samples(program: Path, data: bytes, expected: str) -> None:
    assert shown(program, data).decode() == expected


@settings(deadline=None)
@given(st.lists(st.sampled_from([b"\xc2", b"\x1b", b"\x9b", b"\xe2", b"\x80", b"\xae", b"a"])))
def test_no_order_of_pieces_leaves_a_control(program: Path, pieces: list[bytes]) -> None:
    text = shown(program, b"".join(pieces)).decode()
    assert not [char for char in text if unicodedata.category(char) in ("Cc", "Cf")]
