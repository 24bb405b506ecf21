"""Our tables of types against those of the `gguf` package."""

from __future__ import annotations

from gguf import LlamaFileType
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType

from runtime.formats.gguf_header import FILE_TYPE_GUESSED, FILE_TYPES, TENSOR_TYPES

# gguf 0.19 says 40 bytes, as if its scales were F32; llama.cpp's block_q8_1 has two halves. No
# file holds this type: it is an intermediate of matrix products.
_DIFFERS = {GGMLQuantizationType.Q8_1}


def test_tensor_types_are_those_of_gguf() -> None:
    for kind, sizes in GGML_QUANT_SIZES.items():
        if kind not in _DIFFERS:
            ours = TENSOR_TYPES[int(kind)]
            assert (ours.name, (ours.block, ours.size)) == (kind.name, sizes)


def test_file_types_are_those_of_gguf() -> None:
    for kind in LlamaFileType:
        name = kind.name.removeprefix("MOSTLY_").removeprefix("ALL_")
        if kind != LlamaFileType.GUESSED:
            assert FILE_TYPES[int(kind)] == name
    assert int(LlamaFileType.GUESSED) == FILE_TYPE_GUESSED
