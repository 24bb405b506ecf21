"""What `pack` was asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class PackRequest:
    """The options of `pack`, complete: command line, recipe and defaults together.

    Sources are words as the user writes them: paths, `hf:…`, `https://…`, `ARCHIVE.zip:MEMBER`.
    """

    models: Sequence[str]
    named_models: Sequence[str]  # `NAME=SOURCE`
    model_args: Sequence[str]  # `NAME=WORDS`
    mmproj: Sequence[str]
    lora: Sequence[str]
    draft: Sequence[str]
    add: Sequence[str]
    merge: bool
    recipe: str | None

    args: str | None
    args_file: Path | None
    ctx_size: int | None  # tokens
    sampling: Sequence[tuple[str, Any]]
    chat_template: str | None

    name: str | None
    card: str | None
    card_field: Sequence[tuple[str, Any]]
    license: Sequence[str]

    quant: str | None
    imatrix: Path | None

    runtime: Path | None  # another tool's program in place of the engines
    targets: str | None
    gpu: str | None
    gpu_sources: str
    format: str
    windows: str | None

    output: str | None
    split_size: int | None  # bytes; None: one file always
    consume: bool
    offline: bool
    force: bool
    quiet: bool
