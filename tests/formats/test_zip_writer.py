"""The ZIP writer: what Python's zipfile, Info-ZIP, 7z and bsdtar make of its archives."""

from __future__ import annotations

import io
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest
from helpers.lanes import slow
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from packer.io.output import output_file
from packer.zip.headers import dos_time
from packer.zip.writer import ZipWriter
from runtime.formats.zip_directory import data_offset, read_directory

_MEMBERS = st.lists(
    st.tuples(
        st.text(st.characters(codec="utf-8", exclude_categories=["C"], exclude_characters="/\\:"))
        .map(lambda text: f"m{text}")
        .filter(lambda text: len(text.encode()) < 200),
        st.one_of(st.binary(max_size=300), st.integers(0, 200_000).map(bytes)),
        st.sampled_from(["stored", "aligned", "deflated", "bytes"]),
    ),
    unique_by=lambda member: member[0],
    max_size=6,
)


def write(path: Path, members: list[tuple[str, bytes, str]], front: int = 0) -> None:
    with output_file(path, force=True) as destination:
        destination.write(bytes(front))
        writer = ZipWriter(destination, 0)
        for name, data, how in members:
            source = io.BytesIO(data)
            if how == "bytes":
                writer.add_bytes(name, data, deflate=True)
            elif how == "deflated":
                writer.add_deflated(name, source, len(data))
            else:
                alignment = 65536 if how == "aligned" else 1
                writer.add_stored(name, source, len(data), alignment=alignment)
        writer.close()


@settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(members=_MEMBERS, front=st.integers(0, 140_000))
def test_readers_agree(tmp_path: Path, members: list[tuple[str, bytes, str]], front: int) -> None:
    path = tmp_path / "x.zip"
    write(path, members, front)
    with zipfile.ZipFile(path) as theirs:
        assert theirs.testzip() is None
        assert {i.filename: theirs.read(i) for i in theirs.infolist()} == {
            name: data for name, data, _ in members
        }
    with path.open("rb") as file:
        ours = read_directory(file, "x.zip")
        for name, data, how in members:
            member = ours.members[name]
            offset = data_offset(file, member, "x.zip")
            assert member.size == len(data)
            assert how != "aligned" or offset % 65536 == 0
    if members:
        assert subprocess.run(["unzip", "-qqt", path], check=False).returncode == 0


def test_every_tool_accepts_it(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    content = b"some text\n" * 9000
    write(path, [("ä/b.txt", content, "deflated"), ("w.gguf", content, "aligned")], front=131072)
    tools = {
        "unzip": ["unzip", "-qq", str(path)],
        "7z": ["7z", "x", "-bd", str(path)],
        "bsdtar": ["bsdtar", "-xf", str(path)],
    }
    for tool, command in tools.items():
        if shutil.which(tool) is None:
            pytest.fail(
                f"{tool} is not installed: apt-get install unzip p7zip-full libarchive-tools"
            )
        folder = tmp_path / tool
        folder.mkdir()
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
        assert (folder / "w.gguf").read_bytes() == content
        assert (folder / "ä" / "b.txt").read_bytes() == content


@pytest.mark.parametrize("offset", [*range(65536 - 60, 65536 + 4), 1, 29, 30, 36])
def test_alignment_from_every_offset_near_a_boundary(tmp_path: Path, offset: int) -> None:
    """Including those where the padding is longer than an extra field can be."""
    path = tmp_path / "x.zip"
    write(path, [("w.gguf", b"weights", "aligned")], front=offset)
    with path.open("rb") as file:
        member = read_directory(file, "x.zip").members["w.gguf"]
        assert data_offset(file, member, "x.zip") % 65536 == 0
    assert subprocess.run(["unzip", "-qqt", path], check=False).returncode == 0
    with zipfile.ZipFile(path) as theirs:
        assert theirs.read("w.gguf") == b"weights"


class Holes(io.RawIOBase):
    """A stream of zeros without a file behind it."""

    def readinto(self, space: memoryview) -> int:
        space[:] = bytes(len(space))
        return len(space)


@slow
def test_beyond_four_gib(tmp_path: Path) -> None:
    """A member of more than 4 GiB, and one that begins after it; on disk they are holes."""
    path, large = tmp_path / "large.zip", (4 << 30) + 5
    with output_file(path) as destination:
        writer = ZipWriter(destination, 0)
        writer.add_stored("filler.gguf", Holes(), large, alignment=65536, sparse=True)
        record = writer.add_stored("w.gguf", io.BytesIO(b"weights"), 7, alignment=65536)
        writer.add_bytes("tail", b"text" * 99, deflate=True)
        writer.close()
    assert record.data_offset > large
    assert record.data_offset % 65536 == 0
    assert path.stat().st_blocks * 512 < 100 << 20
    with path.open("rb") as file:
        ours = read_directory(file, "large.zip")
        assert ours.members["filler.gguf"].size == large
        assert data_offset(file, ours.members["filler.gguf"], "") % 65536 == 0
        file.seek(data_offset(file, ours.members["w.gguf"], ""))
        assert file.read(7) == b"weights"
    with zipfile.ZipFile(path) as theirs:
        assert theirs.read("w.gguf") == b"weights"
        assert theirs.getinfo("filler.gguf").file_size == large
    for command in (["unzip", "-qqt", path, "w.gguf", "tail"], ["7z", "t", path, "w.gguf", "tail"]):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("epoch", "expected"),
    [
        (0, (1980, 1, 1, 0, 0, 0)),
        (1_700_000_001, (2023, 11, 14, 22, 13, 20)),
        (10**12, (2107, 12, 31, 23, 59, 58)),
    ],
)
def test_time_stamps(tmp_path: Path, epoch: int, expected: tuple[int, ...]) -> None:
    with output_file(tmp_path / "x.zip") as destination:
        writer = ZipWriter(destination, epoch)
        writer.add_bytes("a", b"1", deflate=False)
        writer.close()
    with zipfile.ZipFile(tmp_path / "x.zip") as theirs:
        assert theirs.getinfo("a").date_time == expected
    assert dos_time(-5) == dos_time(0)
