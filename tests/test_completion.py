"""`llamapack completion`: the shells themselves read the scripts and complete with them."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest
from helpers.repository import REPOSITORY

from packer.commands import VERBS
from packer.commands.completion import SHELLS

WORDS = """
COMP_WORDS=(llamapack {words}) COMP_CWORD={at} COMP_LINE="llamapack {words}"
_shtab_llamapack
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


@pytest.fixture(scope="module", params=SHELLS)
def script(request: pytest.FixtureRequest) -> tuple[str, str]:
    """A shell and its script."""
    command = [sys.executable, "-m", "packer", "completion", request.param]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert not done.stderr
    return request.param, done.stdout


def test_the_shell_reads_it(script: tuple[str, str]) -> None:
    shell, text = script
    program = shutil.which(shell)
    if not program:
        pytest.skip(f"{shell} is not installed")
    done = subprocess.run([program, "-n"], input=text, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_it_knows_every_command(script: tuple[str, str]) -> None:
    assert [verb for verb in VERBS if verb not in script[1]] == []
    assert "--chat-template" in script[1] or "chat-template" in script[1]


@pytest.mark.parametrize(
    ("words", "at", "found"),
    [
        ("in", 1, ["inspect"]),
        ("pack --chat-t", 2, ["--chat-template"]),
        ("pack --windows e", 3, ["external"]),
        ("engine bu", 2, ["build"]),
    ],
)
def test_bash_completes(words: str, at: int, found: list[str]) -> None:
    command = [sys.executable, "-m", "packer", "completion", "bash"]
    text = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    done = subprocess.run(
        ["bash"],
        input=text.stdout + WORDS.format(words=words, at=at),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == found
