"""The flags of a llama.cpp release, read from the table in its `common/arg.cpp`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_GROUP = re.compile(r"\s*\{([^{}]*)\}\s*,")
_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"')
_EXAMPLES = re.compile(r"\.set_examples\(\{([^}]*)\}\)")


@dataclass(frozen=True)
class Flag:
    """One entry of the table."""

    names: tuple[str, ...]
    """All spellings, those that switch it off among them."""
    text: str
    """Names of its values, and what `--help` says of it."""
    examples: tuple[str, ...]
    """The programs that take it, as upstream's constants; none: nearly all."""


def flags(llama_cpp: Path) -> dict[str, Flag]:
    """Every flag, by each of its names.

    Args:
        llama_cpp: the folder with llama.cpp's sources.
    """
    source = (llama_cpp / "common" / "arg.cpp").read_text(encoding="utf-8")
    found: dict[str, Flag] = {}
    for entry in source.split("add_opt(common_arg(")[1:]:
        names, position = [], 0
        while group := _GROUP.match(entry, position):
            names += _STRING.findall(group[1])
            position = group.end()
        text = entry[position:].split("[](", 1)[0]
        examples = _EXAMPLES.search(entry)
        programs = (
            tuple(sorted(word.strip() for word in examples[1].split(","))) if examples else ()
        )
        flag = Flag(tuple(names), " ".join(_STRING.findall(text)), programs)
        found |= dict.fromkeys(names, flag)
    return found


def changes(old: dict[str, Flag], new: dict[str, Flag]) -> list[str]:
    """One line for each flag that came, went, or became another."""
    lines = []
    for name in sorted(old.keys() | new.keys(), key=lambda name: name.lstrip("-")):
        if name not in old:
            lines.append(f"+ {name}  {new[name].text}")
        elif name not in new:
            lines.append(f"- {name}  {old[name].text}")
        elif old[name].text != new[name].text:
            lines.append(f"~ {name}  {new[name].text}  (was: {old[name].text})")
        elif old[name].examples != new[name].examples:
            lines.append(f"~ {name}  for {_programs(new[name])}  (was: {_programs(old[name])})")
    return lines


def _programs(flag: Flag) -> str:
    return ", ".join(flag.examples).replace("LLAMA_EXAMPLE_", "").lower() or "all programs"
