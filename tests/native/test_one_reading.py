"""What stubs and engines read of a ZIP (native/bundle) is what Python shows of it (runtime)."""

from __future__ import annotations

import io
import struct
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from helpers.costs import COMMAND, cheap
from helpers.odd_archives import archives, directory_of, end_record, two_directories, zipped
from helpers.stand_ins import CommandLine, Refused
from hypothesis import settings

from runtime.errors import InputError
from runtime.formats.zip_directory import Member, data_offset, read_directory

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


def read_alike(driver: Path, file: bytes) -> Listing:
    [engines] = read_by_engines(driver, [file])
    assert engines == read_by_python(file)
    return engines


@pytest.mark.parametrize("inside", [True, False])
@pytest.mark.parametrize("disk", [0, 1, 0xFFFF])
def test_two_directories_are_refused_by_all(
    *, driver: Path, tmp_path: Path, llamapack: CommandLine, refused: Refused, disk: int,
    inside: bool,
) -> None:  # fmt: skip
    file = two_directories(disk=disk, inside=inside)
    assert read_alike(driver, file) is None
    path = tmp_path / "x.llamafile"
    path.write_bytes(file)
    for verb in ("inspect", "verify", "ls"):
        said = refused(llamapack(verb, path))
        assert f"ERROR {path} is damaged: its ZIP" in said


def test_a_second_archive_in_the_comment_is_refused(driver: Path) -> None:
    first = zipped({"a": b"1"})
    second = zipped({"b": b"2"}, before=len(first))[len(first) :]
    comment = struct.pack("<H", len(second))
    assert read_alike(driver, first[:-2] + comment + second) is None


def test_an_archive_that_grew_has_its_last_members(driver: Path) -> None:
    """zipalign of llamafile leaves the old directory where it was, and so does `--runtime`."""
    first = zipped({"a": b"1"})
    found = read_alike(
        driver, zipped({"b": b"2"}, before=len(first)).replace(bytes(len(first)), first, 1)
    )
    assert found
    assert [row[0] for row in found[1:]] == [b"b".hex()]


def test_a_zip_in_a_zip(driver: Path) -> None:
    for inner in (zipped({}), zipped({"x": b"1"}), archives(5, 1)[0]):
        found = read_alike(driver, zipped({"a.zip": inner, "b": b"2"}, before=9))
        assert found
        assert len(found) == 3


def plain(**changed: int) -> bytes:
    return directory_of([b"a", b"b"], **changed)


@pytest.mark.parametrize(
    ("changed", "right"),
    [
        ({}, True),
        ({"trailing": 65535}, True),
        ({"trailing": 65536}, False),
        ({"count": 3}, False),
        ({"count": 1}, False),
        ({"here": 1}, False),
        ({"disk": 1}, False),
        ({"first_disk": 1}, False),
        ({"gap": 1}, False),
        ({"member_disk": 1}, False),
        ({"offset": 0xFFFFFFFF}, False),
        ({"size": 0xFFFFFFFF}, False),
        ({"member_offset": 0xFFFFFFFF}, False),
        ({"member_offset": 0}, False),
        ({"member_offset": 1}, False),
        ({"wide": 1}, True),
        (
            {"wide": 1, "offset": 0xFFFFFFFF, "size": 0xFFFFFFFF, "count": 0xFFFF, "here": 0xFFFF},
            True,
        ),
        ({"wide": 1, "offset": 0xFFFFFFFE}, False),
        ({"wide": 1, "disks": 2}, False),
        ({"wide": 1, "disks": 0}, True),
        ({"wide": 1, "wide_size": 45}, False),
        ({"wide": 1, "wide_count": 1 << 40}, False),
        ({"wide": 1, "wide_count": 65538}, False),
        ({"wide": 1, "wide_disk": 1}, False),
        ({"wide": 1, "wide_at": 0}, False),
    ],
)
def test_end_records(driver: Path, changed: dict[str, int], right: bool) -> None:
    assert (read_alike(driver, plain(**changed)) is not None) == right


@pytest.mark.parametrize(
    "name", [b"a\0b", b"\xff", b"\xed\xa0\x80", b"\xc0\xaf", b"\xf4\x90\x80\x80"]
)
def test_names_that_are_refused(driver: Path, name: bytes) -> None:
    assert read_alike(driver, directory_of([b"a", name])) is None


