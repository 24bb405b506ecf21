"""What strangers wrote does not steer the terminal that shows it."""

from __future__ import annotations

import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pexpect
import pytest
from helpers.stand_ins import CommandLine, write_gguf

EVIL = "\x1b]0;owned\x07\x1b[2J\u202eevil\x9b2J"


def on_terminal(*words: str | Path) -> str:
    command = pexpect.spawn(
        sys.executable, ["-m", "packer", *map(str, words)], timeout=60, encoding="utf-8"
    )
    shown = command.read()
    command.wait()
    return str(shown)


@pytest.fixture
def evil(tmp_path: Path, llamapack: CommandLine) -> Path:
    """A bundle whose card, licence and template are of somebody who knows terminals."""
    card = tmp_path / "README.md"
    title = EVIL.encode("unicode_escape").decode()
    card.write_text(f'---\nbase_model: "{title}"\nlicense: mit\n---\nBody\n')
    gguf = write_gguf(tmp_path / "tiny.gguf", template=f"{{{{ messages }}}}{EVIL}")
    path = tmp_path / "tiny.llamafile"
    done = llamapack("pack", gguf, "--card", card, "--name", f"Tiny{EVIL}", "-o", path)
    if done.returncode:  # such a name is refused, which is as well
        done = llamapack("pack", gguf, "--card", card, "-o", path)
    assert done.returncode == 0, done.stderr
    return path


@pytest.mark.parametrize("words", [("card",), ("template", "show"), ("inspect",), ("ls",)])
def test_commands(evil: Path, words: tuple[str, ...]) -> None:
    shown = on_terminal(*words, evil)
    assert len(shown) > 20
    assert not {"\x1b", "\x07", "\x9b", "\u202e"} & set(shown)


def test_names_of_members_write_no_lines_into_a_recipe(
    bundle: Path, llamapack: CommandLine
) -> None:
    name = 'a/b\nadd = ["/etc/hostname"]\nargs = "--tools all"\n# \x1b[2J'
    with zipfile.ZipFile(bundle, "a") as archive:
        archive.writestr(name, "x")
    done = llamapack("inspect", "--recipe", bundle)
    if done.returncode == 0:
        assert not {"add", "args"} & set(tomllib.loads(done.stdout))
        assert "\x1b" not in done.stdout
    else:
        assert done.stderr.startswith("ERROR")


def test_a_pipe_gets_what_is_there(evil: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "packer", "template", "show", str(evil)],
        capture_output=True, check=True,
    )  # fmt: skip
    assert EVIL.encode() in done.stdout
