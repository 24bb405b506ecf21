"""The Mach-O header in an APE file, and the rules that it may break."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from apes import mach_o, write_cosmopolitan
from hypothesis import given
from hypothesis import strategies as st

from packer.ape import macho_rules
from packer.ape.anatomy import take_apart

PLACE = 4096
"""Where `write_cosmopolitan` puts the header."""


def broken(tmp_path: Path, header: bytes) -> set[str]:
    path = write_cosmopolitan(tmp_path / "their.com")
    data = path.read_bytes()
    path.write_bytes(data[:PLACE] + header + data[PLACE + len(header) :])
    return {one.rule for one in take_apart(path).broken if one.rule.startswith("macho-")}


def test_a_sound_one(tmp_path: Path) -> None:
    assert broken(tmp_path, b"") == set()


@pytest.mark.parametrize(
    ("rule", "header"),
    [
        ("macho-header", b"\xce"),  # 32 bits
        ("macho-header", mach_o(b"__TEXT", 0, 0, 0, 0)[:16] + struct.pack("<2I", 9, 72)),
        ("macho-header", mach_o(b"__TEXT", 0, 0, 0, 0)[:16] + struct.pack("<2I", 1, 1 << 20)),
        ("macho-in-file", mach_o(b"__TEXT", 0x400000, 1 << 30, 0, 1 << 30)),
        ("macho-pages", mach_o(b"__TEXT", 0x400010, 4096, 0, 4096)),
        ("macho-pages", mach_o(b"__TEXT", 0x400000, 4096, 16, 4096)),
        ("macho-sizes", mach_o(b"__TEXT", 0x400000, 16, 0, 4096)),
    ],
)
def test_a_broken_rule_is_named(rule: str, header: bytes, tmp_path: Path) -> None:
    assert broken(tmp_path, header) == {rule}


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_or_read(data: bytes) -> None:
    header = mach_o(b"__TEXT", 0, 0, 0, 0)[:32]
    for one in (data, header + data):
        try:
            found = macho_rules.segments(one)
        except ValueError:
            continue
        list(macho_rules.check(found, 0, 1000))
