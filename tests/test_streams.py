"""Where output goes: closed, full, gone, or not able to take a name; and a terminal, which what
strangers wrote does not steer. Never a traceback."""

from __future__ import annotations

import os
import subprocess
import tomllib
import zipfile
from pathlib import Path

import pexpect
import pytest
from helpers.stand_ins import CommandLine, write_gguf

_COMMANDS = (["ls", "--json"], ["cat"], ["card"], ["run", "--help"], ["--help"], ["pack", "--help"])


def shell(
    llamapack: CommandLine, words: list[str | Path], behind: str, **environment: str
) -> subprocess.CompletedProcess[bytes]:
    """Run a command with this behind it in a shell, with buffers as Python has them."""
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", f'"$@" {behind}', "bash", *llamapack.command(*words)],
        env={**llamapack.environment, "PYTHONUNBUFFERED": "", **environment},
        capture_output=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize(
    ("behind", "status", "message"),
    [
        ("| true", 0, b""),
        ("| head -c 1", 0, b""),
        (">&-", 0, b""),
        (">/dev/full", 1, b"ERROR No space left on device"),
    ],
)
def test_nobody_takes_it(
    behind: str, status: int, message: bytes, bundle: Path, llamapack: CommandLine
) -> None:
    for verb, *options in _COMMANDS:
        words = [verb, *options, *([] if "--help" in (verb, *options) else [bundle])]
        words += [".args"] if verb == "cat" else []
        done = shell(llamapack, words, behind)
        lines = done.stderr.splitlines()
        assert (done.returncode, lines[:1]) == (status, [message] if message else []), words
        assert len(lines) == 2 * bool(message)
    done = shell(llamapack, ["--help"], "| true")
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_closed_stderr_is_no_stdout(bundle: Path, llamapack: CommandLine) -> None:
    done = shell(llamapack, ["edit", bundle, "--name", "other"], "2>&-")
    assert (done.returncode, done.stdout) == (0, b"")
    assert shell(llamapack, ["ls", "absent"], "2>&-").returncode == 1


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "cp1252"])
def test_names_that_are_no_text(encoding: str, bundle: Path, llamapack: CommandLine) -> None:
    """As with a locale of such an encoding, and on Windows where stdout is a pipe."""
    odd = os.fsencode(bundle.parent) + b"/\xff\xe4\xb8\xad.llamafile"
    os.link(bundle, odd)
    for words in (["inspect", "--json"], ["inspect"], ["verify"], ["card"], ["ls"]):
        path = Path(os.fsdecode(odd))
        done = shell(llamapack, [*words, path], "", PYTHONIOENCODING=f"{encoding}:strict")
        assert (done.returncode, done.stderr) == (0, b""), words
        if words == ["verify"] and encoding == "utf-8":
            assert odd in done.stdout


def test_an_error_is_one_line_whatever_a_file_is_called(
    tmp_path: Path, llamapack: CommandLine
) -> None:
    name = "two\nlines\x1b[2J"
    done = llamapack("ls", tmp_path / name)
    assert done.stderr.count("\n") == 2
    assert "\x1b" not in done.stderr


EVIL = "\x1b]0;owned\x07\x1b[2J\u202eevil\x9b2J"


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
def test_a_terminal_is_not_steered(
    evil: Path, words: tuple[str, ...], llamapack: CommandLine
) -> None:
    program, *arguments = llamapack.command(*words, evil)
    shown = pexpect.spawn(program, arguments, timeout=60, encoding="utf-8").read()
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


def test_a_pipe_gets_the_text_as_it_is(evil: Path, llamapack: CommandLine) -> None:
    assert EVIL in llamapack("template", "show", evil).stdout
