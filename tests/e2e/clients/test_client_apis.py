"""What clients expect of OpenAI's and Anthropic's API, asked through their own libraries:
the table of docs/api.md, with a real model."""

from __future__ import annotations

import asyncio
import json
import re
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import anthropic
import ollama
import openai
import pytest
from helpers import real_models
from helpers.api_calls import (
    CHAT,
    CITY,
    FUNCTIONS,
    GREEDY,
    HI,
    MODEL,
    TEXT,
    TOOLS,
    asked,
    chat,
    completion,
    posting,
    text_of,
)
from helpers.running import Server, client, pack, serving
from pydantic import BaseModel

ASKED_FOR = {"type": "function", "function": {"name": "other"}}


def call_of(answer: Any) -> tuple[str, Any]:
    call = answer.choices[0].message.tool_calls[0]
    return call.function.name, json.loads(call.function.arguments)


# OpenAI: what is asked for is done


def schema(of: object) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": of}}


@pytest.mark.parametrize(
    "wanted", [{"type": "json_object"}, schema({}), schema({"type": "object"})]
)
def test_json_mode_is_an_object(smol: Server, wanted: dict[str, Any]) -> None:
    answer = chat(smol, response_format=wanted, max_tokens=300)
    assert text_of(answer).lstrip().startswith("{")


def test_a_model_of_pydantic(smol: Server) -> None:
    class Person(BaseModel):
        name: str
        age: int

    parse = client(smol.url).chat.completions.parse
    made = parse(model=MODEL, messages=HI, response_format=Person, temperature=0, max_tokens=200)
    assert isinstance(made.choices[0].message.parsed, Person)


def test_the_responses_api(smol: Server) -> None:
    wanted: Any = {"format": {"type": "json_schema", "name": "n", "schema": CITY}}
    made = client(smol.url).responses.create(model=MODEL, input="Hi", text=wanted, temperature=0)
    assert list(json.loads(made.output_text)) == ["city"]
    said = client(smol.url).responses.create(model=MODEL, input="Hi", max_output_tokens=8)
    assert said.output_text


PATTERNS = [
    r"^\d{3}-\w{2}\s\D$", r"^[\d.]{2,4}$", r"^[^\d\s]{3}$", r"\d{4}", r"^a.{5}", r"^[\w\-\/]{5}$",
    r"^\S{4}$", r"^(ja|nein)$", r"[a-c]+$", r"^\/\@\w$",
]  # fmt: skip


@pytest.mark.parametrize("pattern", PATTERNS)
def test_patterns_of_schemas(smol: Server, pattern: str) -> None:
    """The answer has not only to match: it has to be JSON, so no letter ends the text early."""
    of = {"type": "object", "properties": {"a": {"type": "string", "pattern": pattern}}}
    answer = chat(smol, response_format=schema(of | {"required": ["a"]}), temperature=1, seed=1)
    if answer.choices[0].finish_reason == "stop":
        assert re.search(pattern, json.loads(text_of(answer))["a"])
    else:
        assert not pattern.endswith("$") or "+" in pattern  # which may go on for ever


ONE_TOOL = {"mode": "required", "tools": [ASKED_FOR]}
CHOICES = [ASKED_FOR, "required", {"type": "allowed_tools", "allowed_tools": ONE_TOOL}]


@pytest.mark.parametrize("choice", CHOICES)
@pytest.mark.parametrize("stream", [False, True])
def test_a_call_that_is_asked_for_comes(tools: Server, choice: Any, stream: bool) -> None:
    if not stream:
        name, arguments = call_of(chat(tools, tools=TOOLS, tool_choice=choice))
    else:
        parts = [
            call.function
            for chunk in chat(tools, tools=TOOLS, tool_choice=choice, stream=True)
            for call in (chunk.choices[0].delta.tool_calls or [])
            if call.index == 0
        ]
        name, arguments = parts[0].name, json.loads("".join(part.arguments or "" for part in parts))
    assert name in (["weather", "other"] if choice == "required" else ["other"])
    assert list(arguments) == ["city"]


def picture(content: str) -> list[Any]:
    return [{"type": "image_url", "image_url": {"url": f"data:image/png;base64,{content}"}}]


