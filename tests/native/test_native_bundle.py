"""native/bundle against Python's zipfile, zlib and hashlib."""

from __future__ import annotations

import hashlib
import io
import random
import struct
import subprocess
import zipfile
import zlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

SLOW = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
TEXT = st.lists(
    st.one_of(st.binary(max_size=300), st.sampled_from([b"a" * 999, b"\0" * 70000, b"abc" * 9999])),
    max_size=12,
).map(b"".join)
# What stands around an archive; a second end record would be a refusal, another test's matter.
END = b"PK\5\6"
AROUND = st.binary(max_size=200).filter(lambda text: END not in text)


def run(driver: Path, *args: str | Path, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([driver, *args], input=stdin, capture_output=True, check=False)


def listing(driver: Path, *paths: Path) -> list[tuple[str, list[list[str]]]]:
    """Per archive: the reason why there is none or "", and the fields of each member."""
    done = run(driver, "list", *paths)
    assert done.returncode == 0, done.stderr.decode()
    lines, out = iter(done.stdout.decode().splitlines()), []
    for line in lines:
        count, _, reason = line.partition("\t")
        rows = [next(lines).split("\t") for _ in range(max(int(count), 0))]
        out.append((reason, rows))
    return out


def make_zip(members: dict[str, bytes], *, prefix: bytes = b"", comment: bytes = b"") -> bytes:
    out = io.BytesIO()
    out.write(prefix)
    with zipfile.ZipFile(out, "a") as archive:
        for n, (name, data) in enumerate(members.items()):
            archive.writestr(name, data, compress_type=8 if n % 2 else 0)
        archive.comment = comment
    return out.getvalue()


@SLOW
@given(
    members=st.dictionaries(st.text("abc/é.", min_size=1, max_size=9), TEXT, max_size=5),
    prefix=AROUND,
    comment=AROUND,
    suffix=AROUND,
)
def test_reads_what_zipfile_wrote(
    *, driver: Path, tmp_path: Path, members: dict[str, bytes], prefix: bytes, comment: bytes,
    suffix: bytes,
) -> None:  # fmt: skip
    assume(END not in comment + suffix)
    path = tmp_path / "a.zip"
    data = make_zip(members, prefix=prefix, comment=comment)
    path.write_bytes(data + suffix)
    [(reason, rows)] = listing(driver, path)
    assert reason == ""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        want = [
            [i.filename.encode().hex(), i.compress_type, i.CRC, i.compress_size, i.file_size]
            for i in archive.infolist()
        ]
    assert [[r[0], *map(int, r[1:5])] for r in rows] == want
    assert [r[6] for r in rows] == [""] * len(rows)


@pytest.mark.parametrize("name", ["stored", "deflated"])
def test_contents(driver: Path, tmp_path: Path, name: str) -> None:
    data = random.Random(1).randbytes(300_000) + b"x" * 500_000
    path = tmp_path / "a.zip"
    path.write_bytes(make_zip({"stored": data, "deflated": data}, prefix=b"#!" + bytes(99)))
    done = run(driver, "cat", path, name)
    assert (done.returncode, done.stdout == data) == (0, True)


def test_the_last_of_a_name_wins(driver: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a", b"old")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("a", b"new")
    assert run(driver, "cat", path, "a").stdout == b"new"


def test_zip64(driver: Path, tmp_path: Path) -> None:
    """Offsets and counts past 32 and 16 bits, in a sparse file of 5 GiB."""
    path = tmp_path / "a.zip"
    with path.open("wb") as file:
        file.truncate(5 << 30)
        file.seek(0, 2)
        with zipfile.ZipFile(file, "a") as archive:
            for n in range(70_000):
                archive.writestr(zipfile.ZipInfo(f"{n}"), b"%d" % n)
    assert run(driver, "cat", path, "69999").stdout == b"69999"
    [(reason, rows)] = listing(driver, path)
    assert (reason, len(rows)) == ("", 70_000)
    assert int(rows[0][5]) > 5 << 30


def test_a_comment_that_holds_an_end_record(driver: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(make_zip({"a": b"1"}, comment=b"PK\5\6" + b"\xee" * 40))
    [(reason, rows)] = listing(driver, path)
    assert (reason, len(rows)) == ("", 1)


@pytest.mark.parametrize(
    ("offset", "value", "reason"),
    [
        (14, b"\xff\xff\xff\xff", "its CRC-32 differs"),
        (18, b"\x00\x00\x00\x00", "its compressed data are damaged"),
        (22, b"\x03\x00\x00\x00", "it is longer than the ZIP directory says"),
        (22, b"\xff\x00\x00\x00", "it is shorter than the ZIP directory says"),
        (8, b"\x09\x00", "its compression method is neither stored nor deflate"),
        (6, b"\x01\x00", "it is encrypted"),
    ],
)
def test_damaged_members(
    driver: Path, tmp_path: Path, offset: int, value: bytes, reason: str
) -> None:
    data = bytearray(make_zip({"x": b"", "a": b"hello hello hello"}))
    central, local = data.rindex(b"PK\1\2"), data.rindex(b"PK\3\4")
    data[central + offset + 2 : central + offset + 2 + len(value)] = value
    path = tmp_path / "a.zip"
    path.write_bytes(data)
    done = run(driver, "cat", path, "a")
    early = "encrypted" in reason or "method" in reason
    disagree = reason if early else "its local header and the ZIP directory disagree"
    assert (done.returncode, done.stderr.decode().strip()) == (1, disagree)
    data[local + offset : local + offset + len(value)] = value
    path.write_bytes(data)
    done = run(driver, "cat", path, "a")
    assert (done.returncode, done.stderr.decode().strip()) == (1, reason)


def test_hostile_archives(driver: Path, tmp_path: Path) -> None:
    """Whatever is in the file: an answer, never a crash; what is accepted is right."""
    chance = random.Random(7)
    base = make_zip(
        {"a": b"x" * 1000, "engines/b": chance.randbytes(3000), "c" * 200: b"text " * 99},
        comment=b"PK\5\6 not really",
    )
    interesting = [0, 1, 0x7F, 0x80, 0xFF]
    paths = []
    for n in range(1500):
        data = bytearray(base)
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(len(data))
            kind = chance.randrange(4)
            if kind == 0:
                data[at] = chance.choice(interesting)
            elif kind == 1:
                data[at : at + 4] = struct.pack("<I", chance.choice([0, 2**31, 2**32 - 1, at]))
            elif kind == 2:
                at = base.rindex(b"PK\1\2") + chance.randrange(70)
                data[at % len(data)] = chance.choice(interesting)
            else:
                del data[at : at + chance.randint(1, 60)]
        paths.append(tmp_path / f"{n}.zip")
        paths[-1].write_bytes(data)
    results = listing(driver, *paths)
    assert len(results) == len(paths)
    accepted = [
        (path, rows) for path, (reason, rows) in zip(paths, results, strict=True) if not reason
    ]
    assert 100 < len(accepted) < len(paths)
    for path, rows in accepted:
        data = path.read_bytes()
        for row in rows:
            if row[6] or int(row[1]) not in (0, 8):
                continue
            start, size = int(row[5]), int(row[3])
            body = data[start : start + size]
            if int(row[1]) == 8:
                body = zlib.decompressobj(-15).decompress(body)
            assert (len(body), zlib.crc32(body)) == (int(row[4]), int(row[2]))


@SLOW
@given(
    data=TEXT, level=st.integers(0, 9), strategy=st.integers(0, 4),
    memory=st.integers(1, 9), piece=st.sampled_from([1, 2, 7, 8, 100, 65536]),
)  # fmt: skip
def test_inflate_inverts_zlib(
    *, driver: Path, data: bytes, level: int, strategy: int, memory: int, piece: int
) -> None:
    compressor = zlib.compressobj(level, zlib.DEFLATED, -15, memory, strategy)
    packed = compressor.compress(data) + compressor.flush()
    done = run(driver, "inflate", str(piece), stdin=packed)
    assert (done.returncode, done.stdout == data) == (0, True), done.stderr


@SLOW
@given(data=TEXT.filter(len), cut=st.floats(0, 0.999), level=st.integers(0, 9))
def test_inflate_refuses_what_is_cut_off(driver: Path, data: bytes, cut: float, level: int) -> None:
    packed = zlib.compress(data, level, wbits=-15)
    done = run(driver, "inflate", "4096", stdin=packed[: int(len(packed) * cut)])
    assert done.returncode == 1


@settings(
    max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_inflate_agrees_with_zlib_on_damaged_data(driver: Path, data: st.DataObject) -> None:
    text = data.draw(
        st.sampled_from([b"a" * 400, bytes(range(256)) * 3, b"the quick brown fox " * 9])
    )
    packed = bytearray(zlib.compress(text, data.draw(st.sampled_from([1, 9])), wbits=-15))
    for _ in range(data.draw(st.integers(1, 3))):
        packed[data.draw(st.integers(0, len(packed) - 1))] = data.draw(st.integers(0, 255))
    oracle = zlib.decompressobj(-15)
    try:
        want: bytes | None = oracle.decompress(bytes(packed))
        want = want if oracle.eof else None
    except zlib.error:
        want = None
    done = run(driver, "inflate", "64", stdin=bytes(packed))
    assert done.returncode == (1 if want is None else 0), done.stderr
    if want is not None:
        assert done.stdout == want


@pytest.mark.parametrize("size", [0, 1, 3, 55, 56, 63, 64, 65, 119, 120, 128, 1000, 200_001])
@pytest.mark.parametrize("piece", ["1", "64", "4096"])
def test_checksums(driver: Path, size: int, piece: str) -> None:
    data = random.Random(size).randbytes(size)
    got = run(driver, "sha256", piece, stdin=data).stdout.decode().strip()
    assert got == hashlib.sha256(data).hexdigest()
    assert int(run(driver, "crc32", piece, stdin=data).stdout) == zlib.crc32(data)
