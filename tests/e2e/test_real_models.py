"""Models that people use compute what upstream's own program and `transformers` compute."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from math import inf
from pathlib import Path

import numpy as np
import pytest
from helpers.real_models import GEMMA, MINILM, SMOLLM2
from helpers.running import fetched, pack, run, serving, succeed, upstream_answer
from numpy.typing import NDArray

from packer.convert.converter import offline_environment

pytestmark = pytest.mark.usefixtures("engines", "models")

PROMPTS = (
    "The capital of France is",
    "def fibonacci(n):",
    "Wasser kocht bei",
)
STEPS = 48
NEARLY = 1.5
"""Largest difference of log-probabilities for which a CPU variant may choose another token. With
AVX-512 0.14 was seen for SmolLM2 and 0.52 for Gemma; a wrong sum makes it many times as large."""
ONE_THREAD = ("-t", "1")
"""On a busy machine two wait for each other."""
REFERENCE = Path(__file__).parent / "convert" / "reference" / "embeddings.py"
TEXTS = (
    "Hi",
    "The quick brown fox jumps over the lazy dog.",
    "  Blanks,\tline\nbreaks and 12,345.67 numbers  ",
    "Zwölf Boxkämpfer jagen Éric quer über den großen Sylter Deich.",
    "Быстрая коричневая лиса прыгает через ленивую собаку.",
    "敏捷的棕色狐狸跳过了懒狗。東京は日本の首都で、ガラスが好きです。",
    "emoji 🦙🎉 and signs ∑ → ≤ ½ ﬁ",
    "A llamafile is one file that holds a model and the program that runs it. " * 24,
)
UNLIKE = ("서울은 한국의 수도이다.", "हिन्दी में")
"""Upstream's tokenizer for BERT drops vowels of these scripts: of a Hangul syllable it keeps the
first letter, and it takes Devanagari's vowel signs for accents."""


@pytest.mark.parametrize("model", [SMOLLM2, GEMMA], ids=lambda path: path.stem)
def test_the_text_of_upstreams_own_program(model: Path, tmp_path: Path) -> None:
    """Byte for byte from the static engine, since `ci.upstream` has its compiler, its instruction
    set and its C library. With others sums are rounded in other ways (glibc's `cosf` and `expf` are
    not musl's), and a greedy text goes another way where two tokens are nearly as likely: the CPU
    variant of this machine may do so there only."""
    static = pack(model, "--targets", "linux-x86_64-static", output=tmp_path / "static.llamafile")
    for prompt in PROMPTS:
        asked = ("-p", prompt, "-n", str(STEPS), "--temp", "0", *ONE_THREAD)
        expected = upstream_answer(model, *asked, runs=2)
        assert len(expected) > len(prompt) + STEPS
        done = run(["sh", static, "--cli", *asked])
        assert (done.stdout, done.returncode) == (expected, 0), done.stderr.decode()

    with serving(static, *ONE_THREAD) as server:
        texts = [greedy_tokens(server.url, prompt) for prompt in PROMPTS]
    variants = pack(model, "--targets", "linux-x86_64", output=tmp_path / "variants.llamafile")
    with serving(variants, *ONE_THREAD) as server:
        gaps = [gap for text in texts for gap in choice_gaps(server.url, *text)]
    print(f"{model.stem}: {np.count_nonzero(gaps)} other choices, {max(gaps):.3f}")
    assert len(gaps) > STEPS
    assert max(gaps) < NEARLY


def greedy_tokens(url: str, prompt: str) -> tuple[list[int], list[int]]:
    """The prompt's tokens, and those that follow."""
    asked = fetched(f"{url}/tokenize", {"content": prompt, "add_special": True})["tokens"]
    settings = {"n_predict": STEPS, "temperature": 0, "return_tokens": True}
    return asked, fetched(f"{url}/completion", {"prompt": asked, **settings})["tokens"]


def choice_gaps(url: str, prompt: list[int], tokens: list[int]) -> Iterator[float]:
    """For each token, by how much its log-probability is below that of the likeliest."""
    settings = {"n_predict": 1, "temperature": 0, "n_probs": 20}
    for position, token in enumerate(tokens):
        before = [*prompt, *tokens[:position]]
        answer = fetched(f"{url}/completion", {"prompt": before, **settings})
        top = answer["completion_probabilities"][0]["top_logprobs"]
        found = {one["id"]: one["logprob"] for one in top}
        yield top[0]["logprob"] - found.get(token, -inf)


@pytest.mark.parametrize("kind", ["f32", "f16"])
def test_embeddings_of_transformers(
    kind: str, minilm_vectors: NDArray[np.float64], tmp_path: Path
) -> None:
    succeed("convert", MINILM, "-o", tmp_path / "m.gguf", "--type", kind)
    bundle = pack(tmp_path / "m.gguf", "--targets", "linux-x86_64", output=tmp_path / "m.llamafile")
    with serving(bundle, "--embeddings", *ONE_THREAD) as server:
        data = fetched(f"{server.url}/v1/embeddings", {"input": [*TEXTS, *UNLIKE]})["data"]
    vectors = np.array([one["embedding"] for one in data])
    cosines = (vectors * minilm_vectors).sum(1) / np.linalg.norm(vectors, axis=1)
    print(kind, cosines)
    assert cosines[: len(TEXTS)].min() >= 0.9999
    # A release that mends it: then these belong to the others.
    assert cosines[len(TEXTS) :].max() < 0.9999


@pytest.fixture(scope="module")
def minilm_vectors(python_with_torch: Path) -> NDArray[np.float64]:
    """Of length 1, one for each of `TEXTS` and `UNLIKE`."""
    done = subprocess.run(
        [python_with_torch, REFERENCE, MINILM],
        input=json.dumps([*TEXTS, *UNLIKE]), env=offline_environment(),
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return np.array(json.loads(done.stdout))
