"""The shell script of an APE file: where it begins and ends, and what it copies out of the file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from packer.ape.elf_rules import SCANNED
from packer.ape.rules import Broken
from packer.head.pe import LFANEW
from packer.head.script import BLOCK
from runtime.machine.head import APE_CMD, APE_DEBUG, APE_UNIX, APE_WINDOWS

_EXIT = re.compile(rb"^[ \t]*exit\b[^\n]*\n", re.MULTILINE)
_STUB = re.compile(rb"\bo=(\d{1,12}) (?:n=\d+ )?h=(?:[0-9a-f]{16}){1,2} k='\d+ (\d{1,12})'")
"""How our own script states where a stub is, in blocks, and its size in bytes."""
_DD = re.compile(rb"\bdd +if=[\"']?\$\{?[o0]\b[^\n;|&]*")
"""Copies out of the file itself, which the scripts of Cosmopolitan's tools call `$o`."""
_OPERAND = re.compile(rb"\b(bs|skip|count)=[\"']?(?: *\$\(\()? *(\d{1,15})")
_OVER_ITSELF = re.compile(rb"\bof=[\"']?\$\{?[o0]\b.*\bconv=notrunc\b")
_DD_BLOCK = 512
"""The default block size of `dd` (POSIX), in bytes."""


@dataclass(frozen=True)
class Script:
    """Where the script is; bytes from the start of the file."""

    start: int
    end: int


@dataclass(frozen=True)
class Extract:
    """A range of the file that the script copies into a new file, in bytes."""

    offset: int
    size: int | None
    """None: up to the end of the file."""
    over_start: bool = False
    """Whether it goes over the file's own first bytes."""


def read_script(head: bytes) -> tuple[Script | None, list[Broken]]:
    """The script of the file that begins with `head`, and the rules that it breaks."""
    text = head[:SCANNED]
    if text[:8] not in (APE_WINDOWS, APE_UNIX, APE_DEBUG):
        return None, [Broken("magic", "no APE magic")]
    broken = []
    if text[8:9] != b"\n" and not text.startswith(APE_CMD):
        broken.append(Broken("magic-newline", "no newline follows the magic"))
    quote = text.find(b"'", 8)
    if quote < 0 or text[quote + 1 : quote + 2] not in (b"\n", b" ", b"<"):
        broken.append(Broken("quote", "the quote that the magic opens does not end before a line"))
        return None, broken
    exits = list(_EXIT.finditer(text, quote))
    if not exits:
        broken.append(Broken("script-exit", f"no line with `exit` in the first {SCANNED} bytes"))
        return None, broken
    script = Script(quote + 1, exits[-1].end())
    parsed = bytearray(text[: script.end])
    if text[:2] == b"MZ":
        parsed[LFANEW : LFANEW + 4] = b"    "
    if 0 in parsed:
        broken.append(Broken("script-text", f"a NUL at {parsed.index(0)}, before the script ends"))
    return script, broken


def extracts(text: bytes) -> list[Extract]:
    """What a script copies out of its file, as far as plain numbers say so; each range once."""
    return list(dict.fromkeys(_extracts(text)))


def _extracts(text: bytes) -> Iterator[Extract]:
    for stub in _STUB.finditer(text):
        yield Extract(int(stub[1]) * BLOCK, int(stub[2]))
    for command in _DD.finditer(text):
        said = {name: int(number) for name, number in _OPERAND.findall(command[0])}
        if b"skip" in said:
            block, count = said.get(b"bs", _DD_BLOCK), said.get(b"count")
            size = None if count is None else count * block
            over = _OVER_ITSELF.search(command[0]) is not None
            yield Extract(said[b"skip"] * block, size, over)
