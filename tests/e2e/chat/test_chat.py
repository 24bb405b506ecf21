"""What a chat shows of answers and failures, in a terminal and without one."""

from __future__ import annotations

import json
import re
from pathlib import Path
from urllib.request import urlopen

import pexpect
import pytest
from chat_server import ChatServer
from chatting import CTRL_C, CTRL_D, PROMPT, Chat, ask, pipe, status


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


def test_the_demo_chats(chat: Chat) -> None:
    child = chat(ready=False)
    child.expect_exact(PROMPT, timeout=120)
    answer = ask(child, "What is a llamafile?")
    assert len(answer) > 10
    assert re.search(r"\d+ of \d+ tokens used", ask(child, "/context"))
    assert re.search(r"last answer .* per second", ask(child, "/stats"))
    child.send(CTRL_D)
    assert status(child) == 0


def test_the_demo_answers_a_pipe(demo_bundle: Path) -> None:
    done = pipe(demo_bundle, "What is a llamafile?\n")
    assert len(done.stdout.strip()) > 10
    assert ">>>" not in done.stdout


def test_the_demo_can_be_stopped_and_goes_on(chat: Chat) -> None:
    child = chat("--temp", "0", "--ignore-eos", ready=False)
    child.expect_exact(PROMPT, timeout=120)
    child.sendline("What is a llamafile?")
    child.expect_exact("\r\n")
    child.expect(r"\w\w\w")
    child.send(CTRL_C)
    child.expect_exact(PROMPT)
    assert ask(child, "/context") != ""
    child.send(CTRL_C)
    child.expect_exact(PROMPT)
    child.send(CTRL_C)
    assert status(child) == 130


def test_the_demo_serves_while_it_chats(demo_bundle: Path) -> None:
    child = pexpect.spawn("/bin/sh", [str(demo_bundle)], encoding="utf-8", timeout=120)
    child.expect(r"http://127\.0\.0\.1:\d+")
    url = child.after
    child.expect_exact(PROMPT)
    with urlopen(f"{url}/health", timeout=10) as response:
        assert json.load(response)["status"] == "ok"
    child.send(CTRL_D)
    assert status(child) == 0
