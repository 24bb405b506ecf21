"""Reads the few flags of an engine that concern the launcher; all others pass unchanged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from runtime.formats.args_file import list_items
from runtime.formats.judged_options import JUDGED_OPTIONS

DEFAULT_CONTEXT = 8192
"""Tokens, as native/engine/model.cpp has it; fewer where a model was trained for fewer."""

_ASKING = ("-h", "--help", "--usage", "--version", "--licenses", "--verify", "--list-devices")
_COMMANDS = ("bench", "completion", "quantize", "serve")


@dataclass
class Flags:
    """Options among the words of a start; of one that is given twice, the last counts."""

    model: str = ""
    """`-m`; empty if it is not given."""
    mmproj: str = ""
    context: str = ""
    """`-c`."""
    adapters: list[str] = field(default_factory=list)
    """Files of all `--lora` and `--lora-scaled`."""
    quiet: bool = False
    """`--log-disable`."""
    trusts_args: bool = False
    """`--trust-args`."""
    only_asks: bool = False
    """Whether nothing is loaded: `--help` and the like, or a command of the engine's."""

    def then(self, later: Flags) -> Flags:
        """These flags and those of words that follow."""
        return Flags(
            model=later.model or self.model,
            mmproj=later.mmproj or self.mmproj,
            context=later.context or self.context,
            adapters=[*self.adapters, *later.adapters],
            quiet=self.quiet or later.quiet,
            trusts_args=self.trusts_args or later.trusts_args,
            only_asks=self.only_asks or later.only_asks,
        )


def read_flags(words: Sequence[str]) -> Flags:
    """Look through words for an engine."""
    flags = Flags(only_asks=bool(words) and words[0] in _COMMANDS)
    for word, value in with_values(words):
        if word in ("-m", "--model"):
            flags.model = value
        elif word in ("-mm", "--mmproj"):
            flags.mmproj = value
        elif word in ("-c", "--ctx-size"):
            flags.context = value
        elif word == "--lora":
            flags.adapters += list_items(value)
        elif word == "--lora-scaled":
            flags.adapters += [item.rpartition(":")[0] for item in list_items(value)]
        elif word == "--log-disable":
            flags.quiet = True
        elif word == "--trust-args":
            flags.trusts_args = True
        elif word in _ASKING:
            flags.only_asks = True
    return flags


def with_values(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The options among words for an engine, with `-` for `_`, each with its first value; empty for
    an option without one."""
    rest = iter(words)
    for word in map(_spelled, rest):
        yield word, "".join([next(rest, "") for _ in range(_values(word))][:1])


def positional(words: Sequence[str]) -> int | None:
    """The index of the first word that is neither a flag nor the value of one."""
    values = 0
    for index, word in enumerate(words):
        if values:
            values -= 1
        elif not word.startswith("-"):
            return index
        else:
            values = _values(_spelled(word))
    return None


def _values(word: str) -> int:
    """How many words follow an option as its values."""
    known = JUDGED_OPTIONS.get(word)
    return known.values if known else 0


def _spelled(word: str) -> str:
    """Upstream takes `--ctx_size` for `--ctx-size`."""
    return word.replace("_", "-") if word.startswith("--") else word
