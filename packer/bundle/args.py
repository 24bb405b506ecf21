"""The layers of `.args`: members that it names, defaults, and the words of the packer's user.

Grammar: runtime/formats/args_file.py.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from packer.bundle.models_ini import ModelSection, lora_option
from packer.engines.cache import program
from packer.engines.targets import for_this_machine
from runtime.errors import InputError
from runtime.formats.args_file import BLANKS, USER_WORDS, ZIP, merge, parse, quote, words_and_ends
from runtime.formats.bundle import MODELS, TEMPLATE
from runtime.formats.user_text import decoded

CONTEXT = "-c"
SAMPLING = {
    "temperature": "--temp",
    "top_k": "--top-k",
    "top_p": "--top-p",
    "min_p": "--min-p",
    "typical_p": "--typical",
    "repetition_penalty": "--repeat-penalty",
    "presence_penalty": "--presence-penalty",
    "frequency_penalty": "--frequency-penalty",
    "max_new_tokens": "--predict",
    "stop": "--reverse-prompt",
}
"""Sampling defaults and their options, in the order in which `.args` states them."""

MODEL, MMPROJ, LORA, DRAFT = "-m", "--mmproj", "--lora", "-md"
_SPEC_TYPE = "--spec-type"  # says how the draft model before it is used, and names no member
_PRESET, _TEMPLATE_FILE = "--models-preset", "--chat-template-file"

# The order of the pairs, with the other spellings of llama.cpp.
_RANKS = {
    MODEL: 0, "--model": 0,
    MMPROJ: 1, "-mm": 1,
    LORA: 2, "--lora-scaled": 2, "--control-vector": 2, "--control-vector-scaled": 2,
    DRAFT: 3, "--model-draft": 3, _SPEC_TYPE: 3, _PRESET: 3,
    _TEMPLATE_FILE: 4,
}  # fmt: skip
_MODEL_FLAGS = (MODEL, "--model")
_DRAFT_FLAGS = (DRAFT, "--model-draft")
_DEFAULTS = {flag: rank for rank, flag in enumerate((CONTEXT, *SAMPLING.values()))}

_PURPOSE = re.compile(r"--(?:embeddings|reranking)\n")
# Also the option of a purpose alone, as which it would be read.
_AS_WRITTEN = re.compile(r"-\S*\n|--(?:embeddings|reranking)$")
_OWN_LIMIT = 1 << 20  # bytes

# Read after all options, and loads nothing: native/engine/main.cpp.
_HARMLESS = "--version"
_UNKNOWN = "ERROR unknown argument: "
_SECONDS = 20  # it takes 20 ms
_OURS = ("LLAMAPACK_", "LLAMA_ARG_")


class Pair(NamedTuple):
    """A flag and its value."""

    flag: str
    value: str
    """As written: a member may have `/zip/` before its name, or a scale after it."""

    @property
    def text(self) -> str:
        """How llamapack writes it: a word on each line."""
        return f"{self.flag}\n{quote(self.value)}\n"

    @property
    def member(self) -> str:
        """The name of the member, with the scale if there is one."""
        return self.value.removeprefix(ZIP)

    def names(self, members: Collection[str]) -> str | None:
        """Which of these members it names, if any."""
        return member_in(self.member, members)


@dataclass
class Args:
    """The text of `.args` in its parts."""

    pairs: list[Pair]  # options that name members
    purpose: list[str] = field(default_factory=list)  # `--embeddings` for a model that embeds
    defaults: list[Pair] = field(default_factory=list)  # context size and sampling defaults
    own: str = ""  # the user's part, from the end of the others on

    @classmethod
    def of(
        cls, first: ModelSection, *, several: bool, template: bool, defaults: Iterable[Pair]
    ) -> Args:
        """What a bundle starts with when its user says nothing else. `several`: whether
        `models.ini` states what belongs to each model. Raises InputError if an adapter has a name
        that options cannot hold."""
        args = cls([Pair(MODEL, first.model)], defaults=list(defaults))
        if first.mmproj is not None:
            args.pairs.append(Pair(MMPROJ, first.mmproj))
        args.pairs += [Pair(*lora_option(lora)) for lora in first.loras]
        if first.draft is not None:
            args.pairs.append(Pair(DRAFT, first.draft.member))
            if first.draft.kind:
                args.pairs.append(Pair(_SPEC_TYPE, first.draft.kind))
        args.purpose = list(first.purpose)
        if several:
            args.pairs.append(Pair(_PRESET, ZIP + MODELS))
        args.set_template(template)
        return args

    @classmethod
    def parsed(cls, text: str, members: Collection[str], *, outside: bool = False) -> Args:
        """Divide the text of a bundle with these members. Options in llamapack's own form end where
        that form ends, so words of the user that say the same stay the user's, with all blanks
        around them.

        `outside`: weights are in other files, so any name may be one. Raises InputError if a quote
        is not closed.
        """
        words = list(words_and_ends(text))
        options = [
            (Pair(flag, value), end)
            for (flag, _), (value, end) in zip(words[::2], words[1::2], strict=False)
        ]
        args = cls([])
        end = own = 0
        for pair, after in options:
            known = outside or pair.names(members) is not None
            known = known or (bool(args.pairs) and pair.flag == _SPEC_TYPE)
            as_written = text.startswith(pair.text, own)
            if pair.flag not in _RANKS or not known or (own and not as_written):
                break
            args.pairs.append(pair)
            end = after
            own += len(pair.text) if as_written else 0
        args.own = text[own:] if own or not args.pairs else text[end:].lstrip(" \t\r\n")
        args._take_purpose()
        least = 0
        rest = [word for word, _ in words[2 * len(args.pairs) + len(args.purpose) :]]
        for pair in map(Pair, rest[::2], rest[1::2]):
            rank = _DEFAULTS.get(pair.flag, -1)
            as_written = args.own.startswith(pair.text) and pair.value != USER_WORDS
            if rank < least or not as_written:
                break
            args.defaults.append(pair)
            args.own = args.own.removeprefix(pair.text)
            least = rank
        return args

    def _take_purpose(self) -> None:
        """Take the words of a purpose from the beginning of the user's."""
        if match := _PURPOSE.match(self.own):
            self.purpose = match[0].split()
            self.own = self.own.removeprefix(match[0])

    def give_back(self, own: str) -> None:
        """Give the words of the purpose to the user, if their part, `own`, is known to begin with
        them. Raises InputError if `own` cannot be parsed."""
        if self.purpose and parse(own)[: len(self.purpose)] == self.purpose:
            self.own = "".join(f"{word}\n" for word in self.purpose) + self.own
            self.purpose = []

    @property
    def text(self) -> str:
        """The text of `.args`."""
        purpose = "".join(f"{word}\n" for word in self.purpose)
        text = "".join(pair.text for pair in self.pairs) + purpose
        text += "".join(pair.text for pair in self.defaults)
        if not self.own.strip(BLANKS):
            return text
        # A backslash at the very end stands for itself, one in front of a line end for that.
        return text + (self.own if self.own.endswith("\\") else self.own.rstrip("\n") + "\n")

    @property
    def names_model(self) -> bool:
        """Whether a model is named anywhere."""
        words = [flag for flag, _ in self.pairs] + parse(self.own, os.environ)
        return any(word in _MODEL_FLAGS for word in words)

    def put_own(self, words: str, before: Sequence[str] = ()) -> None:
        """Replace the user's words. Words in the form of llamapack's come after an empty line,
        which divides the two. `before`: words without blanks that the user would begin with."""
        if before:
            words = f"{' '.join(before)}\n{words}"
        self.own = f"\n{words}" if _AS_WRITTEN.match(words.rstrip("\n")) else words

    def put(self, flag: str, value: str) -> None:
        """Add a pair in its place."""
        pair = Pair(flag, value)
        later = [n for n, other in enumerate(self.pairs) if _RANKS[other.flag] > _RANKS[flag]]
        self.pairs.insert(later[0] if later else len(self.pairs), pair)

    def has(self, flag: str) -> bool:
        """Whether there is a pair of this meaning."""
        return any(_RANKS[pair.flag] == _RANKS[flag] for pair in self.pairs)

    def members_of(self, *flags: str) -> list[str]:
        """The members that pairs with these flags name."""
        return [pair.member for pair in self.pairs if pair.flag in flags]

    def drop_members(self, removed: Collection[str]) -> None:
        """Remove the pairs that name these members."""
        drafts = [pair for pair in self.pairs if pair.flag in _DRAFT_FLAGS]
        self.pairs = [pair for pair in self.pairs if pair.names(removed) is None]
        if drafts and not any(pair in self.pairs for pair in drafts):
            self.pairs = [pair for pair in self.pairs if pair.flag != _SPEC_TYPE]

    def ensure_model(self, models: Iterable[str], *, by_pair: bool = False) -> None:
        """Name the first of these models if none is named; `by_pair`: the user's own words do not
        count."""
        first = next(iter(models), None)
        if first is not None and not (self.has(MODEL) if by_pair else self.names_model):
            self.put(MODEL, first)

    def set_template(self, present: bool) -> None:
        """Name the bundle's chat template, or no longer."""
        self.pairs = [pair for pair in self.pairs if pair.flag != _TEMPLATE_FILE]
        if present:
            self.put(_TEMPLATE_FILE, ZIP + TEMPLATE)


