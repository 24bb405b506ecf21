"""What the launcher reads out of an engine's words."""

from __future__ import annotations

import pytest
from helpers.repository import REPOSITORY

from runtime.launch.flags import DEFAULT_CONTEXT, Flags, positional, read_flags


def test_the_last_one_counts_in_any_spelling() -> None:
    flags = read_flags(["-m", "a", "--log_disable", "--model", "b", "-mm", "c", "--trust_args"])
    assert (flags.model, flags.mmproj, flags.quiet, flags.trusts_args) == ("b", "c", True, True)


def test_adapters_add_up() -> None:
    words = ["--lora", "a", "--lora-scaled", "b:0.5,c:d:2", "--lora", "e"]
    assert read_flags(words).adapters == ["a", "b", "c:d", "e"]


@pytest.mark.parametrize(
    "words",
    [
        ["-p", "-m", "-p", "--help"],
        ["--control-vector-layer-range", "-m", "--log-disable"],
        ["--api-key", "--trust-args"],
        ["-m"],
    ],
)
def test_values_are_not_flags(words: list[str]) -> None:
    assert read_flags(words) == Flags()


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["bench", "-m", "x"]])
def test_what_only_asks(words: list[str]) -> None:
    assert read_flags(words).only_asks


@pytest.mark.parametrize(
    ("words", "index"),
    [
        (["m.gguf", "-c", "5"], 0),
        (["-c", "5", "--ctx_size", "6", "m.gguf"], 4),
        (["--server", "m.gguf"], 1),
        (["--temp", "0", "--lora-scaled", "a:1", "m.gguf"], 4),
        (["-m", "m.gguf", "--cli"], None),
        (["-p", "-c", "m.gguf"], 2),
        ([], None),
    ],
)
def test_where_the_target_stands(words: list[str], index: int | None) -> None:
    assert positional(words) == index


def test_the_default_context_is_the_engine_s() -> None:
    engine = REPOSITORY / "native" / "engine"
    assert f"CONTEXT_DEFAULT = {DEFAULT_CONTEXT};" in (engine / "model.cpp").read_text()
    assert f"(default: {DEFAULT_CONTEXT}, " in (engine / "help.cpp").read_text()
