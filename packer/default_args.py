"""The text of `.args`: what a bundle starts with when its user says nothing else."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from runtime.args_file import parse, quote
from runtime.bundle import MODELS, TEMPLATE
from runtime.errors import InputError
from runtime.gguf_header import Header

_AS_WRITTEN = re.compile(r"-\S*\n")

CONTEXT = "-c"
"""The option that states the context size."""


@dataclass(frozen=True)
class Lora:
    """A LoRA adapter in the bundle."""

    member: str
    scale: str | None = None
    """How strongly it applies, a number; None: 1."""


@dataclass(frozen=True)
class Draft:
    """A draft model in the bundle."""

    member: str
    kind: str | None
    """What `--spec-type` must say; None: the engine finds out by itself."""


def default_args(
    model: str,
    *,
    mmproj: str | None,
    loras: Sequence[Lora],
    template: bool,
    own: str,
    draft: Draft | None = None,
    several: bool = False,
    defaults: Sequence[tuple[str, str]] = (),
) -> str:
    """Write a `.args` file.

    Args:
        model: member name of the model to start with.
        mmproj: member name of its projector.
        template: whether the bundle holds a chat template of its own.
        several: whether `models.ini` says which models there are, and what belongs to each.
        own: what the packer's user adds, as they wrote it; it comes last, and so wins.
        defaults: options with values that come before it.

    Raises:
        InputError: a quote in `own` is not closed, or an adapter has a name that options cannot
            hold.
    """
    parse(own, os.environ)
    pairs = [("-m", model)]
    if mmproj is not None:
        pairs.append(("--mmproj", mmproj))
    pairs += [lora_option(lora) for lora in loras]
    if draft is not None:
        pairs.append(("-md", draft.member))
        if draft.kind:
            pairs.append(("--spec-type", draft.kind))
    if several:
        pairs.append(("--models-preset", f"/zip/{MODELS}"))
    if template:
        pairs.append(("--chat-template-file", f"/zip/{TEMPLATE}"))
    text = written([*pairs, *defaults])
    return text + apart(own).rstrip("\n") + "\n" if own.strip() else text


def apart(own: str) -> str:
    """What the packer's user adds, as it follows options of llamapack's.

    Words in the form of `written` come after an empty line, so that `edit --args` knows whose they
    are.
    """
    return f"\n{own}" if _AS_WRITTEN.match(own.rstrip("\n")) else own


def written(pairs: Iterable[tuple[str, str]]) -> str:
    """Options with values as `.args` holds them: a word on each line."""
    return "".join(f"{flag}\n{quote(value)}\n" for flag, value in pairs)


def draft_kind(header: Header) -> str | None:
    """What `--spec-type` a draft model needs; None where the engine tells by itself.

    Rules: `common_speculative_types_from_gguf` in common/speculative.cpp of llama.cpp v0.4.0, which
    knows two kinds; without a type the draft model would not be used at all.
    """
    architecture = header.metadata.get("general.architecture")
    if architecture == "dflash" or any(
        tensor.name.endswith(".nextn.eh_proj.weight") for tensor in header.tensors
    ):
        return None
    return "draft-eagle3" if architecture == "eagle3" else "draft-simple"


def lora_option(lora: Lora) -> tuple[str, str]:
    """The option that applies an adapter, and its value.

    Raises:
        InputError: the adapter has a name that options cannot hold.
    """
    # Upstream takes `FILE:SCALE,FILE:SCALE`, and splits at every comma and colon.
    if "," in lora.member or (lora.scale is not None and ":" in lora.member):
        raise InputError(
            f"{lora.member} cannot be the name of an adapter: llama.cpp divides its options at "
            "`,` and `:`",
            "Rename the file.",
        )
    if lora.scale is None:
        return "--lora", lora.member
    return "--lora-scaled", f"{lora.member}:{lora.scale}"
