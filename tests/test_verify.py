"""`llamapack verify` from outside: what it finds, and that it names it."""

from __future__ import annotations

import json
import subprocess
import zipfile
from pathlib import Path

import pytest
from helpers.damage import bit_flipped
from helpers.stand_ins import CommandLine, Refused

from runtime.formats.bundle import Bundle


def problems(llamapack: CommandLine, path: Path) -> list[tuple[str, str]]:
    done = llamapack("verify", path, "--json")
    report = json.loads(done.stdout)
    assert done.returncode == (1 if report["problems"] else 0)
    assert report["ok"] is not bool(report["problems"])
    return [(problem["kind"], problem["member"]) for problem in report["problems"]]


def test_a_sound_bundle(bundle: Path, llamapack: CommandLine) -> None:
    done = llamapack("verify", bundle)
    assert (done.returncode, done.stderr) == (0, "")
    assert "manifest and CRC-32" in done.stdout
    assert problems(llamapack, bundle) == []


@pytest.mark.parametrize(
    "member",
    [
        "engines/linux-x86_64/libggml-base.so",
        "engines/linux-x86_64/SHA256SUMS",
        "tiny.gguf",
        ".args",
        "llamapack.json",
    ],
)
def test_one_flipped_bit_is_found_in(member: str, bundle: Path, llamapack: CommandLine) -> None:
    with Bundle.open(bundle) as opened:
        found = opened.members[member]
        offset = opened.data_offset(found) + found.compressed_size // 2
    bit_flipped(bundle, offset)
    assert problems(llamapack, bundle) == [("damaged", member)]
    done = llamapack("verify", bundle)
    assert done.returncode == 1
    assert f"damaged {member}:" in done.stdout
    lines = done.stderr.splitlines()
    assert [line.split()[0] for line in lines] == ["ERROR", "TIP"]
    assert member in lines[0]


@pytest.mark.parametrize("offset", [100, 70_000])
def test_one_flipped_bit_in_front_of_the_archive(
    offset: int, bundle: Path, llamapack: CommandLine
) -> None:
    """Shell script and start stubs: what runs first is no member."""
    bit_flipped(bundle, offset)
    assert problems(llamapack, bundle) == [("damaged", "head and start stubs")]


def test_every_damaged_member_is_named(bundle: Path, llamapack: CommandLine) -> None:
    with Bundle.open(bundle) as opened:
        offsets = [opened.data_offset(opened.members[n]) + 3 for n in ("tiny.gguf", ".args")]
    for offset in offsets:
        bit_flipped(bundle, offset)
    assert problems(llamapack, bundle) == [("damaged", "tiny.gguf"), ("damaged", ".args")]


def test_missing_and_unlisted_members(bundle: Path, tmp_path: Path, llamapack: CommandLine) -> None:
    extra = tmp_path / "extra.txt"
    extra.write_text("hello")
    subprocess.run(["zip", "-qj", bundle, extra], check=True)
    subprocess.run(["zip", "-qd", bundle, ".args"], check=True)
    assert problems(llamapack, bundle) == [("unlisted", "extra.txt"), ("missing", ".args")]


def test_a_member_replaced_by_another_tool(
    bundle: Path, tmp_path: Path, llamapack: CommandLine
) -> None:
    """Its CRC is right, so only the manifest tells."""
    args = tmp_path / ".args"
    args.write_text("-m tiny.gguf --temp 9")
    subprocess.run(["zip", "-qj0", bundle, args], check=True)
    assert problems(llamapack, bundle) == [("damaged", ".args")]


def test_weights_that_another_tool_has_moved(bundle: Path, llamapack: CommandLine) -> None:
    """`zip` closes the gap that what it deletes leaves, whatever that does to alignment."""
    subprocess.run(["zip", "-qd", bundle, "web-ui/index.html"], check=True)
    with Bundle.open(bundle) as opened:
        start = opened.data_offset(opened.members["tiny.gguf"])
    assert start % 32
    assert problems(llamapack, bundle) == [
        ("misaligned", "tiny.gguf"),
        ("missing", "web-ui/index.html"),
    ]


def test_a_zip_without_manifest_is_checked_by_crc(tmp_path: Path, llamapack: CommandLine) -> None:
    path = tmp_path / "other.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.mkdir("folder")
        archive.writestr("folder/a", b"content" * 100)
    done = llamapack.ran("verify", path)
    assert "CRC-32 only" in done.stdout
    bit_flipped(path, path.read_bytes().index(b"content"))
    assert problems(llamapack, path) == [("damaged", "folder/a")]


def test_a_later_format_is_refused(
    bundle: Path, tmp_path: Path, llamapack: CommandLine, refused: Refused
) -> None:
    manifest = tmp_path / "llamapack.json"
    manifest.write_text('{"format": 2}')
    subprocess.run(["zip", "-qj", bundle, manifest], check=True)
    assert "format 2" in refused(llamapack("verify", bundle))


def test_a_gguf_alone_is_not_a_bundle(gguf: Path, llamapack: CommandLine, refused: Refused) -> None:
    assert "not a bundle" in refused(llamapack("verify", gguf))
