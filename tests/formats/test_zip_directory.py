"""The ZIP reader: against Python's zipfile and Info-ZIP, and against damage."""

# ruff: noqa: PT017 - damage may go unnoticed, so `pytest.raises` does not fit

from __future__ import annotations

import io
import random
import subprocess
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.errors import InputError
from runtime.formats.bundle import Bundle
from runtime.formats.zip_directory import Directory, data_offset, read_directory

_NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0/\\"), min_size=1, max_size=20)
_CONTENTS = st.binary(max_size=200)


def archive(members: dict[str, bytes], *, deflate: bool = False, comment: bytes = b"") -> bytes:
    out = io.BytesIO()
    method = zipfile.ZIP_DEFLATED if deflate else zipfile.ZIP_STORED
    with zipfile.ZipFile(out, "w", method) as writer:
        for name, data in members.items():
            writer.writestr(name, data)
        writer.comment = comment
    return out.getvalue()


def read(data: bytes) -> Directory:
    return read_directory(io.BytesIO(data), "x.zip")


@settings(deadline=None)
@given(
    members=st.dictionaries(_NAMES, _CONTENTS, max_size=8),
    deflate=st.booleans(),
    comment=st.binary(max_size=50),
    before=st.integers(0, 5000),
    after=st.binary(max_size=3000),
)
def test_reads_what_zipfile_writes(
    members: dict[str, bytes], deflate: bool, comment: bytes, before: int, after: bytes
) -> None:
    out = io.BytesIO()
    out.write(b"#" * before)
    method = zipfile.ZIP_DEFLATED if deflate else zipfile.ZIP_STORED
    with zipfile.ZipFile(out, "a", method) as writer:
        for name, data in members.items():
            writer.writestr(name, data)
        writer.comment = comment
    data = out.getvalue() + after
    found = read(data)
    assert list(found.members) == list(members)
    assert found.end == len(data) - len(after)
    for name, content in members.items():
        member = found.members[name]
        assert member.size == len(content)
        if not deflate:
            offset = data_offset(io.BytesIO(data), member, "x.zip")
            assert data[offset : offset + member.size] == content


@settings(deadline=None, max_examples=400)
@given(data=st.data())
def test_damage_is_refused_or_harmless(data: st.DataObject) -> None:
    raw = bytearray(archive({"a": b"x" * 40, "dir/b": b"y" * 300}, deflate=True, comment=b"note"))
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    raw = raw[: data.draw(st.integers(0, len(raw)))]
    try:
        found = read(bytes(raw))
        for member in found.members.values():
            data_offset(io.BytesIO(raw), member, "x.zip")
    except InputError as problem:
        assert "x.zip" in problem.message
        assert problem.tip


@settings(deadline=None)
@given(data=st.data())
def test_damaged_contents_are_refused_or_harmless(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    raw = bytearray(archive({"a": bytes(500) + b"x" * 40, ".args": b"-c 1"}, deflate=True))
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "damaged.zip"
    path.write_bytes(raw)
    try:
        with Bundle.open(path) as bundle:
            for member in bundle.members.values():
                assert len(b"".join(bundle.stream(member))) == member.size
            assert isinstance(bundle.args, str)
    except InputError as problem:
        assert str(path) in problem.message


def test_a_deflate_bomb_is_cut_off_at_its_stated_size(tmp_path: Path) -> None:
    raw = archive({"bomb": bytes(300 << 20)}, deflate=True)
    stated = (300 << 20).to_bytes(4, "little")
    assert raw.count(stated) == 2
    path = tmp_path / "bomb.zip"
    path.write_bytes(raw.replace(stated, (1000).to_bytes(4, "little")))
    with Bundle.open(path) as bundle:
        pieces = bundle.stream(bundle.members["bomb"])
        with pytest.raises(InputError, match="length"):
            list(pieces)


def test_entries_appended_later_win(tmp_path: Path) -> None:
    path = tmp_path / "twice.zip"
    with zipfile.ZipFile(path, "w") as writer:
        writer.writestr("a", b"old")
        writer.writestr("b", b"other")
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(path, "a") as writer:
        writer.writestr("a", b"new")
    with Bundle.open(path) as bundle:
        assert bundle.read("a") == b"new"


@pytest.mark.parametrize("after", [b"", b"PK\x05\x06", b"PK\x05\x06" + b"\xff" * 60, bytes(60000)])
def test_bytes_after_the_end_record(after: bytes) -> None:
    assert list(read(archive({"a": b"1"}, comment=b"PK\x05\x06?") + after).members) == ["a"]


def test_the_end_record_is_not_looked_for_further_away() -> None:
    with pytest.raises(InputError, match="no ZIP end record"):
        read(archive({"a": b"1"}) + bytes(70000))


def test_many_members() -> None:
    members = {f"{n}": b"" for n in range(70000)}
    assert list(read(archive(members)).members) == list(members)


@pytest.mark.parametrize("data", [b"", b"x", b"PK\x05\x06", bytes(100_000)])
def test_refuses_what_is_no_archive(data: bytes) -> None:
    with pytest.raises(InputError, match="not a bundle") as caught:
        read(data)
    assert caught.value.tip


def test_refuses_a_directory_that_claims_too_much() -> None:
    raw = bytearray(archive({"a": b"1" * 100}))
    raw[-12:-8] = (46).to_bytes(4, "little")  # its length: cut in the middle of a name
    with pytest.raises(InputError, match=r"damaged|no ZIP"):
        read(bytes(raw))


def test_reads_a_file_that_info_zip_changed(tmp_path: Path, bundle: Path) -> None:
    extra = tmp_path / "extra.txt"
    extra.write_text("hello")
    subprocess.run(["zip", "-qj0", bundle, extra], check=True)
    with Bundle.open(bundle) as changed:
        assert changed.read("extra.txt") == b"hello"
        assert changed.manifest is not None


def test_random_noise_with_end_records() -> None:
    noise = random.Random(3)
    for _ in range(200):
        data = noise.randbytes(200) + b"PK\x05\x06" + noise.randbytes(noise.randrange(60))
        with pytest.raises(InputError):
            read(data)
