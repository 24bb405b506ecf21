"""What tests of conversion do with models: convert them, start them, ask them for numbers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from helpers.running import fetched, pack, serving

TARGET = "linux-x86_64"
EXACT = ("-ctk", "f32", "-ctv", "f32", "-fa", "off", "-c", "256", "-t", "1", "-tb", "1")
"""No rounding of what the engine keeps between tokens, as `transformers` does none; and one
thread, since several wait for each other on busy machines."""


@dataclass(frozen=True)
class Expected:
    """What `transformers` computes with a model in float32."""

    prompt: list[int]
    tokens: list[int]
    """The likeliest after the prompt, one by one, `banned` aside."""
    banned: list[int]
    """Single bytes and the end of the text."""
    logprobs: dict[int, list[float]]
    """By how many of `tokens` come before: the logarithm of each token's probability."""
    margin: float
    """The least difference of log-probabilities between the likeliest token and the next."""
    texts: dict[str, list[int]]
    """Tokens of some texts."""


@dataclass(frozen=True)
class Models:
    """Checkpoints, and what is computed with them."""

    folder: Path
    """Holds `llama`, `gemma2` and `adapter`."""

    def expected(self, name: str) -> Expected:
        found = json.loads((self.folder / "expected.json").read_text())[name]
        logprobs = {int(step): values for step, values in found["logprobs"].items()}
        return Expected(**{"texts": {}, **found, "logprobs": logprobs})


@dataclass(frozen=True)
class Engine:
    """A model that was started."""

    url: str

    def ask(self, path: str, **body: Any) -> Any:
        return fetched(f"{self.url}{path}", body)

    def greedy(self, prompt: list[int], count: int, banned: list[int]) -> list[int]:
        """The likeliest tokens after a prompt, some aside."""
        answer = self.ask(
            "/completion", prompt=prompt, n_predict=count, temperature=0, return_tokens=True,
            cache_prompt=False, logit_bias=[[token, False] for token in banned],
        )  # fmt: skip
        return list(answer["tokens"])

    def logprobs(self, tokens: list[int], vocabulary: int, banned: list[int]) -> list[float]:
        """For each token, also those that may not, the logarithm of the probability that it
        comes next."""
        answer = self.ask(
            "/completion", prompt=tokens, n_predict=1, temperature=0, n_probs=vocabulary,
            cache_prompt=False, logit_bias=[[token, False] for token in banned],
        )  # fmt: skip
        found = {
            entry["id"]: entry["logprob"]
            for entry in answer["completion_probabilities"][0]["top_logprobs"]
        }
        assert sorted(found) == list(range(vocabulary))
        return [found[token] for token in range(vocabulary)]


@contextmanager
def started(*words: str | Path, output: Path) -> Iterator[Engine]:
    """What `pack` makes of these words, started."""
    bundle = pack(*words, "--targets", TARGET, output=output)
    with serving(bundle, *EXACT) as server:
        yield Engine(server.url)
