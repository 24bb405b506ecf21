"""Records of the central directory that are moved, whoever wrote them."""

from __future__ import annotations

import io
import zipfile

from hypothesis import given
from hypothesis import strategies as st

from packer.zip.headers import Entry, end_records, moved
from runtime.formats.zip_directory import Member, read_directory

OFFSETS = st.one_of(st.integers(0, 1 << 20), st.integers((1 << 32) - 3, 1 << 40))
SIZES = st.one_of(st.integers(0, 1 << 20), st.integers((1 << 32) - 3, 1 << 34))


def parsed(entry: bytes) -> Member:
    """As our reader sees it, behind more bytes than any memory has."""
    before, far = bytes(1 << 17), 1 << 50
    offset = far + len(before)
    data = before + entry + end_records(offset + len(entry), offset, 1)

    class Far(io.BytesIO):
        def seek(self, position: int, whence: int = 0) -> int:
            if whence == 2:
                return super().seek(0, 2) + far
            return super().seek(position - far) + far

    (member,) = read_directory(Far(data), "x.zip").members.values()  # type: ignore[arg-type]
    return member


@given(size=SIZES, first=OFFSETS, second=OFFSETS)
def test_moving_gives_what_writing_there_gives(size: int, first: int, second: int) -> None:
    entry = Entry("\u00e4.gguf", 0, size, 0o644, 33, 7)
    here, there = entry.central(1, size, first), entry.central(1, size, second)
    assert moved(here, size=size, packed=size, header_offset=second) == there
    assert moved(there, size=size, packed=size, header_offset=first) == here


@given(
    size=SIZES,
    offset=OFFSETS,
    extra=st.binary(max_size=40),
    comment=st.binary(max_size=20),
    name=st.text("abc/\u00e9\u4e2d", min_size=1),
)
def test_foreign_records_keep_what_they_say(
    size: int, offset: int, extra: bytes, comment: bytes, name: str
) -> None:
    """Comments, extra fields that mean nothing to us, attributes."""
    info = zipfile.ZipInfo(name, (2020, 2, 3, 4, 5, 6))
    info.external_attr, info.comment = 0o100600 << 16, comment
    info.extra = b"\x55\x54" + len(extra).to_bytes(2, "little") + extra
    with io.BytesIO() as file:
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr(info, b"x")
        file.seek(0)
        (before,) = read_directory(file, "x.zip").members.values()
    after = parsed(moved(before.entry, size=size, packed=size, header_offset=offset))
    assert (after.name, after.size, after.compressed_size) == (name, size, size)
    assert (after.header_offset, after.mode, after.crc32) == (offset, 0o100600, before.crc32)
    assert info.extra in after.entry
    assert after.entry.endswith(comment)
