"""What goes wrong in a chat."""

from __future__ import annotations

from pathlib import Path

from chat_server import ChatServer
from chatting import Chat, ask, pipe, status


def test_a_full_context_keeps_the_conversation(chat: Chat, server: ChatServer) -> None:
    child = chat(server=server)
    ask(child, "hello")
    text = ask(child, "big")
    assert [word for word in ("exceeds", "/forget", "/clear") if word not in text] == []
    ask(child, "on")
    assert server.texts() == ["user: hello", "assistant: You said: hello ", "user: on"]


def test_an_answer_that_fills_the_context_says_so(chat: Chat, server: ChatServer) -> None:
    child = chat(server=server)
    assert "[the context is full: `/forget`" in ask(child, "full")
    assert "[cut at the limit of tokens" in ask(child, "cut")


def test_errors_are_one_line(chat: Chat, server: ChatServer) -> None:
    child = chat(server=server)
    assert ask(child, "bad") == "error: first line second line"
    assert ask(child, "mid") == "Half\nerror: out of luck"


def test_the_api_key(chat: Chat) -> None:
    with ChatServer(api_key="sesame") as server:
        child = chat("--api-key", "sesame", server=server)
        assert ask(child, "hello") == "You said: hello"
        assert "tokens used" in ask(child, "/context")
        wrong = chat("--api-key", "wrong", server=server, ready=False)
        wrong.expect_exact("Invalid API Key")
        assert status(wrong) == 1
        server.shutdown()


def test_no_server(demo_bundle: Path) -> None:
    done = pipe(demo_bundle, "hello\n", "--server-base", "http://127.0.0.1:9", check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("error: cannot reach the server at http://127.0.0.1:9")
