"""Metal's kernels in the form that the module carries them: as text, compiled when it starts.

llama.cpp's build joins each kernel with the headers that it includes and lets the assembler take
the result in between two symbols (`ggml/src/ggml-metal/CMakeLists.txt`, GGML_METAL_EMBED_LIBRARY).
"""

from __future__ import annotations

from pathlib import Path

_FOLDER = "ggml/src/ggml-metal"
_HEADERS = ("common.h", "dequantize.h", "quantize.h", "fa_common.metal", "fa_vec_common.metal")
"""In `kernels/`; the first is in front of every kernel, the others where one includes them."""

_ASSEMBLY = """\
.section __DATA,__ggml_metallib
.globl _ggml_metallib_{symbol}_start
_ggml_metallib_{symbol}_start:
.incbin "{path}"
.globl _ggml_metallib_{symbol}_end
_ggml_metallib_{symbol}_end:
"""


def embedded(llama_cpp: Path, kernels: list[str]) -> dict[str, str]:
    """For each kernel its whole text, and the assembly that takes it in.

    Args:
        llama_cpp: the folder with llama.cpp's sources.
        kernels: files in `kernels/`, as paths in it.

    Returns:
        Texts by path; the paths count from where the compiler runs.
    """
    folder = llama_cpp / _FOLDER / "kernels"
    headers = {name: _lines(folder / name) for name in _HEADERS if (folder / name).is_file()}
    common = _lines(llama_cpp / "ggml/src/ggml-common.h")
    implementation = _lines(llama_cpp / _FOLDER / "ggml-metal-impl.h")
    texts: dict[str, str] = {}
    for kernel in (name for name in kernels if name.endswith(".metal")):
        if Path(kernel).name in headers:
            continue
        own = _lines(llama_cpp / kernel)
        lines = list(headers[_HEADERS[0]])
        for name, header in headers.items():
            if name != _HEADERS[0] and any(f'#include "{name}"' in line for line in own):
                lines += header
        lines = [line for line in lines + own if not _is_inner(line)]
        lines = _replaced(lines, "__embed_ggml-common.h__", common)
        lines = _replaced(lines, '#include "ggml-metal-impl.h"', implementation)
        name = Path(kernel).stem
        path = f"{_FOLDER}/embedded/{name}.metal"
        texts[path] = "".join(lines)
        texts[path.removesuffix(".metal") + ".s"] = _ASSEMBLY.format(
            symbol=name.replace("-", "_"), path=path
        )
    return texts


def _lines(path: Path) -> list[str]:
    with path.open(encoding="utf-8", newline="\n") as file:
        return list(file)


def _is_inner(line: str) -> bool:
    return "#pragma once" in line or any(f'#include "{name}"' in line for name in _HEADERS)


def _replaced(lines: list[str], mark: str, by: list[str]) -> list[str]:
    made: list[str] = []
    for line in lines:
        made += by if mark in line else [line]
    return made
