"""What the engine leaves of strangers' text for a terminal."""

from __future__ import annotations

import subprocess
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.native.conftest import Compiled


@pytest.fixture(scope="session")
def program(compiled: Compiled) -> Path:
    return compiled("utf8_try.cpp", "os/utf8.cpp")


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
