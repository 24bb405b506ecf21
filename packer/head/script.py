"""The scripts at the start of a bundle: `start.sh` and, for Windows' cmd.exe, `start.cmd`, with the
facts of one bundle filled in."""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources

from runtime.machine.targets import SYSTEMS, TARGETS

BLOCK = 65536
"""Bytes between the starts of stubs, and the block size of the script's `dd`."""


@dataclasses.dataclass(frozen=True)
class Placed:
    """A stub and its place in the bundle."""

    target: str
    offset: int
    """Bytes from the start of the file, a multiple of `BLOCK`."""
    data: bytes
    """The stub, without padding, as the script extracts it."""

    @property
    def name(self) -> str:
        """The file's name in `CACHE/stubs`."""
        return hashlib.sha256(self.data).hexdigest()[:16]

    @property
    def blocks(self) -> int:
        """How many blocks of `BLOCK` bytes it takes up in the bundle."""
        return -(-len(self.data) // BLOCK)


_BLANKS = re.compile(r" (&&|\|\|?|;;)(?: |$)|(?<=;) (?=(?:do|done|esac|fi|then)\b|\})")
"""Spaces around operators, which no shell needs."""


def _cksum_table() -> list[int]:
    table = []
    for byte in range(256):
        value = byte << 24
        for _ in range(8):
            value = (value << 1 ^ (0x04C11DB7 if value & 0x80000000 else 0)) & 0xFFFFFFFF
        table.append(value)
    return table


def cksum(data: bytes) -> str:
    """The output of the POSIX utility `cksum` for `data` on standard input: checksum and size."""
    table, value, size = _cksum_table(), 0, len(data)
    length = size.to_bytes((size.bit_length() + 7) // 8, "little")
    for byte in data + length:
        value = (value << 8 & 0xFFFFFFFF) ^ table[value >> 24 ^ byte]
    return f"{value ^ 0xFFFFFFFF} {size}"


def _cases(stubs: Sequence[Placed]) -> Iterator[str]:
    targets = {stub.target for stub in stubs}
    for stub in stubs:
        # Rosetta runs the stub of another machine.
        hosts = [TARGETS[stub.target]]
        hosts += [o for o in TARGETS.values() if o.guest == stub.target and o.name not in targets]
        names = [f"{SYSTEMS[host.os].kernel} {name}" for host in hosts for name in host.uname]
        if names:
            patterns = "|".join(f"'{name}'" for name in names)
            start = stub.offset // BLOCK
            facts = f"o={start} h={stub.name} k='{cksum(stub.data)}'"
            yield f"{patterns}) {facts};;"


def render(stubs: Sequence[Placed], targets: Sequence[str], *, ending: str = ".exe") -> bytes:
    """The script, without comments, indentation and other spaces; it ends with a newline.

    Args:
        targets: the targets that its messages list.
        ending: of the name by which Windows starts the file.
    """
    lines: list[str] = []
    for line in _template("start.sh"):
        if line == "@CASES@":
            lines += _cases(stubs)
        elif line.startswith("@WINDOWS@ "):
            if any("windows" in name for name in targets):
                lines.append(line.removeprefix("@WINDOWS@ ").replace("@ENDING@", ending))
        elif line and not line.startswith("#"):
            short = _BLANKS.sub(lambda found: found[1] or "", line)
            lines.append(short.replace("@TARGETS@", ", ".join(targets)))
    return ("\n".join(lines) + "\n").encode("ascii")


def render_cmd(stubs: Mapping[str, bytes]) -> bytes:
    """What cmd.exe reads, without comments.

    Args:
        stubs: those for Windows by target, which the archive has as `start/TARGET.exe`.
    """
    facts: list[str] = []
    for target, data in sorted(stubs.items(), reverse=True):
        name = hashlib.sha256(data).hexdigest()[:16]
        # The last one that fits counts: Windows on Arm emulates x86-64, not the other way round.
        wanted = 'if /i "%PROCESSOR_ARCHITECTURE%"=="ARM64" ' if facts else ""
        for key, value in {"a": target, "h": name, "z": len(data)}.items():
            facts.append(f'{wanted}set "{key}={value}"')
    lines = [line for line in _template("start.cmd") if not line.startswith("rem ")]
    text = "\r\n".join(lines).replace("@STUBS@", "\r\n".join(facts))
    return f"{text}\r\n".encode("ascii")


def _template(name: str) -> list[str]:
    text = resources.files(__package__).joinpath(name).read_text("ascii")
    return [line.strip() for line in text.splitlines()]
