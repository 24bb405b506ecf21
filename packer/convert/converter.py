"""Makes GGUF of checkpoints, with the converter of the pinned llama.cpp release."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from packer.convert import environment, program
from packer.convert.checkpoint import Checkpoint
from packer.convert.dequantized import dequantize, dequantized_size
from packer.engines import native, pins, source
from packer.io.output import check_space

AUTO = "auto"
TYPES = ("f32", "f16", "bf16", "q8_0", AUTO)
"""As upstream's converter spells them; `auto`: the type of 16 bits that the checkpoint is nearest
to, of an adapter F32."""

_BYTES = {"f32": 4.0, "q8_0": 34 / 32}
_OVERHEAD = 64 << 20  # bytes of a vocabulary, and of what stays in F32


def converted_size(checkpoint: Checkpoint, kind: str) -> int:
    """Bytes that the GGUF will not exceed, so far as can be told."""
    kind = "f32" if checkpoint.adapter and kind == AUTO else kind
    return int(checkpoint.elements * _BYTES.get(kind, 2)) + _OVERHEAD


def convert(
    checkpoint: Checkpoint, output: Path, kind: str = AUTO, *, base: Path | None = None
) -> None:
    """Write a GGUF.

    Args:
        output: a new file; temporary files go into its folder.
        kind: one of `TYPES`.
        base: of an adapter, the folder with the configuration of its model.

    Raises:
        InputError: it cannot be converted, the disk is too small, or there is no Python with
            PyTorch.
    """
    python = environment.python()
    upstream = source.ready(pins.load(native.directory()))
    if checkpoint.adapter:
        words: list[str | Path] = [python, upstream / "convert_lora_to_gguf.py"]
        assert base
        words += ["--base", base.resolve()]
        kind = "f32" if kind == AUTO else kind
    else:
        words = [python, upstream / "convert_hf_to_gguf.py"]
    with _readable(checkpoint, output, kind) as folder:
        words += [folder, "--outfile", output.absolute(), "--outtype", kind]
        program.run(words, f"converting {checkpoint.name}", "convert", env=environment.variables())


@contextmanager
def _readable(checkpoint: Checkpoint, output: Path, kind: str) -> Iterator[Path]:
    """A folder of the checkpoint's name that upstream's converter can read."""
    needed = converted_size(checkpoint, kind)
    if checkpoint.is_quantized:
        needed += dequantized_size(checkpoint)
    check_space(output, needed)
    folder = checkpoint.folder.resolve()
    if not checkpoint.is_quantized and folder.name == checkpoint.name:
        yield folder
        return
    work = Path(tempfile.mkdtemp(prefix=".llamapack-", suffix=".partial", dir=output.parent))
    try:
        place = work.absolute() / checkpoint.name
        if checkpoint.is_quantized:
            dequantize(checkpoint, place)
        else:
            place.mkdir()
            checkpoint.link(place)
        yield place
    finally:
        shutil.rmtree(work, ignore_errors=True)
