"""The terminal chat: its mechanics against a server that answers by rule, then the real thing."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from chat_server import ChatServer

pexpect = pytest.importorskip("pexpect")

PROMPT = ">>> "
CTRL_C, CTRL_D = "\x03", "\x04"
UP, LEFT = "\x1b[A", "\x1b[D"

COMMANDS = ["/help", "/clear", "/undo", "/forget", "/regen", "/context", "/stats", "/system"]
COMMANDS += ["/upload", "/push", "/pop", "/stack", "/dump", "/multi", "/exit"]

Chat = Callable[..., "pexpect.spawn"]


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
        *args: str, server: ChatServer | None = None, ready: bool = True, cols: int = 80
    ) -> pexpect.spawn:
        base = ["--server-base", server.url] if server else []
        command = [str(demo_bundle), "--chat", *base, *args]
        child = pexpect.spawn(
            "/bin/sh", command, cwd=tmp_path, encoding="utf-8", timeout=30, dimensions=(24, cols)
        )
        started.append(child)
        if ready:
            child.expect_exact(PROMPT)
        return child

    yield start
    for child in started:
        child.close(force=True)


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


# Answers


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


# Ctrl-C, Ctrl-D


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


# Line editing


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


# Commands


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


# What goes wrong


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


# Without a terminal


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


# The real thing: these start the demo's own engine and model


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
    from urllib.request import urlopen

    child = pexpect.spawn("/bin/sh", [str(demo_bundle)], encoding="utf-8", timeout=120)
    child.expect(r"http://127\.0\.0\.1:\d+")
    url = child.after
    child.expect_exact(PROMPT)
    with urlopen(f"{url}/health", timeout=10) as response:
        assert json.load(response)["status"] == "ok"
    child.send(CTRL_D)
    assert status(child) == 0
