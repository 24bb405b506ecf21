"""A server that speaks the chat API and answers by rule: what the terminal chat is tested against.

The last user message says what happens: `slow` never ends, `silent` never begins, `think` reasons
first, `big` does not fit into the context, and so on. Anything else is answered by `You said: ...`.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

JSON = dict[str, Any]


class ChatServer(ThreadingHTTPServer):
    """`requests` holds the body of every chat completion that was asked for."""

    daemon_threads = True

    def __init__(self, api_key: str = "", loading: int = 0, vision: bool = False) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.api_key = api_key
        self.loading = loading  # so many requests are answered by "still loading"
        self.vision = vision
        self.requests: list[JSON] = []
        self.broken = threading.Event()  # a client went away in the middle of an answer
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def texts(self) -> list[str]:
        """The last request's messages as `role: text`."""
        return [f"{m['role']}: {text_of(m)}" for m in self.requests[-1]["messages"]]


def text_of(message: JSON) -> str:
    content = message["content"]
    if isinstance(content, str):
        return content
    return "".join(part.get("text", f"<{part['type']}>") for part in content)


class Handler(BaseHTTPRequestHandler):
    server: ChatServer

    def log_message(self, format: str, *args: object) -> None:
        pass

    def answer(self, status: int, body: JSON) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def fail(self, status: int, kind: str, message: str) -> None:
        self.answer(status, {"error": {"code": status, "type": kind, "message": message}})

    def refused(self) -> bool:
        key = self.server.api_key
        if key and self.headers.get("Authorization") != f"Bearer {key}":
            self.fail(401, "authentication_error", "Invalid API Key")
            return True
        if self.server.loading > 0:
            self.server.loading -= 1
            self.fail(503, "unavailable_error", "Loading model")
            return True
        return False

    def do_GET(self) -> None:
        if self.refused():
            return
        if self.path != "/props":
            return self.fail(404, "not_found_error", "File Not Found")
        modalities = {"vision": self.server.vision, "audio": False, "video": False}
        self.answer(200, {"default_generation_settings": {"n_ctx": 100}, "modalities": modalities})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.refused():
            return
        if self.path == "/apply-template":
            self.answer(200, {"prompt": " ".join(text_of(m) for m in body["messages"])})
        elif self.path == "/tokenize":
            self.answer(200, {"tokens": list(range(len(body["content"].split())))})
        elif self.path == "/v1/chat/completions":
            self.server.requests.append(body)
            try:
                self.complete(text_of(body["messages"][-1]))
            except OSError:
                self.server.broken.set()
        else:
            self.fail(404, "not_found_error", "File Not Found")

    def event(self, delta: JSON, finish: str | None = None, **more: Any) -> None:
        body = {"choices": [{"delta": delta, "finish_reason": finish}], **more}
        self.wfile.write(f"data: {json.dumps(body)}\n\n".encode())
        self.wfile.flush()

    def complete(self, question: str) -> None:
        if question == "big":
            message = "request (900 tokens) exceeds the available context size (100 tokens)"
            return self.fail(400, "exceed_context_size_error", message)
        if question == "bad":
            return self.fail(500, "server_error", "first line\nsecond line")
        if question == "silent":
            self.connection.recv(1)  # blocks until the client goes away
            self.server.broken.set()
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()  # HTTP/1.0: the answer ends with the connection
        self.event({"role": "assistant", "content": None})
        if question == "mid":
            self.event({"content": "Half"})
            self.wfile.write(b'data: {"error": {"message": "out of luck"}}\n\n')
            return
        for delta in self.deltas(question):
            self.event(delta)
        finish = "length" if question in ("full", "cut") else "stop"
        timings = {
            "prompt_n": 98 if question == "full" else 10,
            "cache_n": 1,
            "predicted_n": 5,
            "prompt_ms": 100.0,
            "predicted_ms": 250.0,
        }
        self.event({}, finish, timings=timings)
        self.wfile.write(b"data: [DONE]\n\n")

    def deltas(self, question: str) -> Iterator[JSON]:
        if question == "slow":
            for i in range(2000):
                yield {"content": f"word{i} "}
                time.sleep(0.02)
        elif question == "think":
            yield {"reasoning_content": "Let me "}
            yield {"reasoning_content": "see."}
            yield {"content": "Done."}
        elif question == "escape":
            yield {"content": "a\x1b]0;title\x07b\x9bc"}
        else:
            for word in f"You said: {question}".split(" "):
                yield {"content": word + " "}
