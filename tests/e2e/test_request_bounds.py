"""Bodies that would end the server, fill its memory or take all its time."""

from __future__ import annotations

import json
import time
from typing import Any

import psutil
import pytest
from helpers.running import Server
from requests_sent import CHAT, PROMPT, raw, sent

MB = 1 << 20


def lists(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


def any_of(depth: int) -> bytes:
    return b'{"anyOf":[' * depth + b"{}" + b"]}" * depth


def grammar(text: str) -> bytes:
    return json.dumps({**PROMPT, "grammar": text}).encode()


def schema(value: object) -> bytes:
    return json.dumps({**PROMPT, "json_schema": value}).encode()


def beside(body: dict[str, Any], key: str, value: bytes) -> bytes:
    return json.dumps(body)[:-1].encode() + b', "%s": %s}' % (key.encode(), value)


def two_ways(count: int) -> str:
    rules = "\n".join(f'r{i} ::= r{i + 1} "x" | r{i + 1} "y"' for i in range(count))
    return f'root ::= r0\n{rules}\nr{count} ::= "a"'


def chain(count: int) -> str:
    rules = "\n".join(f"r{i} ::= r{i + 1}" for i in range(count))
    return f'root ::= r0\n{rules}\nr{count} ::= "a"'


def references(count: int) -> object:
    return {"anyOf": [{"$ref": f"#/x/{i}"} for i in range(count)], "x": [[{}] * 1_000] * 3}


def text_properties(count: int) -> object:
    return {"properties": {f"p{i}": {"type": "string"} for i in range(count)}}


def sampled(**settings: object) -> bytes:
    return json.dumps(PROMPT | settings).encode()


def triggered(pattern: str) -> bytes:
    trigger = {"type": 2, "value": pattern, "token": 1}
    return sampled(grammar='root ::= "a"*', grammar_lazy=True, grammar_triggers=[trigger])


def both(depth: int) -> object:
    """A schema that is copied for each of its types."""
    inner: object = {"enum": list(range(50))}
    for _ in range(depth):
        inner = {"type": ["object", "object"], "properties": {"a": inner}}
    return inner


FORMAT = b'{"type": "json_object", "schema": %s}'
TOOL = b'[{"type": "function", "function": {"name": "f", "parameters": %s}}]'
INPUT = (
    b'{"max_tokens": 2, "messages": [{"role": "user", "content": "a"}, {"role": "assistant", '
    b'"content": [{"type": "tool_use", "id": "a", "name": "b", "input": %s}]}, '
    b'{"role": "user", "content": "b"}]}'
)
KWARGS = "chat_template_kwargs"
CHATS = "/v1/chat/completions"
NAMES = {"a": {"$ref": "#/definitions/a"}}

REFUSED = {
    "parentheses": ("/completion", grammar("root ::= " + "(" * 19_000 + '"a"' + ")" * 19_000)),
    "anyOf": ("/completion", beside(PROMPT, "json_schema", any_of(6_250))),
    "kwargs": (CHATS, beside(CHAT, KWARGS, b'{"a":%s}' % lists(46_000))),
    "template": ("/apply-template", beside(CHAT, KWARGS, b'{"a":%s}' % lists(46_000))),
    "content": (CHATS, b'{"messages":[{"role":"user","content":%s}]}' % lists(46_000)),
    "input": ("/v1/messages", INPUT % (b'{"a":%s}' % lists(46_000))),
    "tokens": ("/v1/messages/count_tokens", INPUT % (b'{"a":%s}' % lists(46_000))),
    "format": (CHATS, beside(CHAT, "response_format", FORMAT % any_of(9_250))),
    "tool": (CHATS, beside(CHAT, "tools", TOOL % any_of(17_500))),
    "responses": ("/v1/responses", beside({"input": "a"}, "tools", TOOL % any_of(17_500))),
    "rules": ("/completion", grammar(chain(112_000))),
    "ways": ("/completion", grammar(two_ways(30))),
    "repeated": ("/completion", grammar('root ::= "' + "a" * 100_000 + '"{1999}')),
    "backwards": ("/completion", grammar('root ::= "a"{5, # 9\n 2}')),
    "shorter": ("/completion", schema({"type": "string", "minLength": 5, "maxLength": 2})),
    "trigger": ("/completion", triggered("a" * 350_000)),
    "groups": ("/completion", triggered("(" * 8_000 + "a" + ")" * 8_000)),
    "breakers": ("/completion", sampled(dry_multiplier=1, dry_sequence_breakers=["ab"] * 200_000)),
    "messages": (CHATS, json.dumps({"messages": CHAT["messages"] * 100_000}).encode()),
    "malformed": ("/completion", b'{"prompt":'),
    "surrogate": (CHATS, b'{"messages":[{"role":"user","content":"\\ud83d"}]}'),
    "empty": (CHATS, b""),
    "enum": ("/completion", schema({"enum": [str(i) for i in range(200_000)]})),
    "properties": ("/completion", schema({"properties": {f"p{i}": {} for i in range(20_000)}})),
    "circle": ("/completion", schema({"allOf": [NAMES["a"]], "definitions": NAMES})),
    "types": ("/completion", schema(both(28))),
    "references": ("/completion", schema(references(1_500))),
    "keys": ("/completion", b"{" + b",".join(b'"k%d":1' % i for i in range(300_000)) + b"}"),
    "513": ("/completion", beside(PROMPT, "x", lists(512))),
    "many": ("/completion", b"[" + b"[]," * 4_000_000 + b"1]"),
    "brackets": ("/completion", b"[" * 15_000_000),
    "embeddings": ("/v1/embeddings", beside({"model": "a"}, "input", lists(46_000))),
    "tokenize": ("/tokenize", beside({"content": "a"}, "x", lists(46_000))),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refused(server: Server, name: str) -> None:
    """In OpenAI's words, in no time, and the server goes on."""
    path, body = REFUSED[name]
    started = time.monotonic()
    status, answer = sent(server.url, "POST", path, body)
    assert status == 400, answer
    assert json.loads(answer.split("\r\n\r\n", 1)[1])["error"]["message"]
    assert time.monotonic() - started < 20
    assert sent(server.url, "POST", "/completion", PROMPT)[0] == 200


ANSWERED = {
    "512": ("/completion", beside(PROMPT, "x", lists(511))),
    "kwargs": (CHATS, beside(CHAT, KWARGS, b'{"a":%s}' % lists(500))),
    "input": ("/v1/messages", INPUT % (b'{"a":%s}' % lists(490))),
    "schema": ("/completion", beside(PROMPT, "json_schema", any_of(31))),
    "tool": (CHATS, beside(CHAT, "tools", TOOL % any_of(25))),
    "enum": ("/completion", schema({"enum": [f"value {i}" for i in range(600)]})),
    "properties": ("/completion", schema(text_properties(200))),
    "optional": ("/completion", grammar("root ::= " + " ".join(['("a" | "b")?'] * 12))),
    "repeated": ("/completion", grammar('root ::= "a"{1,3} "b"{0,} "c"{2}')),
    "trigger": ("/completion", triggered("(a|b)" * 1_000)),
    "lists": ("/completion", grammar('root ::= "[" ([a-z]+ ("," [a-z]+)*)? "]"')),
    "last": ("/completion", sampled(repeat_last_n=2**31 - 1, repeat_penalty=1.5)),
    "dry": ("/completion", sampled(dry_penalty_last_n=2**31 - 1, dry_multiplier=1)),
    "probabilities": ("/completion", sampled(n_probs=2**31 - 1)),
    "negative": ("/completion", sampled(n_probs=-1)),
    "strings": ("/tokenize", json.dumps({"content": '"[{\\' * 100_000}).encode()),
}  # fmt: skip


@pytest.mark.parametrize("name", ANSWERED)
def test_answered(server: Server, name: str) -> None:
    path, body = ANSWERED[name]
    status, answer = sent(server.url, "POST", path, body)
    assert status == 200, answer


def test_a_grammar_that_takes_too_long_ends_its_own_request_only(server: Server) -> None:
    started = time.monotonic()
    body = grammar("root ::= " + " ".join(['("a" | "b")?'] * 30) + ' "x"')
    status, answer = sent(server.url, "POST", "/completion", body)
    assert status in (200, 500), answer
    assert time.monotonic() - started < 40
    assert sent(server.url, "POST", "/completion", PROMPT)[0] == 200


def test_memory_does_not_stay(server: Server) -> None:
    process = psutil.Process(server.process.pid)
    before = process.memory_info().rss
    for _ in range(3):
        sent(server.url, "POST", "/completion", b"[" * 15 * MB)
        sent(server.url, "POST", "/completion", b" " * 15 * MB)
        sent(server.url, "POST", "/completion", b"[" + b"[]," * 600_000 + b"1]")
    assert process.memory_info().rss - before < 100 * MB


def test_large_bodies(server: Server) -> None:
    """Text may have 16 MB; what is larger is refused with its head."""
    head = b"POST /completion HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    status, answer = raw(server.url, head + b"Content-Length: 100000000\r\n\r\n", timeout=20)
    assert status == 413
    assert "16777216 bytes" in answer
    long = {"content": "word " * (2 * MB)}
    assert sent(server.url, "POST", "/tokenize", long)[0] == 200
