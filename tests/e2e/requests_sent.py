"""Requests as bytes, with the headers that browsers or nobody would send."""

from __future__ import annotations

import json
import socket
from urllib.parse import urlsplit

CHAT = {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 2}
PROMPT = {"prompt": "a", "n_predict": 2}


def raw(url: str, request: bytes, timeout: float = 120) -> tuple[int, str]:
    """Status and all that follows of whatever a socket got for these bytes; 0 if nothing came."""
    place = urlsplit(url)
    with socket.create_connection((place.hostname, place.port), timeout) as connection:
        connection.sendall(request)
        answered = b""
        while piece := connection.recv(65536):
            answered += piece
    head = answered.split(b"\r\n", 1)[0].split()
    return int(head[1]) if head else 0, answered.decode("utf-8", "replace")


def sent(url: str, method: str, path: str, body: object = None, **headers: str) -> tuple[int, str]:
    """The same for a request; `Content_Type="…"` is the header Content-Type, "" leaves it out."""
    data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    lines = {"Host": urlsplit(url).netloc, "Connection": "close"}
    if data:
        lines |= {"Content-Type": "application/json", "Content-Length": str(len(data))}
    lines |= {name.replace("_", "-"): value for name, value in headers.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items() if value)
    return raw(url, f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + data)
