"""`llamapack completion`: the shells themselves read the scripts and complete with them."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from helpers.stand_ins import CommandLine

from packer.commands import VERBS
from packer.commands.completion import SHELLS

WORDS = """
COMP_WORDS=(llamapack {words}) COMP_CWORD={at} COMP_LINE="llamapack {words}"
_shtab_llamapack
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


@pytest.mark.parametrize("shell", SHELLS)
def test_the_shell_reads_it_and_it_knows_every_command(shell: str, llamapack: CommandLine) -> None:
    made = llamapack("completion", shell)
    assert not made.stderr
    assert [verb for verb in VERBS if verb not in made.stdout] == []
    assert "chat-template" in made.stdout
    program = shutil.which(shell)
    if not program:
        pytest.skip(f"{shell} is not installed")
    command = [program, "-n"]
    done = subprocess.run(command, input=made.stdout, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("words", "at", "found"),
    [
        ("in", 1, ["inspect"]),
        ("pack --chat-t", 2, ["--chat-template"]),
        ("pack --windows e", 3, ["external"]),
        ("engine bu", 2, ["build", "build-gpu"]),
    ],
)
def test_bash_completes(words: str, at: int, found: list[str], llamapack: CommandLine) -> None:
    script = llamapack("completion", "bash").stdout + WORDS.format(words=words, at=at)
    done = subprocess.run(["bash"], input=script, capture_output=True, text=True, check=True)
    assert done.stdout.split() == found
