"""The real thing: these start the demo's own engine and model."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pexpect
from chatting import CTRL_C, CTRL_D, PROMPT, Chat, ask, pipe, status


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
