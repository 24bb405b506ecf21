"""What is typed: lines, keys that edit them, and the commands that begin with a slash."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path

import pytest
from chat_server import ChatServer
from chatting import COMMANDS, LEFT, UP, Chat, ask


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


def test_commands_change_the_conversation(chat: Chat, server: ChatServer) -> None:
    child = chat("-p", "Old.", server=server)
    for word in ("a", "b", "c"):
        ask(child, word)
    ask(child, "/undo")
    ask(child, "/forget")
    ask(child, "d")
    assert server.texts() == ["system: Old.", "user: b", "assistant: You said: b ", "user: d"]
    assert ask(child, "/system") == "Old."
    ask(child, "/system New one.")
    ask(child, "/clear")
    ask(child, "e")
    assert server.texts() == ["system: New one.", "user: e"]
    assert ask(child, "/regen") == "You said: e"
    assert server.texts() == ["system: New one.", "user: e"]
    ask(child, "f")
    assert len(server.texts()) == 4


def test_the_stack(chat: Chat, server: ChatServer) -> None:
    child = chat(server=server)
    assert "stack is empty" in ask(child, "/pop")
    ask(child, "a")
    ask(child, "/push")
    ask(child, "b")
    assert ask(child, "/stack") == '1: 2 messages, from "a"'
    ask(child, "/pop")
    ask(child, "c")
    assert server.texts() == ["user: a", "assistant: You said: a ", "user: c"]
    assert "The stack is empty." in ask(child, "/stack")


def test_unknown_commands_are_not_sent(chat: Chat, server: ChatServer) -> None:
    child = chat(server=server)
    assert "there is no command `/hepl`" in ask(child, "/hepl me")
    assert not server.requests
    ask(child, "/usr/bin is what?")
    ask(child, " /help")
    assert server.texts()[0::2] == ["user: /usr/bin is what?", "user:  /help"]


def test_help_names_every_command(chat: Chat, server: ChatServer) -> None:
    text = ask(chat(server=server), "/help")
    shown = re.findall(r"^ *(/\w+)", text, re.MULTILINE)
    assert shown == COMMANDS


def test_figures(chat: Chat, server: ChatServer) -> None:
    child = chat(server=server)
    assert ask(child, "/context") == "0 of 100 tokens used (0%)"
    ask(child, "hello")
    assert ask(child, "/context") == "4 of 100 tokens used (4%)"
    ask(child, "hello")
    last, total = ask(child, "/stats").splitlines()
    assert last.startswith("last answer  prompt 10 tokens, 100.0 per second (1 more were cached)")
    assert last.endswith("answer 5 tokens, 20.0 per second")
    assert total.startswith("all answers  prompt 20 tokens, 100.0 per second")


@pytest.mark.parametrize("name", ["out.txt", "out.json"])
def test_dump(chat: Chat, server: ChatServer, tmp_path: Path, name: str) -> None:
    child = chat("-p", "Be brief.", server=server)
    ask(child, "grüße")
    ask(child, f"/dump {name}")
    text = (tmp_path / name).read_text(encoding="utf-8")
    if name.endswith(".json"):
        assert [m["role"] for m in json.loads(text)["messages"]] == ["system", "user", "assistant"]
    else:
        assert text == "System:\nBe brief.\n\nUser:\ngrüße\n\nAssistant:\nYou said: grüße \n\n"
    assert "is not overwritten" in ask(child, f"/dump {name}")


def test_upload_of_text(chat: Chat, server: ChatServer, tmp_path: Path) -> None:
    (tmp_path / "my notes.txt").write_text("Remember the milk.\n", encoding="utf-8")
    (tmp_path / "noise.bin").write_bytes(b"\x00\xff\x80")
    child = chat(server=server)
    assert "goes with your next message" in ask(child, "/upload 'my notes.txt'")
    assert "no text in UTF-8" in ask(child, "/upload noise.bin")
    assert "there is no file" in ask(child, "/upload nowhere.txt")
    ask(child, "What?")
    assert server.texts() == ["user: --- File: my notes.txt ---\nRemember the milk.\n\nWhat?"]
    ask(child, "And?")
    assert server.texts()[-1] == "user: And?"


PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)


def test_upload_of_an_image(chat: Chat, tmp_path: Path) -> None:
    (tmp_path / "dot.png").write_bytes(PNG)
    with ChatServer(vision=True) as server:
        child = chat(server=server)
        ask(child, "/upload dot.png")
        ask(child, "What is it?")
        image, text = server.requests[-1]["messages"][-1]["content"]
        encoded = base64.b64encode(PNG).decode()
        assert image["image_url"]["url"] == f"data:image/png;base64,{encoded}"
        assert text == {"type": "text", "text": "What is it?"}
        server.shutdown()


def test_an_image_that_the_model_cannot_take(
    chat: Chat, server: ChatServer, tmp_path: Path
) -> None:
    (tmp_path / "dot.png").write_bytes(PNG)
    assert "this model takes no image" in ask(chat(server=server), "/upload dot.png")


def test_files_that_the_sandbox_keeps(chat: Chat, server: ChatServer, tmp_path: Path) -> None:
    """A chat reads and writes where it was started."""
    here = tmp_path / "here"
    here.mkdir()
    other = tmp_path / "other"
    other.mkdir()
    (other / "a.txt").write_text("a")
    child = chat("--media-path", str(other), server=server, cwd=here)
    ask(child, "hello")
    for name in (f"{other}/b.txt", "../b.txt", ".b", "x/../../b.txt"):
        assert "the sandbox writes below the folder of the start only" in ask(
            child, f"/dump {name}"
        )
    assert "goes with your next message" in ask(child, f"/upload {other / 'a.txt'}")
    outside = tmp_path / "c.txt"
    outside.write_text("c")
    assert "the sandbox lets it read the folder" in ask(child, f"/upload {outside}")
    assert list(here.iterdir()) == []
    free = chat("--sandbox", "off", server=server, cwd=here)
    ask(free, "hello")
    ask(free, "/dump ../b.txt")
    assert (tmp_path / "b.txt").exists()
    assert "goes with your next message" in ask(free, f"/upload {outside}")
