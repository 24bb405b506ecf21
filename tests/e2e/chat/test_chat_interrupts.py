"""Ctrl-C, Ctrl-D, and a crash in the middle of a chat: the terminal is given back."""

from __future__ import annotations

import os
import signal
import termios
import time
from pathlib import Path

import pexpect
import pytest
from chat_server import ChatServer
from chatting import CTRL_C, CTRL_D, LEFT, PROMPT, Chat, ask, status

CRASHES = [signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGILL, signal.SIGFPE]


def test_ctrl_c_stops_an_answer_and_keeps_its_beginning(chat: Chat, server: ChatServer) -> None:
    child = chat(server=server)
    child.sendline("slow")
    child.expect_exact("word3")
    child.send(CTRL_C)
    child.expect_exact("[stopped]")
    child.expect_exact(PROMPT)
    assert server.broken.wait(5)
    assert ask(child, "next") == "You said: next"
    assert server.texts()[1].startswith("assistant: word0 word1 word2 word3")


def test_ctrl_c_stops_a_server_that_is_silent(chat: Chat, server: ChatServer) -> None:
    child = chat(server=server)
    child.sendline("silent")
    child.expect_exact("\r\n")
    while not server.requests:
        time.sleep(0.05)
    child.send(CTRL_C)
    child.expect_exact(PROMPT, timeout=3)
    assert server.broken.wait(5)
    ask(child, "next")
    assert server.texts() == ["user: next"]


def test_ctrl_c_twice_leaves(chat: Chat, server: ChatServer) -> None:
    child = chat(server=server)
    child.send(CTRL_C)
    child.expect_exact("Press Ctrl-C again or Ctrl-D to leave.")
    child.expect_exact(PROMPT)
    child.send(CTRL_C)
    assert status(child) == 130


def test_ctrl_c_clears_a_typed_line_first(chat: Chat, server: ChatServer) -> None:
    child = chat(server=server)
    child.send("half a li")
    child.expect_exact("half a li")
    child.send(CTRL_C)
    child.expect_exact(PROMPT)
    child.send(CTRL_C)
    child.expect_exact("Press Ctrl-C again")
    child.expect_exact(PROMPT)
    assert ask(child, "hello") == "You said: hello"
    child.send(CTRL_C)
    child.expect_exact("Press Ctrl-C again")


def test_ctrl_d_leaves(chat: Chat, server: ChatServer) -> None:
    child = chat(server=server)
    child.send("ab" + CTRL_D + LEFT + CTRL_D)  # deletes the b: the line is not empty
    child.send("\x7f")
    child.send(CTRL_D)
    assert status(child) == 0
    assert not server.requests


def test_the_terminal_is_given_back(chat: Chat, server: ChatServer, demo_bundle: Path) -> None:
    shell = pexpect.spawn("/bin/sh", encoding="utf-8", timeout=30)
    command = f"sh '{demo_bundle}' --chat --server-base {server.url}"
    shell.sendline(f"PS1='$ '; {command}; stty -a; echo END")
    shell.expect_exact(PROMPT)
    shell.send(CTRL_D)
    shell.expect_exact("\r\nEND")
    settings = shell.before.split()
    assert {"icanon", "echo", "isig", "icrnl"} <= set(settings)
    shell.close(force=True)


def flags(child: pexpect.spawn) -> int:
    """Those of a terminal that shows what is typed, and keeps it until a line is complete."""
    return int(termios.tcgetattr(child.child_fd)[3]) & (
        termios.ECHO | termios.ICANON | termios.ISIG
    )


@pytest.mark.parametrize("number", CRASHES)
@pytest.mark.parametrize("when", ["prompt", "answer"])
def test_the_terminal_after_a_crash(
    chat: Chat, server: ChatServer, number: signal.Signals, when: str
) -> None:
    child = chat(server=server)
    assert flags(child) != termios.ECHO | termios.ICANON | termios.ISIG
    if when == "answer":
        child.sendline("slow")
        child.expect_exact("word3")
    os.kill(child.pid, number)
    child.expect_exact("\x1b[?2004l")
    child.expect(pexpect.EOF)
    assert flags(child) == termios.ECHO | termios.ICANON | termios.ISIG
    child.close()
    assert child.signalstatus == number
