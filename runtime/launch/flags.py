"""Reads the few flags of an engine that decide about memory; all others pass untouched.

Names and defaults: common/arg.cpp of llama.cpp v0.4.0, and native/engine/options.cpp.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from runtime.errors import InputError
from runtime.fit.settings import CACHE_TYPES, Settings

_DEFAULT_CONTEXT = 8192  # tokens, as native/engine/model.cpp has it
_SERVER_SEQUENCES = 4  # with one cache for all, where `--parallel` is not given

_NAMES = {
    "model": ("-m", "--model"),
    "context": ("-c", "--ctx-size"),
    "gpu_layers": ("-ngl", "--gpu-layers", "--n-gpu-layers"),
    "gpu": ("--gpu",),
    "cpu": ("--cpu",),
    "device": ("-dev", "--device"),
    "type_k": ("-ctk", "--cache-type-k"),
    "type_v": ("-ctv", "--cache-type-v"),
    "sequences": ("-np", "--parallel"),
    "batch": ("-b", "--batch-size"),
    "micro_batch": ("-ub", "--ubatch-size"),
    "flash_attention": ("-fa", "--flash-attn"),
    "mmproj": ("-mm", "--mmproj"),
    "draft": ("-md", "--model-draft", "--spec-draft-model"),
    "prompt": ("-p", "--prompt"),
    "file": ("-f", "--file"),
    "host": ("--host",),
    "port": ("--port",),
    # Their values are texts, which may look like flags.
    "system_prompt": ("-sys", "--system-prompt"),
    "reverse_prompt": ("-r", "--reverse-prompt"),
    "grammar": ("--grammar",),
    "api_key": ("--api-key",),
    "chat_template": ("--chat-template",),
}
_LISTS = {"lora": ("--lora",), "lora_scaled": ("--lora-scaled",)}
_SWITCHES = {
    "unified": (("-kvu", "--kv-unified"), ("-no-kvu", "--no-kv-unified")),
    "full_windows": (("--swa-full",), ()),
    "cache_on_gpu": (("-kvo", "--kv-offload"), ("-nkvo", "--no-kv-offload")),
    "quiet": (("--log-disable",), ()),
    "trust_args": (("--trust-args",), ()),
    # Layers in parts: what lies where cannot be told from `-ngl`.
    "split_layers": (
        ("-cmoe", "--cpu-moe", "-ncmoe", "--n-cpu-moe", "-ot", "--override-tensor"),
        (),
    ),
}
_MODES = ("--server", "--chat", "--cli")
_ASKING = ("-h", "--help", "--usage", "--version", "--licenses", "--list-devices")
_COMMANDS = ("bench", "completion", "quantize", "serve")

_ENVIRONMENT = {
    "context": "LLAMA_ARG_CTX_SIZE",
    "gpu_layers": "LLAMA_ARG_N_GPU_LAYERS",
    "type_k": "LLAMA_ARG_CACHE_TYPE_K",
    "type_v": "LLAMA_ARG_CACHE_TYPE_V",
    "sequences": "LLAMA_ARG_N_PARALLEL",
    "batch": "LLAMA_ARG_BATCH",
    "micro_batch": "LLAMA_ARG_UBATCH",
}


@dataclass
class Flags:
    """What words mean, as far as it is of interest here."""

    values: dict[str, str] = field(default_factory=dict)
    """The last value of each flag, by the names of `_NAMES`."""
    lists: dict[str, list[str]] = field(default_factory=dict)
    switches: dict[str, bool] = field(default_factory=dict)
    mode: str = ""
    """`--server`, `--chat`, `--cli` or nothing."""
    only_asks: bool = False
    """Whether nothing is loaded: `--help` and its like, or a command of the engine's."""

    @property
    def serves(self) -> bool:
        """Whether a server runs, which keeps several conversations."""
        if self.mode:
            return self.mode != "--cli"
        return "prompt" not in self.values and "file" not in self.values

    @property
    def gpu_layers(self) -> int | None:
        """`-ngl`: None for as many as fit.

        Raises:
            InputError: it is no number.
        """
        if self.values.get("gpu") == "disable" or self.values.get("device") == "none":
            return 0
        word = self.values.get("gpu_layers", "auto")
        if word in ("auto", "-1"):
            return None
        return 1 << 30 if word in ("all", "-2") else self._number("gpu_layers", 0)

    def settings(self, trained: int | None) -> Settings:
        """What decides about memory.

        Args:
            trained: tokens that the model was trained for.

        Raises:
            InputError: a number is none, or a type of caches is unknown.
        """
        usual = min(trained or _DEFAULT_CONTEXT, _DEFAULT_CONTEXT)
        context = self._number("context", usual) or trained or _DEFAULT_CONTEXT
        sequences = self._number("sequences", -1, least=-1)
        shared = self.serves and sequences < 0
        unset = _SERVER_SEQUENCES if shared else 1
        at_once = sequences if sequences > 0 else unset
        return Settings(
            context=context,
            sequences=at_once,
            outputs=at_once if self.serves else None,
            unified=self.switches.get("unified", shared),
            batch=self._number("batch", 2048) or 1,
            micro_batch=self._number("micro_batch", 512),
            type_k=self._cache_type("type_k"),
            type_v=self._cache_type("type_v"),
            full_windows=self.switches.get("full_windows", False),
            flash_attention=self.values.get("flash_attention") not in ("off", "0", "false"),
            cache_on_gpu=self.switches.get("cache_on_gpu", True),
        )

    def _number(self, name: str, default: int, least: int = 0) -> int:
        word = self.values.get(name)
        if word is None:
            return default
        try:
            number = int(word)
        except ValueError:
            number = least - 1
        if number < least:
            raise InputError(
                f"{_NAMES[name][0]} {word} is not a number that is possible",
                f"Write it as `{_NAMES[name][0]} {default if default > 0 else 1}`.",
            )
        return number

    def _cache_type(self, name: str) -> str:
        word = self.values.get(name, "f16").lower()
        if word not in CACHE_TYPES:
            raise InputError(
                f"{_NAMES[name][0]} {word}: there is no such type",
                f"It is one of {', '.join(CACHE_TYPES)}.",
            )
        return word


