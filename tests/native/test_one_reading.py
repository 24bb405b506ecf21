"""What stubs and engines read of a ZIP (native/bundle) is what Python shows of it (runtime)."""

from __future__ import annotations

import io
import struct
import subprocess
from collections.abc import Sequence
from pathlib import Path

from hypothesis import settings
from odd_archives import archives

from runtime.errors import InputError
from runtime.zip_directory import Member, data_offset, read_directory

Listing = list[list[str]] | None
"""Of the directory and of each member; None: refused."""

_BATCH = 1000


def read_by_engines(driver: Path, files: Sequence[bytes]) -> list[Listing]:
    stdin = b"".join(struct.pack("<Q", len(file)) + file for file in files)
    done = subprocess.run([driver, "serve"], input=stdin, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    lines = iter(done.stdout.decode().splitlines())
    found: list[Listing] = []
    for line in lines:
        head = line.split("\t")
        members = [next(lines).split("\t") for _ in range(max(int(head[0]), 0))]
        found.append([head, *members] if head[0] != "-1" else None)
    return found


def read_by_python(file: bytes) -> Listing:
    try:
        found = read_directory(io.BytesIO(file), "x.zip")
    except InputError:
        return None
    head = [str(n) for n in (len(found.members), found.offset, found.end)]
    return [head, *(_shown(file, member) for member in found.members.values())]


def _shown(file: bytes, member: Member) -> list[str]:
    try:
        place = data_offset(io.BytesIO(file), member, "x.zip")
    except InputError:
        place = -1
    numbers = (
        member.method, member.flags, member.crc32, member.compressed_size, member.size, place,
    )  # fmt: skip
    return [member.name.encode().hex(), *map(str, numbers)]


def compare(driver: Path, files: Sequence[bytes]) -> tuple[int, int]:
    """How many archives both accept, and how many of their members both can read."""
    accepted = readable = 0
    for file, engines in zip(files, read_by_engines(driver, files), strict=True):
        assert engines == read_by_python(file), file.hex()
        if engines is not None:
            accepted += 1
            readable += sum(row[-1] != "-1" for row in engines[1:])
    return accepted, readable


def test_both_read_the_same(driver: Path) -> None:
    """10,000 archives; ten times as many with hypothesis' profile `nightly`."""
    batches = settings().max_examples // 10
    accepted = readable = 0
    for seed in range(batches):
        found = compare(driver, archives(seed, _BATCH))
        accepted, readable = accepted + found[0], readable + found[1]
    total = batches * _BATCH
    assert total // 4 < accepted < total * 3 // 4
    assert readable > total // 4
