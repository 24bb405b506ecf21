"""Texts: the engine and the launcher read `.args` by the same rules; what the engine leaves of
strangers' text for a terminal."""

from __future__ import annotations

import subprocess
import unicodedata
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from runtime.errors import InputError
from runtime.formats.args_file import merge, parse
from tests.formats.test_args_file import CASES, ENVIRONMENT
from tests.native.conftest import Compiled

PIECES = ["$HOME", "${TWO}", "...", *"${}a1_\u00e9'\"\\# \n\t\r\v\0"]


@pytest.fixture(scope="session")
def program(compiled: Compiled) -> Path:
    return compiled("words_try.cpp", "words.cpp")


def of_engine(program: Path, text: str, user: list[str]) -> list[str] | None:
    done = subprocess.run(
        [program, *user], input=text.encode(), env=ENVIRONMENT, capture_output=True, check=False
    )
    assert done.returncode in (0, 1)
    return None if done.returncode else done.stdout.decode().split("\0")[:-1]


def of_launcher(text: str, user: list[str]) -> list[str] | None:
    try:
        return merge(parse(text, ENVIRONMENT), user)
    except InputError:
        return None


@pytest.mark.parametrize("text", CASES)
def test_the_cases(program: Path, text: str) -> None:
    assert of_engine(program, text, ["u", "v"]) == merge(CASES[text], ["u", "v"])


@settings(deadline=None, max_examples=400)
@example("a '", [])
@example("${HOME", ["..."])
@example("a\0b 'c\0'", [])
@given(
    st.lists(st.sampled_from(PIECES)).map("".join),
    st.lists(st.sampled_from(["u", "...", "", "a b"]), max_size=2),
)
def test_any_text(program: Path, text: str, user: list[str]) -> None:
    assert of_engine(program, text, user) == of_launcher(text, user)


@pytest.fixture(scope="session")
def cleaner(compiled: Compiled) -> Path:
    return compiled("utf8_try.cpp", "os/utf8.cpp")


def shown(cleaner: Path, data: bytes) -> bytes:
    return subprocess.run([cleaner], input=data, capture_output=True, check=True).stdout


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
def test_samples(cleaner: Path, data: bytes, expected: str) -> None:
    assert shown(cleaner, data).decode() == expected


@settings(deadline=None)
@given(st.lists(st.sampled_from([b"\xc2", b"\x1b", b"\x9b", b"\xe2", b"\x80", b"\xae", b"a"])))
def test_no_order_of_pieces_leaves_a_control(cleaner: Path, pieces: list[bytes]) -> None:
    text = shown(cleaner, b"".join(pieces)).decode()
    assert not [char for char in text if unicodedata.category(char) in ("Cc", "Cf")]
