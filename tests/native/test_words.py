"""The engine and the launcher read `.args` by the same rules."""

from __future__ import annotations

import subprocess
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
