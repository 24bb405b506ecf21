"""JSON of strangers is read by one function, which is bounded in every way."""

from __future__ import annotations

import re
import time
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.formats.json_input import is_count, parse_json

ROOT = Path(__file__).parents[2]
# What llamapack itself writes into its caches and ships.
OWN = {
    "packer/engines/cache.py", "packer/engines/cosmo.py", "packer/engines/deflated.py",
    "packer/engines/gpu/recipes.py",
}  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        "NaN", "[Infinity]", '{"size": 1e999}', "-1e999", "9" * 65, "9" * 10_000,
        "[" * 101 + "]" * 101,
        "[" * 200_000, '{"a":' * 5000, "[" + "[]," * (1 << 21) + "[]]", "", "{", "\ufeff",
        b"\xff", b"[" * 200_000,
    ],
    ids=lambda text: repr(text[:12]),
)  # fmt: skip
def test_refused(text: str | bytes) -> None:
    started = time.monotonic()
    with pytest.raises(ValueError):  # noqa: PT011
        parse_json(text)
    assert time.monotonic() - started < 20


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[" * 100 + "]" * 100, None),
        ('{"model_max_length": 1000000000000000019884624838656}', None),
        ('{"a": [1.5, -2, true, null, "[[[,"]}', {"a": [1.5, -2, True, None, "[[[,"]}),
        (b"\xef\xbb\xbf[1]", [1]),
    ],
)
def test_read(text: str | bytes, value: object) -> None:
    assert value is None or parse_json(text) == value
    parse_json(text)


@given(st.binary(max_size=40) | st.text(max_size=40))
def test_nothing_but_value_errors(text: str | bytes) -> None:
    with suppress(ValueError):
        parse_json(text)


def test_counts() -> None:
    assert all(map(is_count, (0, 1, 1 << 61)))
    assert not any(map(is_count, (-1, 1 << 62, True, 1.0, "1", None, [])))


def test_every_reader_uses_it() -> None:
    """But for what this machine's own builds have left."""
    found = {
        str(path.relative_to(ROOT))
        for folder in ("packer", "runtime")
        for path in (ROOT / folder).rglob("*.py")
        if re.search(r"\bjson\.loads?\(|\.json\(\)", path.read_text(encoding="utf-8"))
    }
    assert found - OWN == {"runtime/formats/json_input.py"}
