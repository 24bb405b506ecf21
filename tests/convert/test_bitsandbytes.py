"""Dequantizing what bitsandbytes quantized, against a plain reading of its format.

tests/e2e/convert compares with the library itself.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.stand_ins import Refused
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from packer.convert import bitsandbytes
from packer.convert.bitsandbytes import quantized
from packer.convert.safetensors import New, read_header, write
from runtime.errors import InputError

_DTYPES = {"uint8": "U8", "int8": "I8", "float32": "F32"}


def _checkpoint(path: Path, tensors: Mapping[str, NDArray[Any]]) -> Path:
    new = [New(k, _DTYPES[v.dtype.name], v.shape, [v]) for k, v in tensors.items()]
    write(path, new)
    return path


def _state(**facts: object) -> NDArray[np.uint8]:
    return np.frombuffer(json.dumps(facts).encode(), np.uint8)


def _four_bit(
    shape: tuple[int, ...], block: int, nested: bool, seed: int = 1
) -> tuple[dict[str, NDArray[Any]], NDArray[np.float32]]:
    """Tensors of a random weight, and its numbers, one after the other."""
    random = np.random.default_rng(seed)
    count = int(np.prod(shape))
    blocks = -(-count // block)
    codes = random.integers(0, 16, count + count % 2).astype(np.uint8)
    codes[count:] = 0
    values = random.standard_normal(16).astype(np.float32)
    tensors: dict[str, NDArray[Any]] = {
        "w": ((codes[0::2] << 4) | codes[1::2]).reshape(-1, 1),
        "w.quant_map": values,
    }
    facts: dict[str, Any] = {"dtype": "float32", "shape": list(shape), "blocksize": block}
    if nested:
        scale_codes = random.integers(0, 256, blocks).astype(np.uint8)
        scale_values = random.standard_normal(256).astype(np.float32)
        maxima = random.random(-(-blocks // 256)).astype(np.float32)
        tensors |= {
            "w.absmax": scale_codes,
            "w.nested_absmax": maxima,
            "w.nested_quant_map": scale_values,
        }
        facts |= {"nested_blocksize": 256, "nested_dtype": "float32", "nested_offset": 0.25}
        scales = [scale_values[c] * maxima[n // 256] + np.float32(0.25) for n, c in
                  enumerate(scale_codes)]  # fmt: skip
    else:
        tensors["w.absmax"] = random.random(blocks).astype(np.float32)
        scales = list(tensors["w.absmax"])
    tensors["w.quant_state.bitsandbytes__nf4"] = _state(quant_type="nf4", **facts)
    numbers = [values[code] * scales[n // block] for n, code in enumerate(codes[:count])]
    return tensors, np.array(numbers, np.float32)


@settings(deadline=None, max_examples=30)
@given(
    st.lists(st.integers(1, 90), min_size=1, max_size=2),
    st.sampled_from([32, 64, 128]),
    st.booleans(),
    st.integers(0, 99),
)
def test_four_bits(
    tmp_path_factory: pytest.TempPathFactory,
    shape: list[int], block: int, nested: bool, seed: int,
) -> None:  # fmt: skip
    tensors, numbers = _four_bit(tuple(shape), block, nested, seed)
    path = _checkpoint(tmp_path_factory.mktemp("four") / "x", tensors)
    weights, parts = quantized(read_header(path))
    assert list(weights) == ["w"]
    assert parts >= set(tensors) - {"w"}
    assert weights["w"].shape == tuple(shape)
    assert np.array_equal(np.concatenate(list(weights["w"].pieces())), numbers)


@pytest.mark.parametrize("nested", [False, True])
def test_piece_by_piece(nested: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bitsandbytes, "_PIECE", 4096)
    tensors, numbers = _four_bit((211, 101), 64, nested)
    weights, _ = quantized(read_header(_checkpoint(tmp_path / "x", tensors)))
    pieces = list(weights["w"].pieces())
    assert max(len(piece) for piece in pieces) == 4096
    assert np.array_equal(np.concatenate(pieces), numbers)


def test_eight_bits(tmp_path: Path) -> None:
    codes = np.array([[127, -127, 0], [64, 1, -1]], np.int8)
    scales = np.array([2.0, 127.0], np.float32)
    tensors = {"m.weight": codes, "m.SCB": scales, "m.weight_format": np.zeros((), np.uint8)}
    weights, parts = quantized(read_header(_checkpoint(tmp_path / "x", tensors)))
    assert list(weights) == ["m.weight"]
    assert parts == {"m.SCB", "m.weight_format"}
    assert np.concatenate(list(weights["m.weight"].pieces())).tolist() == [2, -2, 0, 64, 1, -1]


def _refused(path: Path, tensors: Mapping[str, NDArray[Any]]) -> str:
    with pytest.raises(InputError) as problem:
        quantized(read_header(_checkpoint(path, tensors)))
    return problem.value.message


@pytest.mark.parametrize("missing", ["w", "w.absmax", "w.quant_map", "w.nested_absmax"])
def test_something_is_missing(missing: str, tmp_path: Path) -> None:
    tensors, _ = _four_bit((64, 4), 64, nested=True)
    del tensors[missing]
    assert "the bitsandbytes data of w are incomplete" in _refused(tmp_path / "x", tensors)


@pytest.mark.parametrize(
    "change",
    [
        {"blocksize": 0}, {"blocksize": 48}, {"shape": [64, 5]}, {"shape": []}, {"shape": "x"},
        {"dtype": "int3"}, {"nested_blocksize": 0}, {"nested_offset": None},
    ],
)  # fmt: skip
def test_facts_that_make_no_sense(change: dict[str, object], tmp_path: Path) -> None:
    tensors, _ = _four_bit((64, 4), 64, nested=True)
    facts = {
        "dtype": "float32", "shape": [64, 4], "blocksize": 64, "nested_blocksize": 256,
        "nested_offset": 0.25,
    }  # fmt: skip
    tensors["w.quant_state.bitsandbytes__nf4"] = _state(**(facts | change))
    assert "the bitsandbytes data of w are incomplete or invalid" in _refused(
        tmp_path / "x", tensors
    )


def test_a_layout_for_cards(tmp_path: Path) -> None:
    tensors: dict[str, NDArray[Any]] = {
        "m.weight": np.zeros((2, 3), np.int8),
        "m.SCB": np.ones(2, np.float32),
        "m.weight_format": np.array(2, np.uint8),
    }
    assert "layout" in _refused(tmp_path / "x", tensors)


_BLOCKED = """import sys
sys.modules["numpy"] = sys.modules["gguf"] = None
from packer.cli import main
sys.exit(main(sys.argv[1:]))"""


def test_without_numpy(tmp_path: Path, refused: Refused) -> None:
    """Only weights of bitsandbytes need it."""

    def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", _BLOCKED, *words]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    (tmp_path / "config.json").write_text("{}")
    _checkpoint(tmp_path / "model.safetensors", _four_bit((64,), 64, nested=False)[0])
    assert "needs numpy" in refused(run("convert", tmp_path))
    assert run("--help").returncode == 0
