"""What the launcher reads out of an engine's words."""

from __future__ import annotations

import pytest

from runtime.errors import InputError
from runtime.launch.flags import positional, read_flags


def test_the_last_one_counts_in_any_spelling() -> None:
    flags = read_flags(["-c", "1", "--ctx_size", "2000", "-ngl", "all", "--gpu", "cuda"], {})
    settings = flags.settings(8192)
    assert settings.context == 2000
    assert flags.gpu_layers is not None
    assert flags.gpu_layers > 1000


@pytest.mark.parametrize(
    ("words", "trained", "context"),
    [
        ([], 4096, 4096),
        ([], 131072, 8192),
        ([], None, 8192),
        (["-c", "0"], 131072, 131072),
        (["-p", "-c", "-c", "300"], 4096, 300),
        (["-p", "-c 9", "--api-key", "-c"], 4096, 4096),
        (["-c"], 4096, 4096),
    ],
)
def test_contexts(words: list[str], trained: int | None, context: int) -> None:
    assert read_flags(words, {}).settings(trained).context == context


def test_the_environment_counts_less() -> None:
    environment = {"LLAMA_ARG_CTX_SIZE": "512", "LLAMA_ARG_N_PARALLEL": "2"}
    assert read_flags([], environment).settings(4096).context == 512
    assert read_flags(["-c", "1024"], environment).settings(4096).context == 1024
    assert read_flags([], environment).settings(4096).sequences == 2


@pytest.mark.parametrize(
    ("words", "sequences", "unified"),
    [
        (["--server"], 4, True),
        ([], 4, True),
        (["--cli", "-p", "x"], 1, False),
        (["-p", "x"], 1, False),
        (["--server", "-np", "2"], 2, False),
        (["--server", "-np", "2", "-kvu"], 2, True),
    ],
)
def test_sequences(words: list[str], sequences: int, unified: bool) -> None:
    settings = read_flags(words, {}).settings(4096)
    assert (settings.sequences, settings.unified) == (sequences, unified)


@pytest.mark.parametrize(
    ("words", "layers"),
    [
        ([], None),
        (["-ngl", "auto"], None),
        (["-ngl", "7"], 7),
        (["-ngl", "7", "--gpu", "disable"], 0),
        (["--device", "none"], 0),
    ],
)
def test_layers(words: list[str], layers: int | None) -> None:
    assert read_flags(words, {}).gpu_layers == layers


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["bench", "-m", "x"]])
def test_what_only_asks(words: list[str]) -> None:
    assert read_flags(words, {}).only_asks


@pytest.mark.parametrize("words", [["-c", "many"], ["-c", "-5"], ["-ctk", "q9_9"], ["-b", "x"]])
def test_what_cannot_be_understood_is_refused(words: list[str]) -> None:
    with pytest.raises(InputError) as problem:
        read_flags(words, {}).settings(4096)
    assert problem.value.tip


@pytest.mark.parametrize(
    ("words", "index"),
    [
        (["m.gguf", "-c", "5"], 0),
        (["-c", "5", "--ctx_size", "6", "m.gguf"], 4),
        (["--server", "m.gguf"], 1),
        (["-m", "m.gguf", "--cli"], None),
        (["-p", "-c", "m.gguf"], 2),
        ([], None),
    ],
)
def test_where_the_target_stands(words: list[str], index: int | None) -> None:
    assert positional(words) == index
