"""What tests of the terminal chat do with it."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pexpect

PROMPT = ">>> "
CTRL_C, CTRL_D = "\x03", "\x04"
UP, LEFT = "\x1b[A", "\x1b[D"

COMMANDS = ["/help", "/clear", "/undo", "/forget", "/regen", "/context", "/stats", "/system"]
COMMANDS += ["/model", "/upload", "/push", "/pop", "/stack", "/dump", "/multi", "/exit"]

Chat = Callable[..., "pexpect.spawn"]


def ask(child: pexpect.spawn, line: str) -> str:
    """Sends a line; returns what is shown up to the next prompt, without styles."""
    child.sendline(line)
    child.expect_exact("\r\n")
    child.expect_exact(PROMPT)
    return plain(child.before)


def plain(text: str) -> str:
    text = re.sub(r"\x1b\[[?\d;]*[A-Za-z]", "", text)
    return text.replace("\r\n", "\n").replace("\r", "").strip()


def status(child: pexpect.spawn) -> int:
    child.expect(pexpect.EOF)
    child.close()
    return int(child.exitstatus)


def pipe(
    demo_bundle: Path, text: str, *args: str, check: bool = True
) -> subprocess.CompletedProcess[str]:
    command = ["/bin/sh", str(demo_bundle), "--chat", *args]
    return subprocess.run(
        command, input=text, capture_output=True, text=True, timeout=60, check=check
    )
