"""Divides the text of `.args` into what `pack` wrote for its flags, and its user's own words."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

from packer.default_args import CONTEXT, apart, written
from packer.papers import sampling
from runtime.args_file import words_and_ends
from runtime.errors import InputError


@dataclass
class PackedArgs:
    """What the flags of `pack` said, by member names."""

    mmproj: str | None = None
    loras: list[str] = field(default_factory=list)
    """As `--lora` takes them, with a scale where there is one."""
    draft: str | None = None
    context: int | None = None
    """Tokens."""
    sampling: dict[str, Any] = field(default_factory=dict)
    own: str = ""


def divided(text: str, members: Collection[str]) -> PackedArgs:
    """Read what `packer.default_args` wrote; what has another order or form is the user's.

    Args:
        members: names of the bundle's members.
    """
    options = _Options(text, members)
    if options.member_of("-m") is None:
        return PackedArgs(own=text)
    found = PackedArgs(mmproj=options.member_of("--mmproj"))
    while lora := options.member_of("--lora") or options.member_of("--lora-scaled"):
        found.loras.append(lora)
    found.draft = options.member_of("-md")
    if found.draft:
        options.value_of("--spec-type")
    options.member_of("--models-preset")
    options.member_of("--chat-template-file")
    found.context, found.sampling = options.context(), options.sampling()
    found.own = options.rest
    return found


def with_own(text: str, own: str) -> str:
    """Put other words of the user's into the part of `.args` that names no members.

    Args:
        text: that part, which begins with context size and sampling defaults if there are any.
    """
    options = _Options(text, ())
    options.context()
    options.sampling()
    return text.removesuffix(options.rest) + apart(own)


class _Options:
    """Flags with values at the start of `.args`, one after another."""

    def __init__(self, text: str, members: Collection[str]) -> None:
        self.rest = text
        self._members = members
        self._left = _options(text)

    def value_of(self, flag: str, fits: Callable[[str], bool] = lambda _: True) -> str | None:
        """The value of the next option if it is this one and its value fits."""
        if not self._left or self._left[0][0] != flag or not fits(self._left[0][1]):
            return None
        value = self._left[0][1]
        self._skip(1)
        return value

    def member_of(self, flag: str) -> str | None:
        """The same of an option that names a member, with a scale behind it or not."""

        def fits(value: str) -> bool:
            name = value.removeprefix("/zip/")
            return name in self._members or name.rpartition(":")[0] in self._members

        return self.value_of(flag, fits)

    def context(self) -> int | None:
        """The context size, if it comes next."""
        value = self.value_of(CONTEXT, _is_count)
        return None if value is None else int(value)

    def sampling(self) -> dict[str, Any]:
        """The sampling defaults that come next."""
        found, count = sampling.read(self._left)
        self._skip(count)
        return found

    def _skip(self, count: int) -> None:
        self.rest = self.rest[len(written(self._left[:count])) :]
        self._left = self._left[count:]


def _options(text: str) -> list[tuple[str, str]]:
    """Flags with values at the start of `text`, as long as they are in the form of `written`."""
    found: list[tuple[str, str]] = []
    position = 0
    try:
        words = [word for word, _ in words_and_ends(text, {})]
    except InputError:
        return found
    for flag, value in zip(words[::2], words[1::2], strict=False):
        piece = written([(flag, value)])
        if not text.startswith(piece, position):
            break
        position += len(piece)
        found.append((flag, value))
    return found


def _is_count(text: str) -> bool:
    return len(text) < 12 and text.isdecimal() and str(int(text)) == text
