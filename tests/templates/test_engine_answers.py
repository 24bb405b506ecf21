"""`--probe-template` of the engine: what it answers to other programs."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest
from helpers.conversations import published, thinks, user

from packer.templates.origin import named
from packer.templates.template import find_engine

ASKED = {"messages": [user("Hi")]}


def asked(request: object) -> subprocess.CompletedProcess[bytes]:
    program = find_engine()
    assert program, "run `llamapack engine build`"
    return subprocess.run(
        [program, "--probe-template"],
        input=request if isinstance(request, bytes) else json.dumps(request).encode(),
        capture_output=True,
        check=False,
        timeout=60,
    )


def answer(text: str, *bodies: dict[str, Any]) -> Any:
    done = asked({"template": text, "requests": bodies})
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_each_request_is_answered_for_itself() -> None:
    without = {**ASKED, "add_generation_prompt": False}
    found = answer(named("chatml").text, ASKED, {"messages": [{"role": "user"}]}, without)
    good, bad, headless = found["results"]
    assert good["prompt"] == "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
    assert good["format"] == "peg-native"
    assert bad == {"error": "All non-assistant messages must contain 'content'"}
    assert headless["prompt"] == "<|im_start|>user\nHi<|im_end|>\n"


def test_capabilities() -> None:
    qwen, gemma = answer(named("qwen").text), answer(named("gemma").text)
    for name, value in {"tools": True, "tool_calls": True, "system_role": True}.items():
        assert qwen["capabilities"][f"supports_{name}"] is value
    assert not gemma["capabilities"]["supports_tools"]
    assert qwen["results"] == []
    assert not thinks(named("qwen").text)
    assert thinks(published()["Qwen-Qwen3-0.6B"].read_text(encoding="utf-8"))


def test_what_is_not_a_template() -> None:
    assert "Unexpected EOF" in answer("{% if", ASKED)["error"]


@pytest.mark.parametrize(
    "request_",
    [b"", b"{", b"[]", b"[" * 100_000, {"template": 5}, {"template": "x", "requests": 3}, {}],
)
def test_what_is_not_a_request(request_: object) -> None:
    done = asked(request_)
    assert (done.returncode, done.stdout) == (1, b"")
    error, tip = done.stderr.decode().splitlines()
    assert error.startswith("ERROR --probe-template: ")
    assert tip.startswith("TIP ")
