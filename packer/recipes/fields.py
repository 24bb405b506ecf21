"""The table of all keys of a recipe: the flag of `pack` and the value of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packer.engines.front import APE, FORMATS
from packer.engines.gpu.sources import AUTO
from packer.engines.gpu.sources import CHOICES as GPU_SOURCES
from packer.head.windows_exe import CHOICES as WINDOWS
from packer.io.sizes import PART_SIZE
from packer.metadata.fields import checked
from packer.recipes import values


@dataclass(frozen=True)
class Field:
    """One thing that a recipe can say."""

    key: str
    flag: str  # what says the same on the command line
    attribute: str  # where the parsed command line holds it
    read: Callable[[Any, Path], Any]
    """From the TOML value, and the recipe's folder, to what the flag comes to. Raises ValueError
    saying what it should be, or InputError."""
    default: Any = None
    instead_of: str | None = None  # the other attribute that says the same in another way
    adds_up: bool = False  # whether flags go on where the recipe ends; else they take its place


FIELDS = (
    Field("weights", "MODEL", "models", values.sources, default=(), instead_of="named_models"),
    Field(
        "models", "--model", "named_models", values.named(values.source),
        default=(), instead_of="models",
    ),
    Field("model-args", "--model-args", "model_args", values.named(values.text), default=()),
    Field("name", "--name", "name", values.text),
    Field("args", "--args", "args", values.text, instead_of="args_file"),
    Field("args-file", "--args-file", "args_file", values.path, instead_of="args"),
    Field("ctx-size", "--ctx-size", "ctx_size", values.count),
    Field(
        "sampling", "--sampling", "sampling", values.settings,
        default=(), adds_up=True,
    ),
    Field("chat-template", "--chat-template", "chat_template", values.template),
    Field("mmproj", "--mmproj", "mmproj", values.of_models(values.projector), default=()),
    Field("lora", "--lora", "lora", values.adapters, default=()),
    Field("draft", "--draft", "draft", values.of_models(values.source), default=()),
    Field("quant", "--quant", "quant", values.text),
    Field("imatrix", "--imatrix", "imatrix", values.path),
    Field("merge", "--merge", "merge", values.switch, default=False),
    Field("add", "--add", "add", values.sources, default=()),
    Field("card", "--card", "card", values.card),
    Field(
        "card-fields", "--card-field", "card_field", values.table(checked),
        default=(), adds_up=True,
    ),
    Field("license", "--license", "license", values.sources, default=()),
    Field("runtime", "--runtime", "runtime", values.runtime),
    Field("targets", "--targets", "targets", values.words),
    Field("gpu", "--gpu", "gpu", values.words),
    Field(
        "gpu-sources", "--gpu-sources", "gpu_sources", values.choice(GPU_SOURCES),
        default=AUTO,
    ),
    Field("format", "--format", "format", values.choice(FORMATS), default=APE),
    Field("windows", "--windows", "windows", values.choice(WINDOWS)),
    Field("split-size", "--split-size", "split_size", values.size, default=PART_SIZE),
    Field("no-split", "--no-split", "split_size", values.no_split, default=PART_SIZE),
)  # fmt: skip

OF_THE_RUN = {
    "--output": None, "--consume": False, "--offline": False, "--force": False, "--quiet": False,
    "--recipe": None,
}  # fmt: skip
"""Flags that are about one run of `pack`, not about the bundle, with their defaults."""
