"""`--probe-template` of the engine: what it answers to other programs."""

from __future__ import annotations

import json
import subprocess
from itertools import product
from typing import Any

import pytest
from helpers.conversations import model, published, system, thinks, user

from packer.templates.origin import named, names
from packer.templates.template import Conversation, find_engine

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


def in_order(order: str) -> Conversation:
    made = {"s": system, "u": user, "m": model}
    return Conversation([made[role](f"Text{n}.") for n, role in enumerate(order)])


@pytest.mark.parametrize("name", names())
def test_messages_in_any_order(name: str) -> None:
    """None of our templates refuses or loses one, or says as the model what the system says."""
    # The engine goes on with an answer that comes last.
    orders = [
        "".join(some) + last for n in range(4) for some in product("sum", repeat=n) for last in "su"
    ]
    said = [order[:-1].replace("s", "m") + "u" for order in orders]
    prompts = named(name).prompts([in_order(order) for order in (*orders, *said)])
    for order, prompt, other in zip(orders, prompts, prompts[len(orders) :], strict=False):
        places = {role: [] for role in order}
        for n, role in enumerate(order):
            assert str(prompt).count(f"Text{n}.") == 1, (order, prompt)
            places[role].append(str(prompt).index(f"Text{n}."))
        assert all(found == sorted(found) for found in places.values()), (order, prompt)
        assert "s" not in order[:-1] or prompt != other, (order, prompt)


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
