"""Requests that clients of OpenAI's and Ollama's API make, by their libraries and without them."""

from __future__ import annotations

import json
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from . import real_models
from .running import Server, client

CHAT, TEXT = "/v1/chat/completions", "/v1/completions"
MODEL = real_models.SMOLLM2.stem
HI: list[Any] = [{"role": "user", "content": "Hi"}]
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
FUNCTIONS = [
    {"name": name, "description": name, "parameters": CITY} for name in ("weather", "other")
]
TOOLS: Any = [{"type": "function", "function": one} for one in FUNCTIONS]
GREEDY = {"temperature": 0, "num_predict": 24, "seed": 1}
"""Ollama's options."""


def posting(url: str, body: object, method: str | None = None) -> Request:
    data = body if isinstance(body, bytes) else json.dumps(body).encode() if body else None
    return Request(url, data, {"Content-Type": "application/json"}, method=method)


def asked(url: str, body: object = None, *, method: str | None = None) -> tuple[int, Any]:
    """Status and JSON, or text where it is none."""
    try:
        with urlopen(posting(url, body, method), timeout=300) as reply:
            status, text = reply.status, reply.read().decode()
    except HTTPError as error:
        status, text = error.code, error.read().decode()
    try:
        return status, json.loads(text)
    except ValueError:
        return status, text


def chat(server: Server, **fields: Any) -> Any:
    settings = {"max_tokens": 64, "temperature": 0, **fields}
    return client(server.url).chat.completions.create(model=MODEL, messages=HI, **settings)


def text_of(answer: Any) -> str:
    return str(answer.choices[0].message.content)


def completion(server: Server, **fields: Any) -> Any:
    settings = {"prompt": "The", "max_tokens": 4, "temperature": 0, **fields}
    return client(server.url).completions.create(model=MODEL, **settings)
