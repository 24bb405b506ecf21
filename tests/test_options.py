"""Options of the engine: native/options.toml, the tables made of it, and which the engine knows."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.repository import REPOSITORY

from ci.options import made
from packer.bundle.args import SAMPLING, check_options
from packer.engines.targets import for_this_machine
from packer.metadata import sampling
from runtime.errors import InputError
from runtime.formats.args_file import is_refused, refused
from runtime.formats.judged_options import JUDGED_OPTIONS


def test_the_tables_are_current() -> None:
    for path, text in made(REPOSITORY / "native").items():
        assert path.read_text() == text, f"{path}: run `python -m ci.options`"


def test_what_a_models_papers_say_is_about_the_model() -> None:
    """`generation_config.json` and cards become words of `.args` by these options only."""
    assert all(JUDGED_OPTIONS[option].is_of_model for option in SAMPLING.values())


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], []),
        (["-m", "a.gguf", "-c", "512", "..."], []),
        (["-m", "/zip/a.gguf", "--lora-scaled", "b.gguf:0.5,/zip/b.gguf:1"], []),
        (["-m", "--host", "--host", "x"], ["-m --host", "--host"]),
        (["--cors_origins", "*", "-c", "1"], ["--cors-origins"]),
        (["--lora", "b.gguf,../b.gguf"], ["--lora ../b.gguf"]),
        (["--chat-template-file", "/etc/passwd"], ["--chat-template-file /etc/passwd"]),
        (["--grammar-file", "$HOME/x"], ["--grammar-file $HOME/x"]),
        (["-c"], ["-c"]),
        (["-c", "..."], ["-c"]),
        (["--unheard-of", "x", "--host", "y"], ["--unheard-of"]),
        (["--fast", "--recompile"], ["--recompile"]),
    ],
)
def test_words(words: list[str], expected: list[str]) -> None:
    assert refused(words, {"a.gguf", "b.gguf"}) == expected


def test_a_stop_word_is_not_the_place_of_the_users_words() -> None:
    found = sampling.recommended({"stop_strings": ["...", "x"]}, {})
    assert "stop" not in found
    assert sampling.recommended({"stop_strings": ["....", "x"]}, {})["stop"] == ["....", "x"]


@pytest.mark.parametrize("key", ["host", "mcp-servers-json", "LLAMA_ARG_TOOLS", "stop-timeout"])
def test_keys_of_a_preset(key: str) -> None:
    assert is_refused(key)
    assert not is_refused("ctx-size")
    assert not is_refused("c")
    assert not is_refused("load-on-startup")


_ENGINE = """#!/bin/sh
printf '%s\\n' "$@" > "$(dirname "$0")/words"
for word; do
    case $word in --bad | '$NAME') echo "ERROR unknown argument: $word" >&2; exit 1 ;; esac
done
"""


@pytest.fixture
def engine(tmp_path: Path) -> Path:
    program = tmp_path / for_this_machine()[0].executable
    program.write_text(_ENGINE)
    program.chmod(0o755)
    return tmp_path


def test_what_the_engine_does_not_know(engine: Path) -> None:
    here = {for_this_machine()[0].name: engine}
    check_options(["-c", "...", "x"], here)
    words = (engine / "words").read_text().split()
    assert words == ["--version", "-c", "--version", "x"]  # in place of the user's words
    with pytest.raises(InputError, match="'--bad'") as problem:
        check_options(["-c", "1", "--bad"], here)
    assert problem.value.tip
    check_options(["$NAME"], here)  # who knows what it stands for


def test_engines_that_cannot_be_asked(engine: Path) -> None:
    here = for_this_machine()[0]
    check_options(["--bad"], {})
    check_options(["--bad"], {"openbsd-aarch64": engine})
    check_options(["--bad\0"], {here.name: engine})
    check_options([], {here.name: engine})
    (engine / here.executable).chmod(0o644)
    check_options(["--bad"], {here.name: engine})
    assert not (engine / "words").exists()
