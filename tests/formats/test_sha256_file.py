from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.formats.sha256_file import parse, write

_NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/\0"), min_size=1)


@given(st.dictionaries(_NAMES.filter(lambda name: name.strip()), st.binary(), max_size=4))
def test_reads_what_it_writes(contents: dict[str, bytes]) -> None:
    sums = {name: hashlib.sha256(data).hexdigest() for name, data in contents.items()}
    assert parse(write(sums)) == sums


@given(st.text())
def test_reads_any_text(text: str) -> None:
    assert all(len(sha256) == 64 for sha256 in parse(text).values())


def test_other_tools_lists() -> None:
    sha256 = "AB" * 32
    text = f"# comment\r\n{sha256} *./m.cat0\r\n\n{sha256}  m.cat1\nno sum  m.cat2\n"
    assert parse(text) == {"m.cat0": "ab" * 32, "m.cat1": "ab" * 32}
    assert parse(f"\ufeff{sha256}  m.cat1\r\n") == {"m.cat1": "ab" * 32}


@pytest.mark.parametrize("name", ["plain", "with  blanks ", "back\\slash", "line\nfeed", "é"])
def test_sha256sum_understands(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"content")
    (tmp_path / "list").write_text(write({name: hashlib.sha256(b"content").hexdigest()}))
    subprocess.run(["sha256sum", "-c", "--strict", "list"], cwd=tmp_path, check=True)
    theirs = subprocess.run(
        ["sha256sum", name], cwd=tmp_path, check=True, capture_output=True, text=True
    )
    assert theirs.stdout == (tmp_path / "list").read_text()
