"""What a chat shows of answers."""

from __future__ import annotations

import pytest
from chat_server import ChatServer
from chatting import Chat, ask


def test_answers_stream_and_the_conversation_grows(chat: Chat, server: ChatServer) -> None:
    child = chat("-p", "Be brief.", server=server)
    assert ask(child, "hello") == "You said: hello"
    assert ask(child, "again") == "You said: again"
    assert server.texts() == [
        "system: Be brief.",
        "user: hello",
        "assistant: You said: hello ",
        "user: again",
    ]


def test_reasoning_is_dimmed_and_kept_apart(chat: Chat, server: ChatServer) -> None:
    child = chat(server=server)
    child.sendline("think")
    child.expect_exact("\x1b[2mLet me see.\x1b[0m\r\n\r\nDone.\r\n")


def test_reasoning_is_marked_without_colors(
    chat: Chat, server: ChatServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert ask(chat(server=server), "think") == "[thinking]\nLet me see.\n[/thinking]\n\nDone."


def test_an_answer_cannot_steer_the_terminal(chat: Chat, server: ChatServer) -> None:
    child = chat(server=server)
    child.sendline("escape")
    child.expect_exact("a]0;titlebc")


def test_waits_while_the_model_loads(chat: Chat) -> None:
    with ChatServer(loading=3) as server:
        assert ask(chat(server=server), "hello") == "You said: hello"
        server.shutdown()
