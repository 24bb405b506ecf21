"""A crash in the middle of a chat gives the terminal back."""

from __future__ import annotations

import os
import signal
import termios

import pexpect
import pytest
from chat_server import ChatServer
from chatting import Chat

CRASHES = [signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGILL, signal.SIGFPE]


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
