"""The shell script at the start of a bundle: `start.sh` with the facts of one bundle filled in."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from importlib import resources

BLOCK = 65536
"""Bytes between the starts of stubs; also the block size that the script gives to dd."""

_UNAME = {
    "linux-x86_64": ("Linux x86_64", "Linux amd64"),
    "linux-aarch64": ("Linux aarch64", "Linux arm64"),
}
"""What `uname -sm` prints on the hosts of each stub's target."""


@dataclasses.dataclass(frozen=True)
class Placed:
    """A stub and its place in the bundle."""

    target: str
    offset: int
    """Bytes from the start of the file, a multiple of `BLOCK`."""
    data: bytes
    """The stub, zero-padded to a multiple of `BLOCK`: what the script extracts."""

    @property
    def name(self) -> str:
        """The file's name in `CACHE/stubs`."""
        return hashlib.sha256(self.data).hexdigest()[:32]


def _cksum_table() -> list[int]:
    table = []
    for byte in range(256):
        value = byte << 24
        for _ in range(8):
            value = (value << 1 ^ (0x04C11DB7 if value & 0x80000000 else 0)) & 0xFFFFFFFF
        table.append(value)
    return table


def cksum(data: bytes) -> str:
    """What the POSIX utility `cksum` prints for `data` on its standard input: checksum and size."""
    table, value, size = _cksum_table(), 0, len(data)
    length = size.to_bytes((size.bit_length() + 7) // 8, "little")
    for byte in data + length:
        value = (value << 8 & 0xFFFFFFFF) ^ table[value >> 24 ^ byte]
    return f"{value ^ 0xFFFFFFFF} {size}"


def _case(stub: Placed) -> str:
    patterns = " | ".join(f"'{name}'" for name in _UNAME[stub.target])
    start, count = stub.offset // BLOCK, len(stub.data) // BLOCK
    return f"{patterns}) o={start} n={count} h={stub.name} k='{cksum(stub.data)}' ;;"


def printf(header: bytes) -> str:
    """The statement by which the APE loader finds an ELF header: octal but for letters."""
    text = "".join(chr(b) if chr(b).isalpha() and b < 0x80 else f"\\{b:03o}" for b in header)
    return f"printf '{text}'"


def render(stubs: list[Placed], elf_headers: Mapping[str, bytes]) -> bytes:
    """The script with its last newline, comments and indentation taken out.

    Args:
        stubs: the bundle's stubs.
        elf_headers: 64 bytes per architecture. They stand in comments: the APE loader looks for the
            text `printf '` only, and no shell has to run it.
    """
    template = resources.files(__package__).joinpath("start.sh").read_text("ascii")
    lines = []
    for line in map(str.strip, template.splitlines()):
        if line == "# @ELF@":
            lines += [f"# {printf(header)}" for header in elf_headers.values()]
        elif line == "@CASES@":
            lines += [_case(stub) for stub in stubs]
        elif line and not line.startswith("#"):
            lines.append(line.replace("@TARGETS@", ", ".join(stub.target for stub in stubs)))
    return ("\n".join(lines) + "\n").encode("ascii")