@pytest.mark.parametrize("name", ["..\\x", "C:x", "../x", "/x", "", "x/", "\x1b[2J", "\u202e", "𝄞"])
def test_odd_names_are_listed_alike(driver: Path, name: str) -> None:
    found = read_alike(driver, directory_of([b"a", name.encode()]))
    assert found
    assert found[2][0] == name.encode().hex()


def test_the_last_of_a_name_counts(driver: Path) -> None:
    found = read_alike(driver, directory_of([b"a", b"b", b"a", b"c"]))
    assert found
    assert [bytes.fromhex(row[0]) for row in found[1:]] == [b"b", b"a", b"c"]


def test_archives_with_old_names_are_read_but_are_no_bundles(
    tmp_path: Path, llamapack: CommandLine, refused: Refused
) -> None:
    path = tmp_path / "old.zip"
    path.write_bytes(zipped({"x\xc4.txt": b"hello"}).replace("xÄ".encode(), b"x_\x8e"))
    assert llamapack("ls", path).stdout.split()[-1] == "x_Ä.txt"
    assert llamapack("cat", path, "x_Ä.txt").stdout == "hello"
    assert "not UTF-8" in refused(llamapack("inspect", path))
    assert "not UTF-8" in refused(llamapack("verify", path))


def test_names_without_the_flag_are_utf_8_if_they_can_be(
    driver: Path, tmp_path: Path, llamapack: CommandLine
) -> None:
    """As the Finder writes them."""
    path = tmp_path / "mac.zip"
    path.write_bytes(directory_of(["é".encode()]))
    assert read_alike(driver, path.read_bytes())
    assert llamapack("ls", path).stdout.split()[-1] == "é"


def _claims(file: int) -> bytes:
    """As many end records as there is room for, each with a directory as long as the file."""
    record = end_record(0, file - 65536)
    return record * (65535 // len(record))


@pytest.mark.parametrize("verb", ["ls", "inspect", "verify"])
def test_many_end_records_are_cheap(tmp_path: Path, verb: str) -> None:
    path = tmp_path / "x.llamafile"
    for start in (b"", b"PK\1\2"):
        with path.open("wb") as file:
            file.write(start)
            file.truncate(250 << 20)
            file.seek(0, 2)
            file.write(_claims(250 << 20))
        done = cheap(COMMAND, verb, path)
        assert done.returncode == 1
        assert "ERROR" in done.stderr


def _smallest(count: int) -> bytes:
    """So many entries without a name, for one member."""
    one = directory_of([b""])
    entries = one[one.index(b"PK\1\2") : -22] * count
    place = 30 + len(entries)
    fields = (b"PK\6\6", 44, 45, 45, 0, 0, count, count, len(entries), 30)
    wide = struct.pack("<4sQ2H2I4Q", *fields) + struct.pack("<4sIQI", b"PK\6\7", 0, place, 1)
    return one[:30] + entries + wide + end_record(30, len(entries), count=0xFFFF)


@pytest.mark.parametrize(
    ("count", "name", "extra", "status"),
    [
        (1_400_000, 0, 0, 1),  # 64 MB of smallest entries
        (5_600_000, 0, 0, 1),  # 256 MB of them
        (300_000, 18, 0, 1),
        (1 << 18, 18, 0, 0),
        (1 << 18, 18, 192, 0),
        (1 << 18, 200, 0, 0),
    ],
)
def test_the_largest_directories_are_cheap(
    *, driver: Path, tmp_path: Path, count: int, name: int, extra: int, status: int
) -> None:
    path = tmp_path / "x.zip"
    if name:
        names = [(b"%d" % n).rjust(name, b"n") for n in range(count)]
        path.write_bytes(directory_of(names, extra=extra, wide=1))
    else:
        path.write_bytes(_smallest(count))
    code = (
        "from runtime.errors import InputError\n"
        "from runtime.formats.zip_directory import read_directory\n"
        "try: print(len(read_directory(open(sys.argv[1], 'rb'), 'x').members))\n"
        "except InputError: sys.exit(1)"
    )
    done = cheap(code, path)
    assert (done.returncode, str(count) in done.stdout) == (status, not status)
    sought = subprocess.run([driver, "cat", path, "?"], capture_output=True, check=False)
    assert (sought.stderr == b"no such member\n") == (not status)
