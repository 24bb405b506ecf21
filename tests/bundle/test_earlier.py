"""A bundle that an earlier llamapack made, with its members in another order, is as good as one of
today. Its engine is a shell script that prints its words; head and start stub are real."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from helpers.repository import REPOSITORY
from helpers.stand_ins import CommandLine

EARLIER = REPOSITORY / "tests" / "data" / "earlier.bundle"
EPOCH = {"SOURCE_DATE_EPOCH": "1700000000"}
SMALL = ["NOTICE", "a.txt", "chat_template.jinja", ".args", "llamapack.json"]
ORDER = ["chat_template.jinja", "NOTICE", "a.txt", ".args", "llamapack.json"]


@pytest.fixture
def earlier(tmp_path: Path) -> Path:
    return Path(shutil.copy(EARLIER, tmp_path / "earlier.llamafile"))


def ran(llamapack: CommandLine, *words: str | Path) -> str:
    done = llamapack.ran(*words, **EPOCH)
    return done.stdout


def names(path: Path) -> list[str]:
    return zipfile.ZipFile(path).namelist()


def started(path: Path, cache: Path) -> str:
    words = ["sh", str(path), "--one", "two words"]
    env = {"LLAMAPACK_CACHE": str(cache), "PATH": "/usr/bin:/bin"}
    return subprocess.run(words, env=env, capture_output=True, text=True, check=True).stdout


@pytest.mark.skipif(
    (sys.platform, platform.machine()) != ("linux", "x86_64"),
    reason="SKIPPED LOUDLY: its engine is for Linux on x86-64",
)
def test_it_starts_before_and_after_an_edit(
    earlier: Path, tmp_path: Path, llamapack: CommandLine
) -> None:
    said = f"engine of {earlier}: --one two words\n"
    assert started(earlier, tmp_path / "cache") == said
    ran(llamapack, "edit", earlier, "--args", "-c 9")
    assert started(earlier, tmp_path / "cache") == said


def test_an_edit_brings_the_small_members_into_order(earlier: Path, llamapack: CommandLine) -> None:
    assert names(earlier)[-5:] == SMALL
    ran(llamapack, "verify", earlier)
    inode = earlier.stat().st_ino
    with zipfile.ZipFile(earlier) as archive:
        start = archive.getinfo("NOTICE").header_offset
    ran(llamapack, "edit", earlier, "--name", "Later")
    ran(llamapack, "verify", earlier)
    assert names(earlier)[-5:] == ORDER
    assert earlier.stat().st_ino == inode
    assert earlier.read_bytes()[:start] == EARLIER.read_bytes()[:start]


def test_an_upgrade_gives_what_pack_gives(
    earlier: Path, tmp_path: Path, llamapack: CommandLine
) -> None:
    """Of the same weights, files and options."""
    folder = tmp_path / "members"
    ran(llamapack, "extract", earlier, "-C", folder)
    ran(llamapack, "upgrade", earlier, "--gpu", "none")
    ran(llamapack, "verify", earlier)
    fresh = tmp_path / "fresh.llamafile"
    ran(
        llamapack, "pack", folder / "tiny.gguf", "--add", folder / "NOTICE",
        "--add", folder / "a.txt", "--chat-template", folder / "chat_template.jinja",
        "--args", "-c 512", "--name", "Earlier", "--gpu", "none", "-o", fresh,
    )  # fmt: skip
    assert earlier.read_bytes() == fresh.read_bytes()