NO_TOOL = {"type": "function", "function": {"name": "no"}}
REFUSED: dict[str, tuple[str, object]] = {
    "a tool that is not there": (CHAT, {"tools": TOOLS, "tool_choice": NO_TOOL}),
    "a call without tools": (CHAT, {"tool_choice": "required"}),
    "a call that the template cannot make": (CHAT, {"tools": TOOLS, "tool_choice": "required"}),
    "another word": (CHAT, {"tools": TOOLS, "tool_choice": "perhaps"}),
    "a tool of OpenAI's servers": (CHAT, {"tools": [{"type": "web_search"}]}),
    "a format that there is not": (CHAT, {"response_format": {"type": "yaml"}}),
    "no room for an answer": (CHAT, {"max_tokens": 0}),
    "too many choices": (CHAT, {"n": 100}),
    "a picture": (CHAT, {"messages": [{"role": "user", "content": picture("AAAA")}]}),
    "no messages": (CHAT, {"messages": None}),
    "a number for messages": (CHAT, {"messages": 3}),
    "a text for a number": (CHAT, {"temperature": "hot"}),
    "too long a question": (CHAT, {"messages": [{"role": "user", "content": "word " * 9000}]}),
    "JSON that ends early": (CHAT, b'{"messages":['),
    "half a letter": (CHAT, b'{"messages":[{"role":"user","content":"\\ud83d"}]}'),
    "a byte that is no letter": (CHAT, b'{"messages":[{"role":"user","content":"\xff"}]}'),
    "a list for a body": (CHAT, b"[]"),
    "echo with probabilities": (TEXT, {"prompt": "The", "echo": True, "logprobs": 1}),
    "best of several": (TEXT, {"prompt": "The", "best_of": 3}),
    "ranking": ("/v1/rerank", {"query": "x", "documents": ["a"]}),
    "speech": ("/v1/audio/transcriptions", {"input": "x"}),
    "metrics": ("/metrics", None),
    "shell commands": ("/tools", {"tool": "x"}),
    "Responses without input": ("/v1/responses", {"model": "x"}),
    "Responses that go on": ("/v1/responses", {"input": "x", "previous_response_id": "y"}),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_faults_of_the_client(smol: Server, name: str) -> None:
    route, fields = REFUSED[name]
    body: object = fields
    if route == CHAT and isinstance(fields, dict):
        body = {"messages": HI, "max_tokens": 4, **fields}
    status, answer = asked(smol.url + route, body)
    assert status == 400, answer
    assert set(answer["error"]) >= {"message", "type", "param", "code"}
    assert isinstance(answer["error"]["message"], str)
    assert answer["error"]["code"] is None or isinstance(answer["error"]["code"], str)


def test_the_flag_that_turns_a_feature_on_is_named(smol: Server) -> None:
    flags = {"/v1/rerank": "--reranking", "/metrics": "--metrics", "/tools": "--tools"}
    for route, flag in flags.items():
        _, answer = asked(
            smol.url + route, {"query": "x", "documents": ["a"]} if "v1" in route else None
        )
        assert f"`{flag}`" in answer["error"]["message"]


@pytest.mark.parametrize("stop", ["", [""], ["", "zebra"]])
def test_an_empty_stop_ends_nothing(smol: Server, stop: Any) -> None:
    assert text_of(chat(smol, stop=stop)) == text_of(chat(smol))
    made = client(smol.url).completions.create(model=MODEL, prompt="The", max_tokens=4, stop=stop)
    assert made.choices[0].text


@pytest.mark.parametrize("template", ["smol", "tools"])
def test_empty_arguments_of_an_earlier_call(template: str, request: pytest.FixtureRequest) -> None:
    server = request.getfixturevalue(template)
    function = {"name": "weather", "arguments": ""}
    call = {"id": "1", "type": "function", "function": function}
    messages = [
        *HI,
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "1", "content": "sunny"},
    ]
    made = client(server.url).chat.completions.create(
        model=MODEL, messages=messages, tools=TOOLS, max_tokens=4
    )  # fmt: skip
    assert made.choices


# OpenAI: /v1/completions


def test_no_tokens(smol: Server) -> None:
    made = completion(smol, max_tokens=0, echo=True)
    assert made.choices[0].text == "The"
    assert made.choices[0].finish_reason == "length"
    assert (made.usage.completion_tokens, made.usage.total_tokens) == (0, made.usage.prompt_tokens)


