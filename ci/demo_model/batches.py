"""Turns conversations into token numbers, and these into training batches."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ci.demo_model.dialogue import SYSTEM_PROMPTS, Dialogue, Turn
from ci.demo_model.tokenizer import END_OF_TEXT, IM_END, IM_START, Tokenizer

IGNORED = -100  # a target that does not count in the loss
_TOKENS_PER_BATCH = 1152


def message(role: str, text: str) -> str:
    """One message as the chat template renders it."""
    return f"{IM_START}{role}\n{text}{IM_END}\n"


def chat_prompt(turns: Sequence[Turn], question: str, system: str = "") -> str:
    """A conversation up to where the answer to `question` begins, as the template renders it."""
    prompt = message("system", system) if system else ""
    for turn in turns:
        prompt += message("user", turn.question) + message("assistant", turn.answer)
    return prompt + message("user", question) + f"{IM_START}assistant\n"


@dataclass
class Sample:
    """Token numbers, and for each whether the model shall learn to say it."""

    ids: list[int]
    learned: list[bool]

    @classmethod
    def empty(cls) -> "Sample":
        """A sample without tokens."""
        return cls([], [])

    def add(self, ids: list[int], learn: bool) -> None:
        """Appends tokens."""
        self.ids += ids
        self.learned += [learn] * len(ids)


class Batches:
    """Endless random batches for a tokenizer and a dialogue."""

    def __init__(self, tokenizer: Tokenizer, dialogue: Dialogue, rng: random.Random) -> None:
        self._tokenizer = tokenizer
        self._dialogue = dialogue
        self._rng = rng
        self._ready: list[list[Sample]] = []

    def batch(self, step: int, n_ctx: int) -> tuple[Tensor, Tensor]:
        """Inputs and targets, each (rows, length).

        Most batches are short conversations, which is where most answers are learned. Every fourth
        has long ones, and some fill the context, so that no distance in it is unknown.
        """
        if step % 4 == 3:
            length = n_ctx if step % 16 == 15 else 384
            rows = [self._long(length + 1) for _ in range(_TOKENS_PER_BATCH // length)]
        else:
            if not self._ready:
                self._prepare()
            rows = self._ready.pop()
        return _pad(rows, self._tokenizer.id(END_OF_TEXT))

    def _prepare(self) -> None:
        """Makes a few batches of short samples; rows of like length go together, to pad little."""
        samples = [self._short() for _ in range(256)]
        samples.sort(key=lambda sample: len(sample.ids))
        rows: list[Sample] = []
        for sample in samples:
            if rows and len(sample.ids) * (len(rows) + 1) > _TOKENS_PER_BATCH:
                self._ready.append(rows)
                rows = []
            rows.append(sample)
        self._ready.append(rows)
        self._rng.shuffle(self._ready)

    def _short(self) -> Sample:
        if self._rng.random() < 0.15:
            return self._text()
        return self._chat(self._rng.choices((1, 2, 3), (8, 2, 1))[0])

    def _long(self, length: int) -> Sample:
        sample = self._chat(length // 32)
        return Sample(sample.ids[:length], sample.learned[:length])

    def _chat(self, count: int) -> Sample:
        encode, sample = self._tokenizer.encode, Sample.empty()
        if self._rng.random() < 0.3:
            sample.add(encode(message("system", self._rng.choice(SYSTEM_PROMPTS))), False)
        for turn in self._dialogue.turns(count, self._rng):
            sample.add(encode(chat_prompt((), turn.question), self._rng), False)
            sample.add(encode(turn.answer + IM_END), True)
            sample.add(encode("\n"), False)
        return sample

    def _text(self) -> Sample:
        """Text without a chat template, for raw completions: mostly a question with its answer."""
        encode, sample = self._tokenizer.encode, Sample.empty()
        if self._rng.random() < 0.25:
            sample.add(encode(self._rng.choice(self._dialogue.texts) + END_OF_TEXT), True)
            return sample
        (turn,) = self._dialogue.turns(1, self._rng)
        if self._rng.random() < 0.6:
            sample.add(encode(turn.question), False)
            sample.add(encode("\n"), True)
        sample.add(encode(turn.answer + END_OF_TEXT), True)
        return sample


def _pad(rows: list[Sample], filler: int) -> tuple[Tensor, Tensor]:
    length = max(len(row.ids) for row in rows)
    ids = torch.full((len(rows), length), filler)
    targets = torch.full((len(rows), length), IGNORED)
    for number, row in enumerate(rows):
        size = len(row.ids)
        ids[number, :size] = torch.tensor(row.ids)
        learned = torch.tensor(row.learned)
        targets[number, :size] = torch.where(learned, ids[number, :size], IGNORED)
    return ids[:, :-1], targets[:, 1:]