def member_in(value: str, members: Collection[str]) -> str | None:
    """Which of these members `NAME` or `NAME:SCALE` names, if any."""
    return next((name for name in (value, value.rpartition(":")[0]) if name in members), None)


def own_words(words: str | None, file: Path | None) -> str:
    """The text of `--args` or `--args-file`. Raises InputError if it is not a text of arguments."""
    text, name = words or "", "`--args`"
    if words is None and file is not None:
        name = str(file)
        if not file.is_file() or file.stat().st_size > _OWN_LIMIT:
            raise InputError(f"{file} is not a file of arguments", "Give a text file of words.")
    try:
        if words is None and file is not None:
            text = decoded(file.read_bytes()).replace("\r\n", "\n")
        text.encode()
    except UnicodeError:
        text = "\0"
    if "\0" in text:
        raise InputError(f"{name} is not UTF-8 text", "Save it as UTF-8.")
    return text


def check_options(words: Sequence[str], engines: Mapping[str, Path]) -> None:
    """Ask an engine whether it knows all options among default arguments; variables are not
    expanded. Raises InputError if it does not know one.

    `engines`: folders by target; without one that runs on this machine, nothing is asked.
    """
    program = engine_here(engines) if words else None
    if program is None:
        return
    # The user's own words come last, or replace `...`: they may be the value of an option.
    unknown = _unknown([str(program), _HARMLESS, *merge(words, [_HARMLESS])])
    if unknown is not None and "$" not in unknown:
        raise InputError(
            f"the default arguments have {unknown!r}, which the engine does not know",
            "`llamapack run MODEL --help` lists all options; a text with blanks needs quotes.",
        )


def engine_here(engines: Mapping[str, Path]) -> Path | None:
    """The program of the engine among these that runs on this machine, if there is one.

    Args:
        engines: folders by target.
    """
    try:
        here = [one for one in for_this_machine() if one.name in engines]
    except InputError:
        return None
    for target in here:
        with suppress(InputError):  # a wheel's engine that does not start here
            return program(target, engines[target.name])
    return None


def _unknown(command: Sequence[str]) -> str | None:
    """The word that an engine rejects, if any."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
    try:
        done = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, ValueError, subprocess.SubprocessError):
        return None  # What is wrong with it shows elsewhere.
    lines = done.stderr.decode(errors="replace").splitlines()
    return next((line[len(_UNKNOWN) :] for line in lines if line.startswith(_UNKNOWN)), None)