def read_flags(words: Sequence[str], environment: Mapping[str, str] = os.environ) -> Flags:
    """Look through the words of a start, the bundle's own and the user's as they are merged."""
    flags = Flags()
    for name, variable in _ENVIRONMENT.items():
        if environment.get(variable):
            flags.values[name] = environment[variable]
    flags.only_asks = bool(words) and words[0] in _COMMANDS
    rest = iter(words)
    for word in rest:
        _take(flags, _spelled(word), rest)
    return flags


def positional(words: Sequence[str]) -> int | None:
    """The index of the first word that is no flag, nor the value of one that is known here."""
    skip = False
    for index, word in enumerate(words):
        if not skip and not word.startswith("-"):
            return index
        skip = not skip and (_spelled(word) in _VALUED or _spelled(word) in _LISTED)
    return None


def _take(flags: Flags, word: str, rest: Iterator[str]) -> None:
    if word in _MODES:
        flags.mode = word
    elif word in _ASKING:
        flags.only_asks = True
    elif name := _VALUED.get(word):
        value = next(rest, None)
        if value is not None:
            flags.values[name] = value
    elif name := _LISTED.get(word):
        flags.lists.setdefault(name, []).extend(value for value in [next(rest, None)] if value)
    elif word in _SWITCHED:
        name, on = _SWITCHED[word]
        flags.switches[name] = on


def _spelled(word: str) -> str:
    """Upstream takes `--ctx_size` for `--ctx-size`."""
    return word.replace("_", "-") if word.startswith("--") else word


_VALUED = {word: name for name, words in _NAMES.items() for word in words}
_LISTED = {word: name for name, words in _LISTS.items() for word in words}
_SWITCHED = {
    word: (name, on)
    for name, (ons, offs) in _SWITCHES.items()
    for words, on in ((ons, True), (offs, False))
    for word in words
}
