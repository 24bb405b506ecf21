"""Converted models compute what `transformers` computes with the originals in float32."""

from __future__ import annotations

from pathlib import Path

import pytest
from converting import Expected, Models, started

pytestmark = pytest.mark.usefixtures("engines")

NAMES = ("llama", "gemma2")
# Of the log-probabilities of all 512 tokens, which are the logits less a constant: the largest
# difference, and the mean one, to those of `transformers`. They have a standard deviation of 2
# (Llama) and 3 (Gemma 2): random weights make much of small changes.
TOLERANCES = {
    "F32": (0.02, 0.005),
    "BF16": (0.8, 0.2),
    "Q8_0": (2.5, 0.5),
    "Q6_K": (5.0, 1.0),
}


def _differences(expected: Expected, actual: dict[int, list[float]]) -> tuple[float, float]:
    all_of_them = [
        abs(a - b)
        for step, values in actual.items()
        for a, b in zip(values, expected.logprobs[step], strict=True)
    ]
    return max(all_of_them), sum(all_of_them) / len(all_of_them)


@pytest.mark.parametrize("name", NAMES)
def test_the_same_64_tokens_from_a_folder_of_safetensors(
    name: str, models: Models, tmp_path: Path
) -> None:
    expected = models.expected(name)
    assert len(set(expected.tokens)) > 4
    output = tmp_path / "m.llamafile"
    with started(models.folder / name, "--quant", "f32", output=output) as engine:
        for text, tokens in expected.texts.items():
            asked = engine.ask("/tokenize", content=text, add_special=True)
            assert asked["tokens"] == tokens, text
        assert engine.greedy(expected.prompt, 64, expected.banned) == expected.tokens
    assert [path.name for path in tmp_path.iterdir()] == ["m.llamafile"]


@pytest.mark.parametrize("kind", TOLERANCES)
@pytest.mark.parametrize("name", NAMES)
def test_logits_within_tolerance(
    name: str, kind: str, models: Models, whole: dict[str, Path], tmp_path: Path
) -> None:
    expected = models.expected(name)
    quantize = [] if kind == "F32" else ["--quant", kind]
    with started(whole[name], *quantize, output=tmp_path / "m.llamafile") as engine:
        actual = {
            step: engine.logprobs(
                expected.prompt + expected.tokens[:step], len(values), expected.banned
            )
            for step, values in expected.logprobs.items()
        }
    largest, mean = _differences(expected, actual)
    print(f"{name} {kind}: largest {largest:.5f}, mean {mean:.5f}")
    assert largest < TOLERANCES[kind][0]
    assert mean < TOLERANCES[kind][1]


def test_an_adapter_changes_the_answer_as_in_peft(models: Models, tmp_path: Path) -> None:
    expected = models.expected("adapter")
    assert expected.margin > 0.0005, "another seed: here rounding may choose another token"
    assert expected.tokens != models.expected("llama").tokens
    words = [models.folder / "llama", "--quant", "F32", "--lora", models.folder / "adapter"]
    with started(*words, output=tmp_path / "m.llamafile") as engine:
        assert engine.greedy(expected.prompt, 64, expected.banned) == expected.tokens
