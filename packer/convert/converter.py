"""Makes GGUF from checkpoints, with the converter of the pinned llama.cpp release.

The converter needs PyTorch, which llamapack does without, so it may run in another Python.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from packer.convert.checkpoint import Checkpoint
from packer.engines import layout, logged, native, pins, source
from packer.io import build_cache
from packer.io.console import progress
from packer.io.output import check_space
from runtime.errors import InputError

AUTO = "auto"
TYPES = ("f32", "f16", "bf16", "q8_0", AUTO)
"""As upstream's converter spells them; `auto`: the nearest type of 16 bits, for an adapter F32."""

_BYTES = {"f32": 4.0, "q8_0": 34 / 32}
_OVERHEAD = 64 << 20  # bytes of a vocabulary, and of tensors that stay in F32
_NEEDED = ("torch", "transformers", "sentencepiece", "safetensors")
_LONGEST = 240  # characters of a reason
_DONE = re.compile(r"Writing: +(?P<done>\d+)%|\[ *(?P<tensor>\d+)/ *(?P<tensors>\d+)\]")
_REASONS = re.compile(
    r"ERROR:[\w.-]+: ?(?P<logged>.+)"
    r"|(?:[\w.]+\.)?(?P<raised>\w*(?:Error|Exception): .+)"
    r"|llama_model_quantize: failed to quantize: (?P<quantizer>.+)"
    r"|.*(?P<failed>failed to (?:load|open|read) .+)"
)


def converted_size(checkpoint: Checkpoint, kind: str) -> int:
    """Bytes that the GGUF will not exceed, as far as can be estimated."""
    kind = "f32" if checkpoint.adapter and kind == AUTO else kind
    return int(checkpoint.elements * _BYTES.get(kind, 2)) + _OVERHEAD


def dequantized_size(checkpoint: Checkpoint) -> int:
    """Bytes of a copy with weights as numbers, if the converter needs one."""
    if not checkpoint.is_quantized:
        return 0
    from packer.convert.bitsandbytes import dequantized_size

    return dequantized_size(checkpoint)


def convert(
    checkpoint: Checkpoint, output: Path, kind: str = AUTO, *, base: Path | None = None
) -> None:
    """Write a GGUF.

    Args:
        output: a new file; temporary files go into its folder.
        kind: one of `TYPES`.
        base: for an adapter, the folder with the configuration of its model.

    Raises:
        InputError: it cannot be converted, the disk is too small, or no Python has PyTorch.
    """
    python = find_python()
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
        run(words, f"converting {checkpoint.name}", "convert", env=offline_environment())


@contextmanager
def _readable(checkpoint: Checkpoint, output: Path, kind: str) -> Iterator[Path]:
    """A folder of the checkpoint's name that upstream's converter can read."""
    needed = converted_size(checkpoint, kind)
    check_space(output, needed + dequantized_size(checkpoint))
    folder = checkpoint.folder.resolve()
    if not checkpoint.is_quantized and folder.name == checkpoint.name:
        yield folder
        return
    work = Path(tempfile.mkdtemp(prefix=".llamapack-", suffix=".partial", dir=output.parent))
    try:
        place = work.absolute() / checkpoint.name
        if checkpoint.is_quantized:
            from packer.convert.bitsandbytes import dequantize

            dequantize(checkpoint, place)
        else:
            place.mkdir()
            checkpoint.link(place)
        yield place
    finally:
        shutil.rmtree(work, ignore_errors=True)


def find_python() -> Path:
    """This Python if it has the packages of the converter, else the one of `ci/convert-env`. Raises
    InputError if there is none."""
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if not missing:
        return Path(sys.executable)
    made = build_cache.root() / "convert-env"
    program = made / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    if program.exists() and (made / "complete").exists():
        return program
    script = native.directory().parent / "ci" / "convert-env"
    command = f"sh {script}" if script.exists() else "pip install 'llamapack[convert]'"
    raise InputError(
        f"converting needs {', '.join(missing)}, which this Python does not have",
        f"Run `{command}`.",
    )


def offline_environment() -> dict[str, str]:
    """The converter's environment: no network, and nothing written into upstream's sources."""
    own = {"PYTHONDONTWRITEBYTECODE": "1", "HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
    skipped = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "NO_LOCAL_GGUF", "PYTHONPATH")
    return {k: v for k, v in os.environ.items() if k not in skipped} | own


def run(
    command: Sequence[str | Path],
    doing: str,
    name: str,
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> None:
    """Run upstream's converter or quantizer, with its progress.

    Args:
        doing: for people: `converting gemma`.
        name: of the log in the build cache.

    Raises:
        InputError: it failed; the message has its own reason.
    """
    log = layout.log(name)
    logged.start(log)
    percent, reason = 0, ""
    with progress(doing, 100, "%") as advance:

        def see(line: str) -> None:
            nonlocal percent, reason
            if found := _REASONS.match(line.strip()):
                reason = next(filter(None, found.groups()))
            if done := _DONE.search(line):
                before, percent = percent, int(done["done"] or _percent(done))
                advance(max(0, percent - before))

        try:
            logged.run(command, doing, log, env=env, cwd=cwd, on_line=see)
        except InputError as problem:
            if not reason:
                raise
            reason = reason[:_LONGEST].rstrip(".")
            raise InputError(f"{doing} failed: {reason}", problem.tip) from None


def _percent(done: re.Match[str]) -> int:
    return 100 * int(done["tensor"]) // max(1, int(done["tensors"]))
