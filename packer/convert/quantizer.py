"""Makes smaller GGUF from larger ones, with the quantizer of the engine for this machine."""

from __future__ import annotations

import re
from pathlib import Path

from packer.convert.converter import run
from packer.engines.cache import runnable
from packer.engines.targets import for_this_machine
from runtime.errors import InputError
from runtime.formats.gguf_header import read_header_of
from runtime.formats.model_facts import model_facts, shard
from runtime.formats.weights import model_stem

QUANTIZATIONS = (
    "Q1_0", "Q2_0", "Q4_0", "Q4_1", "MXFP4_MOE", "Q5_0", "Q5_1", "Q8_0",
    "Q2_K", "Q2_K_S", "Q3_K", "Q3_K_S", "Q3_K_M", "Q3_K_L", "Q4_K", "Q4_K_S", "Q4_K_M",
    "Q5_K", "Q5_K_S", "Q5_K_M", "Q6_K",
    "IQ1_S", "IQ1_M", "IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ2_M",
    "IQ3_XXS", "IQ3_XS", "IQ3_S", "IQ3_M", "IQ4_NL", "IQ4_XS", "TQ1_0", "TQ2_0",
    "F16", "BF16", "F32",
)  # fmt: skip
"""As `QUANT_OPTIONS` in tools/quantize/quantize.cpp of llama.cpp v0.6.0 has them."""

WHOLE = ("F32", "F16", "BF16")
"""Types that are not quantized: each number is stored as it is."""

_BYTES = {"F32": 4.0, "F16": 2.0, "BF16": 2.0}
_OVERHEAD = 64 << 20  # bytes of a vocabulary, and of tensors that stay in F32
_BUFFER = 1024  # MiB that the quantizer holds of one tensor
_TAG = re.compile(r"[-.](F32|F16|BF16)$", re.IGNORECASE)


def parse_quantization(text: str) -> str:
    """The quantization of that name, in any case. Raises InputError if there is none."""
    if text.upper() not in QUANTIZATIONS:
        raise InputError(
            f"{text} is not a quantization", f"The names are: {', '.join(QUANTIZATIONS)}."
        )
    return text.upper()


def quantized_name(source: Path, quantization: str) -> str:
    """The name of the quantized copy of a file, without ending: `x-F16.gguf` → `x-Q6_K`."""
    stem = _TAG.sub("", model_stem(source.with_suffix(".gguf").name))
    return f"{stem}-{quantization}"


def quantized_size(source: Path, quantization: str) -> int:
    """Bytes that the quantized copy of a model, with all its shards, will not exceed. Raises
    InputError if it is not a GGUF."""
    own = shard(read_header_of(source))
    # Two bytes a number, more or less; of shards all but the last are as large.
    elements = source.stat().st_size * (own.count if own else 1) // 2
    return size_limit(elements, quantization)


def size_limit(elements: int, quantization: str) -> int:
    """Bytes that a GGUF of so many numbers will not exceed: mixtures have up to Q8_0 in them."""
    return int(elements * _BYTES.get(quantization, 34 / 32)) + _OVERHEAD


def check_quantizable(path: Path, *, again: bool = False) -> None:
    """Raise an `InputError` unless a model can be quantized, `again` if it is quantized already."""
    header = read_header_of(path)
    own = shard(header)
    if own and own.number:
        raise InputError(f"{path} is shard {own.number + 1} of {own.count}", "Name the first one.")
    facts = model_facts([header], 0)
    if facts.kind != "model":
        raise InputError(
            f"{path} is of kind {facts.kind}, not a model", "Only models can be quantized."
        )
    if facts.quantization not in WHOLE and not again:
        raise InputError(
            f"{path} is quantized already ({facts.quantization})",
            "Use the model in F16, BF16 or F32. `llamapack quantize --allow-requantize` quantizes "
            "it again, and loses more.",
        )


def check_imatrix(path: Path | None) -> None:
    """Raise an `InputError` unless the quantizer can take a file as its importance matrix."""
    # A name like an option cannot be an argument.
    if path is not None and (not path.is_file() or path.name.startswith("-")):
        raise InputError(
            f"{path} is not an importance matrix", "llama.cpp's `llama-imatrix` writes one."
        )


def quantize(
    source: Path,
    output: Path,
    quantization: str,
    *,
    imatrix: Path | None = None,
    again: bool = False,
) -> None:
    """Write a quantized copy of a model, with all its shards in one file.

    Args:
        output: a new file.
        imatrix: output of llama.cpp's `imatrix`: which weights matter.
        again: whether the model may be quantized already.

    Raises:
        InputError: it cannot be quantized, or there is no engine for this machine.
    """
    words: list[str | Path] = [find_engine(), "quantize", "--max-buffer-size", str(_BUFFER)]
    if again:
        words.append("--allow-requantize")
    if imatrix is not None:
        # Its name goes into the GGUF, where the name of its folder has no place.
        words += ["--imatrix", imatrix.name]
    words += [source.absolute(), output.absolute(), quantization]
    folder = imatrix.absolute().parent if imatrix else None
    run(words, f"quantizing {source.name}", "quantize", cwd=folder)


def find_engine() -> Path:
    """The program of the engine for this machine. Raises InputError if there is none."""
    if found := runnable():
        return found
    name = for_this_machine()[0].name
    raise InputError(
        f"no engine is built for {name}, and the engine quantizes",
        f"Run `llamapack engine build {name}`.",
    )
