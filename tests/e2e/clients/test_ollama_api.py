"""Ollama's API, asked by Ollama's own library, of a real model."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.request import urlopen

import ollama
import pytest
from helpers.api_calls import (
    CITY,
    GREEDY,
    HI,
    MODEL,
    TOOLS,
    asked,
    chat,
    completion,
    posting,
    text_of,
)
from helpers.running import Server


def native(server: Server) -> ollama.Client:
    return ollama.Client(server.url)


def test_ollama_answers(smol: Server) -> None:
    made = native(smol).chat(MODEL, HI, options=GREEDY)
    assert made.message.content == text_of(chat(smol, max_tokens=24))
    assert (made.done, made.done_reason) == (True, "stop")
    assert made.prompt_eval_count
    assert made.eval_count
    assert made.eval_duration
    parts = list(native(smol).chat(MODEL, HI, options=GREEDY, stream=True))
    assert "".join(part.message.content or "" for part in parts) == made.message.content
    assert [part.done for part in parts] == [False] * (len(parts) - 1) + [True]
    assert parts[-1].eval_count == made.eval_count
    said = native(smol).generate(MODEL, "Hi", options=GREEDY)
    assert said.response == made.message.content
    pieces = list(native(smol).generate(MODEL, "Hi", options=GREEDY, stream=True))
    assert "".join(part.response for part in pieces) == said.response
    raw = native(smol).generate(MODEL, "The", raw=True, options=GREEDY)
    assert raw.response == completion(smol, max_tokens=24).choices[0].text
    assert raw.done_reason == "length"


@pytest.mark.parametrize("wanted", ["json", CITY])
def test_ollama_formats(smol: Server, wanted: Any) -> None:
    made = native(smol).chat(MODEL, HI, format=wanted, options=GREEDY)
    assert (made.message.content or "").lstrip().startswith("{")


def test_ollama_tools(tools: Server) -> None:
    """Its API has no word for a call that must come: an earlier one is read, others may follow."""
    call = {"function": {"name": "weather", "arguments": {"city": "Ulm"}}}
    history = [
        *HI,
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "tool_name": "weather", "content": "sunny"},
    ]
    made = native(tools).chat(MODEL, history, tools=TOOLS, options=GREEDY)
    assert made.message.content or made.message.tool_calls
    # A grammar makes this small model call.
    body = {"messages": HI, "model": MODEL, "tools": TOOLS, "tool_choice": "required"}
    options = {**GREEDY, "num_predict": 64}
    for stream in (False, True):
        request = posting(f"{tools.url}/api/chat", body | {"options": options, "stream": stream})
        with urlopen(request, timeout=300) as reply:
            lines = [json.loads(line) for line in reply.read().splitlines()]
        messages = [line["message"] for line in lines if "tool_calls" in line["message"]]
        calls = [message["tool_calls"][0]["function"] for message in messages]
        assert [list(call["arguments"]) for call in calls] == [["city"]]
        assert lines[-1]["done"]


def test_ollama_embeddings(smol: Server) -> None:
    made = native(smol).embed(MODEL, ["one", "two"])
    assert [len(one) for one in made.embeddings] == [576, 576]
    assert native(smol).embeddings(MODEL, "one").embedding == made.embeddings[0]
    shorter = native(smol).embed(MODEL, "one", dimensions=8).embeddings[0]
    assert len(shorter) == 8
    assert sum(value * value for value in shorter) == pytest.approx(1)
    assert native(smol).embed(MODEL, []).embeddings == []


def test_ollama_models(smol: Server, tools: Server) -> None:
    [listed] = native(smol).list().models
    [loaded] = native(smol).ps().models
    assert listed.model == loaded.model == MODEL
    assert listed.details
    assert (listed.details.format, listed.details.quantization_level) == ("gguf", "Q4_1")
    assert listed.size
    shown = native(smol).show(MODEL)
    assert shown.capabilities == ["embedding"]
    assert native(tools).show(MODEL).capabilities == ["completion", "tools"]
    assert "<|im_start|>" in (shown.template or "")
    assert native(smol).pull("whatever").status == "success"
    assert re.fullmatch(r"\d+\.\d+\.\d+", asked(f"{smol.url}/api/version")[1]["version"])


def test_faults_of_ollama_s_clients(smol: Server) -> None:
    status, answer = asked(f"{smol.url}/api/chat", {"messages": [{**HI[0], "images": [3]}]})
    assert (status, "base64" in answer["error"]) == (400, True)
    with pytest.raises(ollama.ResponseError) as refused:
        native(smol).generate(MODEL, "x", images=["AAAA"])
    assert refused.value.status_code == 400
    status, answer = asked(f"{smol.url}/api/chat", b"{")
    assert (status, list(answer), type(answer["error"])) == (400, ["error"], str)