@pytest.mark.parametrize("prompt", ["The", ["The", "A cat"], [504], [[504], [49, 2644]]])
@pytest.mark.parametrize("stream", [False, True])
def test_echo(smol: Server, prompt: Any, stream: bool) -> None:
    def texts(echo: bool) -> dict[int, str]:
        made = completion(smol, prompt=prompt, echo=echo, stream=stream)
        found: dict[int, str] = {}
        for part in made if stream else [made]:
            for choice in part.choices:
                found[choice.index] = found.get(choice.index, "") + choice.text
        return found

    plain, echoed = texts(False), texts(True)
    assert len(echoed) == (2 if isinstance(prompt, list) and len(prompt) > 1 else 1)
    for index, text in echoed.items():
        assert text.endswith(plain[index])
        assert len(text) > len(plain[index])
    if prompt == ["The", "A cat"]:
        assert [echoed[0][:3], echoed[1][:5]] == prompt


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("count", [0, 2])
def test_log_probabilities(smol: Server, count: int, stream: bool) -> None:
    made = completion(smol, logprobs=count, stream=stream)
    parts = [part.choices[0] for part in (made if stream else [made])]
    parts = [part for part in parts if part.logprobs]
    text = "".join(part.text for part in parts)
    tokens = [token for part in parts for token in part.logprobs.tokens]
    offsets = [place for part in parts for place in part.logprobs.text_offset]
    assert "".join(tokens) == text
    assert all(text[at:].startswith(one) for at, one in zip(offsets, tokens, strict=True))
    assert offsets == [len("".join(tokens[:n])) for n in range(len(tokens))]
    for part in parts:
        assert all(value <= 0 for value in part.logprobs.token_logprobs)
        tops = part.logprobs.top_logprobs
        assert tops is None if count == 0 else all(len(top) == count for top in tops)


@pytest.mark.parametrize("stream", [False, True])
def test_usage_is_of_all_choices(smol: Server, stream: bool) -> None:
    extra = {"stream": True, "stream_options": {"include_usage": True}} if stream else {}
    made = completion(smol, prompt=["The", "A cat"], n=2, seed=1, temperature=1, **extra)
    usage = [part.usage for part in made if part.usage][-1] if stream else made.usage
    alone = [completion(smol, prompt=one).usage.prompt_tokens for one in ("The", "A cat")]
    assert (usage.completion_tokens, usage.prompt_tokens) == (16, sum(alone))
    said = chat(smol, n=3, max_tokens=5, temperature=2, logit_bias={"2": -100}, **extra)
    usage = [part.usage for part in said if part.usage][-1] if stream else said.usage
    assert usage.completion_tokens == 15
    assert usage.prompt_tokens == chat(smol).usage.prompt_tokens


# OpenAI: models, addresses


def test_one_model_by_name(smol: Server) -> None:
    assert client(smol.url).models.retrieve(MODEL).id == MODEL
    with pytest.raises(openai.NotFoundError) as missing:
        client(smol.url).models.retrieve("some/other")
    assert missing.value.code == "model_not_found"


@pytest.mark.parametrize("route", ["/v1/models/", "/api/tags/", "/health/"])
def test_a_slash_at_the_end(smol: Server, route: str) -> None:
    assert asked(smol.url + route)[0] == 200
    assert asked(f"{smol.url}{CHAT}/", {"messages": HI, "max_tokens": 3})[0] == 200


# What is generated arrives


def test_thirty_wild_answers(smol: Server, tools: Server) -> None:
    """Their bytes are often no letters."""
    wild = {"temperature": 5, "max_tokens": 24, "top_k": 0, "top_p": 1, "min_p": 0}
    for seed in range(30):
        server = (smol, tools)[seed % 2]
        body = {"messages": HI, "tools": TOOLS if seed % 3 else [], "seed": seed, **wild}
        status, answer = asked(server.url + CHAT, body)
        assert status == 200, answer
        assert answer["choices"][0]["message"]["role"] == "assistant"
    for seed in range(6):
        stream = chat(tools, stream=True, seed=seed, extra_body=wild | {"tools": TOOLS})
        assert list(stream)[-1].choices[0].finish_reason


# Anthropic


def claude(server: Server) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=server.url, api_key="none", max_retries=0, timeout=300)


def test_anthropic_messages(smol: Server) -> None:
    made = claude(smol).messages.create(model=MODEL, messages=HI, max_tokens=8)
    assert made.content[0].type == "text"
    assert made.content[0].text
    with claude(smol).messages.stream(model=MODEL, messages=HI, max_tokens=8) as stream:
        assert "".join(stream.text_stream)
    assert claude(smol).messages.count_tokens(model=MODEL, messages=HI).input_tokens > 1


def test_anthropic_tools(tools: Server) -> None:
    listed: Any = [{"name": one["name"], "input_schema": CITY} for one in FUNCTIONS]
    for choice in ({"type": "tool", "name": "other"}, {"type": "any"}):
        made = claude(tools).messages.create(
            model=MODEL, messages=HI, max_tokens=64, tools=listed, tool_choice=choice
        )
        call = next(part for part in made.content if part.type == "tool_use")
        assert call.name in ([choice["name"]] if "name" in choice else ["weather", "other"])
        assert list(call.input) == ["city"]
    silent: Any = {"type": "none"}
    made = claude(tools).messages.create(
        model=MODEL, messages=HI, max_tokens=9, tools=listed, tool_choice=silent
    )  # fmt: skip
    assert [part.type for part in made.content] == ["text"]


