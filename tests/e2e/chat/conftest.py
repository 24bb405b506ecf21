"""Terminals with a chat in them, and a server that answers by rule."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest
from chat_server import ChatServer
from chatting import PROMPT, Chat


@pytest.fixture(autouse=True)
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """The terminal that pexpect is, whatever these tests are started from."""
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with ChatServer() as server:
        yield server
        server.shutdown()


@pytest.fixture
def chat(demo_bundle: Path, tmp_path: Path) -> Iterator[Chat]:
    """Starts a chat in a terminal and waits for its prompt."""
    started = []

    def start(
        *args: str,
        server: ChatServer | None = None,
        ready: bool = True,
        cols: int = 80,
        cwd: Path = tmp_path,
    ) -> pexpect.spawn:
        base = ["--server-base", server.url] if server else []
        command = [str(demo_bundle), "--chat", *base, *args]
        child = pexpect.spawn(
            "/bin/sh", command, cwd=cwd, encoding="utf-8", timeout=30, dimensions=(24, cols)
        )
        started.append(child)
        if ready:
            child.expect_exact(PROMPT)
        return child

    yield start
    for child in started:
        child.close(force=True)
