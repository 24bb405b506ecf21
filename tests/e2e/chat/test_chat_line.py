"""Editing the line that is typed."""

from __future__ import annotations

import pytest
from chat_server import ChatServer
from chatting import LEFT, UP, Chat, ask


def test_keys_edit_the_line(chat: Chat, server: ChatServer) -> None:
    child = chat(server=server)
    ask(child, "wrld" + LEFT * 3 + "o\x01hello \x05!")
    assert server.texts() == ["user: hello world!"]
    ask(child, "one two three\x17\x17\x01\x0btwo words\x15new")
    assert server.texts()[-1] == "user: new"


def test_history_and_wide_characters(chat: Chat, server: ChatServer) -> None:
    child = chat(server=server)
    ask(child, "schöne 世界 👍")
    ask(child, "second")
    ask(child, UP + UP + LEFT + LEFT + "\x7f")
    assert server.texts()[-1] == "user: schöne 世 👍"


def test_long_lines_wrap(chat: Chat, server: ChatServer) -> None:
    child = chat(server=server, cols=20)
    text = "0123456789" * 5
    ask(child, text + "\x01<\x05>")
    assert server.texts() == [f"user: <{text}>"]


def test_pasted_lines_are_one_message(chat: Chat, server: ChatServer) -> None:
    child = chat(server=server)
    ask(child, "\x1b[200~first\r\nsecond\rthird\x1b[201~")
    assert server.texts() == ["user: first\nsecond\nthird"]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["one\\", "two\\", "three"], "one\ntwo\nthree"),
        (['"""', "one", "", "/two", '"""'], "one\n\n/two"),
        (['"""one', 'two"""'], "one\ntwo"),
    ],
)
def test_messages_of_several_lines(
    chat: Chat, server: ChatServer, lines: list[str], message: str
) -> None:
    child = chat(server=server)
    for line in lines[:-1]:
        child.sendline(line)
        child.expect_exact("... ")
    ask(child, lines[-1])
    assert server.texts() == [f"user: {message}"]
    ask(child, UP)
    assert server.texts()[-1] == f"user: {message}"


def test_multi_line_mode(chat: Chat, server: ChatServer) -> None:
    child = chat(server=server)
    assert "empty line sends" in ask(child, "/multi")
    child.sendline("one")
    child.expect_exact("... ")
    child.sendline("two")
    child.expect_exact("... ")
    ask(child, "")
    assert server.texts() == ["user: one\ntwo"]


def test_tab_completes_commands(chat: Chat, server: ChatServer) -> None:
    assert "There was no answer yet." in ask(chat(server=server), "/stat\t")
