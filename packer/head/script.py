"""The shell script at the start of a bundle: `start.sh` with the facts of one bundle filled in."""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Iterator, Sequence
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


def render(stubs: Sequence[Placed], targets: Sequence[str]) -> bytes:
    """The script, without comments, indentation and other spaces; it ends with a newline.

    Args:
        targets: the targets that its messages list.
    """
    template = resources.files(__package__).joinpath("start.sh").read_text("ascii")
    lines: list[str] = []
    for line in map(str.strip, template.splitlines()):
        if line == "@CASES@":
            lines += _cases(stubs)
        elif line.startswith("@WINDOWS@ "):
            lines += [line.removeprefix("@WINDOWS@ ")] * any("windows" in name for name in targets)
        elif line and not line.startswith("#"):
            lines.append(
                _BLANKS.sub(lambda found: found[1] or "", line).replace(
                    "@TARGETS@", ", ".join(targets)
                )
            )
    return ("\n".join(lines) + "\n").encode("ascii")
