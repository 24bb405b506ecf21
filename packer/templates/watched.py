"""Values that notice whether a template looks at them.

The engine learns what a template can do by such a look (`common/jinja/caps.cpp` of llama.cpp
v0.4.0): a value counts as used once an expression reads it, printed or not.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, SupportsIndex


class WatchedDict(dict[str, Any]):
    """A mapping that notices which of its keys are read; those inside are watched as well."""

    def __init__(self, values: dict[str, Any]) -> None:
        super().__init__({key: watched(value) for key, value in values.items()})
        self.used: set[str] = set()

    def __getitem__(self, key: str) -> Any:
        self.used.add(key)
        return super().__getitem__(key)

    def get(self, key: str, default: Any = None) -> Any:
        self.used.add(key)
        return super().get(key, default)

    def items(self) -> Any:
        self.used.update(self)
        return super().items()

    def values(self) -> Any:
        self.used.update(self)
        return super().values()


class WatchedText(str):
    """Text that notices whether it is taken for a list; it refuses to be one, as in the engine."""

    taken_for_list = False

    def __iter__(self) -> Iterator[str]:
        self.taken_for_list = True
        raise TypeError("text is not a list")

    def __getitem__(self, key: SupportsIndex | slice) -> str:
        if not isinstance(key, slice):
            self.taken_for_list = True
        return super().__getitem__(key)


def watched(value: Any) -> Any:
    """The same value, with mappings and texts that are watched."""
    if isinstance(value, dict):
        return WatchedDict(value)
    if isinstance(value, list):
        return [watched(one) for one in value]
    return WatchedText(value) if isinstance(value, str) else value
