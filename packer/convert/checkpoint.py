"""Folders as `transformers` and PEFT save them: what is in them, and how much."""

from __future__ import annotations

import math
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from packer.convert.bitsandbytes import EightBit, FourBit, quantized
from packer.convert.formats import check_method, no_checkpoint, quantization
from packer.convert.safetensors import Stored, read_header
from runtime.errors import InputError
from runtime.formats.json_input import parse_json
from runtime.hub.choice import checkpoint_files

CONFIG = "config.json"
ADAPTER_CONFIG = "adapter_config.json"

_WEIGHTS = (".safetensors", ".bin")
_LIMIT = 16 << 20  # bytes of a configuration


@dataclass(frozen=True)
class Checkpoint:
    """A model, or an adapter to one."""

    folder: Path
    name: str
    """The folder's or repository's name."""
    config: Mapping[str, Any]
    adapter: bool
    files: tuple[str, ...]
    """Paths in the folder; no code is among them."""

    @classmethod
    def open(cls, folder: Path, name: str | None = None) -> Checkpoint:
        """The checkpoint in a folder.

        Args:
            name: its name, if it differs from the folder's.

        Raises:
            InputError: there is none, not all of one, or one of a format that cannot be converted.
        """
        if not folder.is_dir():
            raise InputError(
                f"{folder} is not a folder", "Name the folder that `transformers` saved."
            )
        paths = [*folder.iterdir(), *folder.glob(f"*/{CONFIG}")]
        names = sorted(path.relative_to(folder).as_posix() for path in paths)
        files = checkpoint_files(names)
        if files is None:
            raise no_checkpoint(str(folder), names)
        adapter = ADAPTER_CONFIG in files
        config = read_config(folder / (ADAPTER_CONFIG if adapter else CONFIG), str(folder))
        found = cls(folder, name or folder.resolve().name, config, adapter, tuple(files))
        if quantization(config) == "bitsandbytes" and not found.tensors:
            raise InputError(
                f"{folder} contains bitsandbytes weights as PyTorch files",
                "Save it with `safe_serialization=True`, or convert the original model.",
            )
        return found

    @property
    def weights(self) -> list[Path]:
        """Its safetensors files, or those of PyTorch."""
        return [self.folder / file for file in self.files if file.endswith(_WEIGHTS)]

    def link(self, place: Path, *, weights: bool = True) -> None:
        """Make its files, and nothing else of its folder, appear in another one.

        Args:
            place: a folder.
            weights: whether those are wanted, too.
        """
        for file in self.files:
            if weights or not file.endswith(_WEIGHTS):
                path = place / file
                path.parent.mkdir(exist_ok=True)
                _link(self.folder.absolute() / file, path)

    @cached_property
    def tensors(self) -> dict[str, Stored]:
        """All its tensors by name; none if they are in PyTorch's own files.

        Raises:
            InputError: a file is damaged.
        """
        files = (path for path in self.weights if path.suffix == ".safetensors")
        return {name: tensor for path in files for name, tensor in read_header(path).items()}

    @cached_property
    def quantized(self) -> tuple[dict[str, FourBit | EightBit], set[str]]:
        """What bitsandbytes quantized, as `packer.convert.bitsandbytes.quantized` gives it."""
        return quantized(self.tensors)

    @property
    def is_quantized(self) -> bool:
        """Whether bitsandbytes has to do with it."""
        return bool(self.quantized[0]) or quantization(self.config) == "bitsandbytes"

    @property
    def elements(self) -> int:
        """Numbers in it; of PyTorch's files, and of weights that are packed, an estimate."""
        if not self.tensors:
            return sum(path.stat().st_size for path in self.weights) // 2
        weights, parts = self.quantized
        rest = (t for name, t in self.tensors.items() if name not in weights and name not in parts)
        whole = sum(math.prod(weight.shape) for weight in weights.values())
        # Integers hold several numbers each, of 4 bits or more.
        return whole + sum(
            t.size * 2 if t.dtype.startswith(("I", "U")) else t.elements for t in rest
        )


def read_config(path: Path, where: str) -> dict[str, Any]:
    """The object in a checkpoint's configuration.

    Args:
        where: what messages call the checkpoint.

    Raises:
        InputError: it is not there, or none, or says that the checkpoint cannot be converted.
    """
    if not path.is_file() or path.stat().st_size > _LIMIT:
        raise InputError(f"{path} is not a configuration file", "Download the checkpoint again.")
    try:
        found = parse_json(path.read_bytes())
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise InputError(f"{path} is not a JSON configuration", "Download the checkpoint again.")
    check_method(where, found)
    return found


def _link(path: Path, place: Path) -> None:
    try:
        place.symlink_to(path)
    except OSError:  # Windows without developer mode
        shutil.copyfile(path, place)
