"""Which files a quantization means; expectations from llama.cpp v0.4.0's `find_best_model`."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.hub.choice import best_model, best_projector, is_model, missing_shards, shards

FILES = [
    "README.md",
    "mmproj-BF16.gguf",
    "mmproj-F16.gguf",
    "model-IQ4_XS.gguf",
    "model-Q4_K_M.gguf",
    "model-Q4_K_S.gguf",
    "model-Q8_0.gguf",
    "UD/model-UD-Q4_K_XL-00001-of-00002.gguf",
    "UD/model-UD-Q4_K_XL-00002-of-00002.gguf",
]


@pytest.mark.parametrize(
    ("quantization", "file"),
    [
        (None, "model-Q4_K_M.gguf"),
        ("q8_0", "model-Q8_0.gguf"),
        ("Q4_K_XL", "UD/model-UD-Q4_K_XL-00001-of-00002.gguf"),
        ("UD-Q4_K_XL", "UD/model-UD-Q4_K_XL-00001-of-00002.gguf"),
        ("IQ4_XS", "model-IQ4_XS.gguf"),
        ("F16", None),  # that is a projector
        ("Q4", None),  # the name goes on after it
        ("Q6_K", None),
        (".*", None),
    ],
)
def test_best_model(quantization: str | None, file: str | None) -> None:
    assert best_model(FILES, quantization) == file


def test_defaults() -> None:
    assert best_model(["a-F16.gguf", "a-Q8_0.gguf"], None) == "a-Q8_0.gguf"
    assert best_model(["a-F16.gguf", "b-F16.gguf"], None) == "a-F16.gguf"
    assert best_model(["a-00002-of-00002.gguf", "mtp-a.gguf"], None) is None
    assert best_model(["x.Q4_K_M.gguf"], None) == "x.Q4_K_M.gguf"


def test_shards() -> None:
    first = "UD/model-UD-Q4_K_XL-00001-of-00002.gguf"
    assert shards(FILES, first) == FILES[-2:]
    assert shards(FILES, "model-Q8_0.gguf") == ["model-Q8_0.gguf"]
    assert missing_shards(FILES, first) == []
    assert missing_shards(FILES[:-1], first) == FILES[-1:]


def test_projectors() -> None:
    assert best_projector(FILES, "model-Q8_0.gguf") == "mmproj-BF16.gguf"
    assert best_projector(FILES, "UD/model-UD-Q4_K_XL-00001-of-00002.gguf") == "mmproj-BF16.gguf"
    deeper = ["mmproj-F16.gguf", "a/mmproj-Q8_0.gguf", "b/mmproj-F16.gguf"]
    assert best_projector(deeper, "a/model-F16.gguf") == "a/mmproj-Q8_0.gguf"
    assert best_projector(["b/mmproj-F16.gguf"], "a/model.gguf") is None
    assert best_projector(["mmproj-F16.gguf", "mmproj-Q8_0.gguf"], "x-Q6_K.gguf") == (
        "mmproj-Q8_0.gguf"
    )


@given(
    st.lists(st.text("abQ4_KM-.0125of/", max_size=12).map("{}.gguf".format)), st.text(max_size=5)
)
def test_any_names(files: list[str], quantization: str) -> None:
    found = best_model(files, quantization or None)
    if found is not None:
        assert is_model(found)
        assert found in shards(files, found)
        assert missing_shards([*files, *missing_shards(files, found)], found) == []
