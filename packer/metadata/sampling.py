"""Sampling defaults: from the names of Hugging Face to the options of llama.cpp.

Names: `GenerationConfig` of transformers, which `generation_config.json` and `inference.parameters`
of model cards use. Options: common/arg.cpp of llama.cpp v0.6.0.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from packer.bundle.args import SAMPLING, Pair
from runtime.errors import InputError

Setting = tuple[str, Any]

NONE = "none"
"""In place of `NAME=VALUE`: forget the values before it."""

_STOP = re.compile(r"(?!\.\.\.\Z)[^\0\ud800-\udfff]+")
"""Text that has a form in UTF-8 and in an argument: `...` would stand for the user's words."""
_LARGE = 1 << 31  # llama.cpp's integers
_INTEGERS = ("top_k", "max_new_tokens")
_STOPS = ("stop", "stop_strings", "stop_sequences")
_RECOMMENDED = [name for name in SAMPLING if name not in ("max_new_tokens", "stop")]
"""Names that count as a recommendation: `max_new_tokens` is for the Hub's widget or a benchmark,
and would cut the answers of a chat."""


def recommended(generation: Mapping[str, Any], card: Mapping[str, Any]) -> dict[str, Any]:
    """The defaults that a model's makers state; values of a wrong type are left out.

    Args:
        generation: `generation_config.json`. With `do_sample` false, only its stop words count.
        card: facts of the model card; its `inference.parameters` count more.
    """
    inference = card.get("inference")
    parameters = inference.get("parameters") if isinstance(inference, dict) else None
    found: dict[str, Any] = {}
    for source in (generation, parameters if isinstance(parameters, dict) else {}):
        if source.get("do_sample") is not False:
            found.update({n: source[n] for n in _RECOMMENDED if _fits(n, source.get(n))})
        for name in _STOPS:
            stops = source.get(name)
            listed = [stops] if isinstance(stops, str) else stops
            if _fits("stop", listed):
                found["stop"] = listed
    return found


def merged(stated: Mapping[str, Any], given: Iterable[Setting]) -> dict[str, Any]:
    """Recommended defaults, overridden by the user's in order; stop words add up."""
    found = dict(stated)
    for name, value in given:
        if name == NONE:
            found.clear()
        else:
            found[name] = [*found.get(name, ()), *value] if name == "stop" else value
    return found


def pairs(sampling: Mapping[str, Any]) -> list[Pair]:
    """Options and values for `.args`."""
    listed = []
    for name, option in SAMPLING.items():
        if name == "stop":
            # llama.cpp resolves escapes in stop words.
            texts = [one.replace("\\", "\\\\") for one in sampling.get(name, ())]
        else:
            texts = [str(sampling[name])] if name in sampling else []
        listed += [Pair(option, text) for text in texts]
    return listed


def checked(name: str, value: Any) -> Setting:
    """A setting of the user. Raises InputError if there is no such setting, or it is of another
    type."""
    if name not in SAMPLING:
        raise InputError(
            f"there is no sampling default {name!r}",
            f"There are {', '.join(SAMPLING)}; all others go into `--args`.",
        )
    listed = [value] if name == "stop" and isinstance(value, str) else value
    if not _fits(name, listed):
        what = "a whole number" if name in _INTEGERS else "a number"
        what = "a text or a list of texts" if name == "stop" else what
        raise InputError(f"sampling default {name} is {value!r}, not {what}", "Correct its value.")
    return name, listed


def setting(word: str) -> Setting:
    """`NAME=VALUE`, or `none`, of the command line; an `ArgumentTypeError` for other words."""
    if word == NONE:
        return NONE, None
    name, sign, text = word.partition("=")
    if not sign:
        raise argparse.ArgumentTypeError(f"{word!r} is not NAME=VALUE")
    try:
        return checked(name, text if name == "stop" else _number(text))
    except InputError as problem:
        raise argparse.ArgumentTypeError(f"{problem.message}. {problem.tip}") from None


def _number(text: str) -> Any:
    """The number that a text states; the text itself if it states none."""
    kinds: tuple[type[int] | type[float], ...] = (int, float)
    for kind in kinds:
        with suppress(ValueError):
            return kind(text)
    return text


def _fits(name: str, value: Any) -> bool:
    if name == "stop":
        return (
            isinstance(value, list)
            and bool(value)
            and all(isinstance(one, str) and _STOP.fullmatch(one) for one in value)
        )
    kinds = int if name in _INTEGERS else int | float
    return isinstance(value, kinds) and not isinstance(value, bool) and abs(value) < _LARGE
