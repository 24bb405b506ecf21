"""Reads JSON from strangers: bounded in size, depth, values and numbers.

A limit of bytes does not limit the work: 64 MB of `[],` would take 1.6 GB as Python objects.
"""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn, TypeGuard

MALFORMED = (AttributeError, LookupError, OverflowError, RecursionError, TypeError, ValueError)
"""Raised by looking into a value whose shape is not the expected one."""

_BYTES = 64 << 20
_VALUES = 1 << 21
_DEPTH = 100
_DIGITS = 64  # `model_max_length` of many tokenizers has 31


def parse_json(data: str | bytes, *, limit: int = _BYTES) -> Any:
    """The value of a JSON text of at most `limit` bytes or characters.

    Raises:
        ValueError: it is not JSON, has infinite numbers or half characters, or exceeds a limit.
    """
    if len(data) > limit:
        raise ValueError("too long")
    count: Any = data.count
    marks = (b"[", b"{", b",") if isinstance(data, bytes) else ("[", "{", ",")
    lists, objects, commas = map(count, marks)
    if lists + objects + commas > _VALUES:
        raise ValueError("too many values")
    try:
        value = json.loads(data, parse_constant=_constant, parse_float=_float, parse_int=_int)
    except RecursionError:
        raise ValueError("too deep") from None
    if lists + objects > _DEPTH:
        _check_depth(value)
    if (b"\\ud" if isinstance(data, bytes) else "\\ud") in data.lower():  # type: ignore[operator]
        json.dumps(value, ensure_ascii=False).encode()  # half a character, which nothing can print
    return value


def is_count(value: Any) -> TypeGuard[int]:
    """Whether a value is a whole number that can be an offset or a length in a file."""
    return type(value) is int and 0 <= value < 1 << 62


def _constant(word: str) -> NoReturn:
    raise ValueError(word)


def _float(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError(digits)
    return value


def _int(digits: str) -> int:
    if len(digits) > _DIGITS:
        raise ValueError("too large")
    return int(digits)


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(_DEPTH + 1):
        level = [one for one in level if isinstance(one, (dict, list))]
        if not level:
            return
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
    raise ValueError("too deep")
