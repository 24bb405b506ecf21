"""The text of `.args`: what a bundle starts with when its user says nothing else."""

from __future__ import annotations

import os
from collections.abc import Sequence

from runtime.args_file import parse, quote
from runtime.bundle import TEMPLATE


def default_args(
    model: str, *, mmproj: str | None, loras: Sequence[str], template: bool, own: str
) -> str:
    """Write a `.args` file.

    Args:
        model: member name of the model to start with.
        mmproj: member name of its projector.
        loras: member names of LoRA adapters.
        template: whether the bundle holds a chat template of its own.
        own: what the packer's user adds, as they wrote it; it comes last, and so wins.

    Raises:
        InputError: a quote in `own` is not closed.
    """
    parse(own, os.environ)
    pairs = [("-m", model)]
    if mmproj is not None:
        pairs.append(("--mmproj", mmproj))
    pairs += [("--lora", lora) for lora in loras]
    if template:
        pairs.append(("--chat-template-file", f"/zip/{TEMPLATE}"))
    text = "".join(f"{flag}\n{quote(value)}\n" for flag, value in pairs)
    return text + own.rstrip("\n") + "\n" if own.strip() else text
