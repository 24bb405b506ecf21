"""A chat without a terminal."""

from __future__ import annotations

from pathlib import Path

from chat_server import ChatServer
from chatting import pipe


def test_a_pipe_gets_answers_only(demo_bundle: Path, server: ChatServer) -> None:
    done = pipe(
        demo_bundle, "hello\n\n  \nthink\nlast without newline", "--server-base", server.url
    )
    assert done.stdout == "You said: hello \nDone.\nYou said: last without newline \n"
    assert done.stderr == ""


def test_a_pipe_takes_commands_and_blocks(demo_bundle: Path, server: ChatServer) -> None:
    done = pipe(
        demo_bundle, 'a\\\r\nb\n/undo\n"""\nc\nd\n"""\n/bye\nnever\n', "--server-base", server.url
    )
    assert server.texts() == ["user: c\nd"]
    assert done.stdout == "You said: a\nb \nYou said: c\nd \n"


def test_a_pipe_ends_with_1_after_a_failure(demo_bundle: Path, server: ChatServer) -> None:
    done = pipe(demo_bundle, "bad\nhello\n", "--server-base", server.url, check=False)
    assert done.returncode == 1
    assert done.stdout == "You said: hello \n"
    assert done.stderr == "error: first line second line\n"