@pytest.mark.parametrize("fields", [{"messages": 3}, {"messages": []}, {"max_tokens": 0}])
def test_faults_of_anthropic_s_clients(smol: Server, fields: dict[str, Any]) -> None:
    wrong: Any = {"model": MODEL, "messages": HI, "max_tokens": 4, **fields}
    status, answer = asked(f"{smol.url}/v1/messages", wrong)
    assert status == 400
    assert (answer["type"], answer["error"]["type"]) == ("error", "invalid_request_error")
    with pytest.raises(anthropic.BadRequestError):
        claude(smol).messages.create(**wrong)


# What a start offers


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_how_clients_find_out_that_it_is_there(server: Server, method: str) -> None:
    assert asked(server.url, method=method) == (
        200,
        "" if method == "HEAD" else "Ollama is running\n",
    )
    with urlopen(Request(server.url, headers={"Accept": "text/html,*/*"})) as page:
        assert page.headers["Content-Type"].startswith("text/html")


def test_a_model_that_does_not_chat(models: None, tmp_path: Path) -> None:
    bundle = pack(
        real_models.GEMMA, "--targets", "linux-x86_64", output=tmp_path / "gemma.llamafile"
    )
    with serving(bundle) as server:
        assert asked(server.url)[1].splitlines()[1].endswith("/v1/completions")
        for route in (CHAT, "/v1/messages", "/v1/responses", "/api/chat"):
            status, answer = asked(
                server.url + route, {"messages": HI, "input": "Hi", "model": "x"}
            )
            assert (status, "/v1/completions" in str(answer)) == (400, True)
        asked_for = {"max_tokens": 4, "temperature": 0, "prompt": "The capital of France is"}
        made = client(server.url).completions.create(model="x", **asked_for)
        assert made.choices[0].text.strip()
        said = ollama.Client(server.url).generate("x", asked_for["prompt"], options=GREEDY)
        assert said.response.startswith(made.choices[0].text)
        with urlopen(Request(server.url, headers={"Accept": "text/html"})) as page:
            assert b"v1/completions" in page.read()
    with serving(bundle, "--chat-template", "chatml") as server:
        assert asked(server.url)[1] == "Ollama is running\n"
        assert asked(server.url + CHAT, {"messages": HI, "max_tokens": 2})[0] == 200


# Many, and those that leave


def test_sixty_four_at_once_and_some_that_leave(smol: Server) -> None:
    """Of those that leave nothing stays: the server answers as before."""

    async def leave(number: int) -> None:
        async with openai.AsyncOpenAI(base_url=f"{smol.url}/v1", api_key="x", timeout=300) as one:
            stream = await one.chat.completions.create(
                model=MODEL, messages=HI, max_tokens=500, stream=True, seed=number,
                extra_body={"ignore_eos": True},
            )  # fmt: skip
            async for _ in stream:
                break
            await stream.close()

    async def stay(number: int) -> str:
        async with openai.AsyncOpenAI(base_url=f"{smol.url}/v1", api_key="x", timeout=300) as one:
            made = await one.chat.completions.create(
                model=MODEL, messages=HI, max_tokens=9, temperature=0, seed=number
            )  # fmt: skip
            return str(made.choices[0].message.content)

    async def all_of_them() -> list[Any]:
        return await asyncio.gather(*(stay(n) if n % 4 else leave(n) for n in range(64)))

    answers = [one for one in asyncio.run(all_of_them()) if one is not None]
    assert len([one for one in answers if one]) == 48
    started = time.monotonic()
    assert text_of(chat(smol, max_tokens=9))
    assert time.monotonic() - started < 20  # no slot computes for those that left


@pytest.mark.parametrize("signals", [1, 2])
def test_open_streams_do_not_keep_it(smollm2: Path, signals: int) -> None:
    with serving(smollm2) as server, ThreadPoolExecutor(8) as pool:

        def read(number: int) -> bytes:
            body = {"prompt": "A", "max_tokens": 100_000, "stream": True, "ignore_eos": True}
            with urlopen(posting(server.url + TEXT, body | {"seed": number}), timeout=60) as reply:
                return b"".join(reply)

        streams = [pool.submit(read, number) for number in range(8)]
        time.sleep(1.5)
        assert not any(one.done() for one in streams)
        started = time.monotonic()
        for _ in range(signals):
            server.process.terminate()
            time.sleep(0.05)
        status = server.process.wait(10)
        assert time.monotonic() - started < 2.5
        assert status in (0, 1)
