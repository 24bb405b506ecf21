"""Changes `.args`: the words that name members, which llamapack keeps, and the user's own."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from runtime.args_file import Unexpanded, parse, quote, words_and_ends
from runtime.bundle import TEMPLATE

MODEL, MMPROJ, LORA, TEMPLATE_FILE = "-m", "--mmproj", "--lora", "--chat-template-file"

# In the order in which packer/default_args.py writes them; with the other spellings of llama.cpp.
_RANKS = {
    MODEL: 0, "--model": 0,
    MMPROJ: 1, "-mm": 1,
    LORA: 2, "--lora-scaled": 2, "--control-vector": 2, "--control-vector-scaled": 2,
    "-md": 3, "--model-draft": 3, "--spec-type": 3, "--models-preset": 3,
    TEMPLATE_FILE: 4,
}  # fmt: skip
_MODEL_FLAGS = (MODEL, "--model")
_DRAFT_FLAGS = ("-md", "--model-draft")
_OF_A_DRAFT = "--spec-type"  # says how the draft model before it is used, and names no member


class Pair(NamedTuple):
    """A flag and the member that it names."""

    flag: str
    value: str
    """As it is written: perhaps with `/zip/` before the name, or with a scale after it."""

    @property
    def text(self) -> str:
        """How llamapack writes it."""
        return f"{self.flag}\n{quote(self.value)}\n"

    @property
    def member(self) -> str:
        """The name of the member."""
        return self.value.removeprefix("/zip/")

    def names(self, members: Collection[str]) -> str | None:
        """Which of these members it names, if any."""
        candidates = (self.member, self.member.rpartition(":")[0])
        return next((name for name in candidates if name in members), None)


@dataclass
class Args:
    """The text of `.args` in its two parts."""

    pairs: list[Pair]
    own: str

    @classmethod
    def parsed(cls, text: str, members: Collection[str], *, outside: bool = False) -> Args:
        """Divide the text of a bundle with these members.

        Pairs in the form in which llamapack writes them end where that form ends, so that words of
        the user's which name members, too, stay theirs, with all blanks around them.

        Args:
            outside: whether weights lie beside the bundle, so that any name is one of a file.

        Raises:
            InputError: a quote is not closed.
        """
        words = list(words_and_ends(text, Unexpanded()))
        pairs: list[Pair] = []
        end = own = 0
        for (flag, _), (value, after) in zip(words[::2], words[1::2], strict=False):
            pair = Pair(flag, value)
            known = outside or pair.names(members) is not None or (pairs and flag == _OF_A_DRAFT)
            as_written = text.startswith(pair.text, own)
            if flag not in _RANKS or not known or (own and not as_written):
                break
            pairs.append(pair)
            end = after
            own += len(pair.text) if as_written else 0
        return cls(pairs, text[own:] if own or not pairs else text[end:].lstrip(" \t\r\n"))

    @property
    def text(self) -> str:
        """What `.args` is to hold."""
        text = "".join(pair.text for pair in self.pairs)
        return text + self.own.rstrip("\n") + "\n" if self.own.strip() else text

    @property
    def names_model(self) -> bool:
        """Whether a model is named anywhere."""
        words = [flag for flag, _ in self.pairs] + parse(self.own, os.environ)
        return any(word in _MODEL_FLAGS for word in words)

    def put(self, flag: str, value: str) -> None:
        """Add a pair in its place."""
        pair = Pair(flag, value)
        later = [n for n, other in enumerate(self.pairs) if _RANKS[other.flag] > _RANKS[flag]]
        self.pairs.insert(later[0] if later else len(self.pairs), pair)

    def has(self, flag: str) -> bool:
        """Whether there is a pair of this meaning."""
        return any(_RANKS[pair.flag] == _RANKS[flag] for pair in self.pairs)

    def drop_flag(self, flag: str) -> None:
        """Remove the pairs of this meaning."""
        self.pairs = [pair for pair in self.pairs if _RANKS[pair.flag] != _RANKS[flag]]

    def drop_members(self, removed: Collection[str]) -> None:
        """Remove the pairs that name these members."""
        drafts = [pair for pair in self.pairs if pair.flag in _DRAFT_FLAGS]
        self.pairs = [pair for pair in self.pairs if pair.names(removed) is None]
        if drafts and not any(pair in self.pairs for pair in drafts):
            self.pairs = [pair for pair in self.pairs if pair.flag != _OF_A_DRAFT]

    def ensure_model(self, models: Iterable[str], *, by_pair: bool = False) -> None:
        """Name the first of these models if none is named.

        Args:
            by_pair: whether a model that only the user's own words name does not count.
        """
        first = next(iter(models), None)
        if first is not None and not (self.has(MODEL) if by_pair else self.names_model):
            self.put(MODEL, first)

    def set_template(self, present: bool) -> None:
        """Name the bundle's chat template, or no longer."""
        self.drop_flag(TEMPLATE_FILE)
        if present:
            self.put(TEMPLATE_FILE, f"/zip/{TEMPLATE}")
