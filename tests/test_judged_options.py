"""native/options.toml, and the tables that are made of it."""

from __future__ import annotations

import pytest
from helpers.repository import REPOSITORY
from helpers.stand_ins import CommandLine

from ci.options import made
from packer.bundle.args import SAMPLING
from packer.metadata import sampling
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


def test_the_manual_of_upgrade_names_the_way_out(llamapack: CommandLine) -> None:
    assert "--trust-args" in llamapack("upgrade", "--help").stdout
