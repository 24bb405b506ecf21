"""A web server with the faults that real ones have."""

from __future__ import annotations

import re
import socket
import ssl
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

_RANGE = re.compile(r"bytes=(\d+)-(\d*)")


@dataclass
class Answer:
    """A status instead of a page."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass
class Page:
    """A file and how it is served."""

    data: bytes
    etag: str | None = '"v1"'
    ranges: bool = True
    if_range: bool = True
    """Whether it minds `If-Range`."""
    cut: int | None = None
    """Bytes of each body after which the connection breaks."""
    cuts: int | None = None
    """How often it does so; None: always."""
    length: int | None = None
    """What it says its size is, if that is a lie."""
    misplaced: bool = False
    """Answers 206, but with the range that comes after the one asked for."""
    chunked: bool = False
    first: list[Answer] = field(default_factory=list)
    """Given to the first requests, one each."""
    later: list[Answer] = field(default_factory=list)
    """Given to the first requests for a range, one each."""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Request:
    """One that the server got."""

    method: str
    path: str
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes = b""


class WebServer:
    """Pages by path. `log` has every request."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self.pages: dict[str, Page | Answer] = {}
        self.log: list[Request] = []
        self._mutex = threading.Lock()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                server.handle(self)

            def do_HEAD(self) -> None:
                server.handle(self)

            def do_POST(self) -> None:
                server.handle(self)

            def do_PUT(self) -> None:
                server.handle(self)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = _Quiet(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        self.url = f"http://{host}:{self.port}"

    def speak_tls(self, certificate: Path, key: Path) -> None:
        """Serve HTTPS from now on, as `localhost`."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.url = f"https://127.0.0.1:{self.port}"

    @contextmanager
    def running(self) -> Iterator[WebServer]:
        thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        thread.start()
        yield self
        self._server.shutdown()
        self._server.server_close()

    def page(self, request: Request) -> Page | Answer:
        """What to answer; stand-ins for real services override this."""
        return self.pages.get(urlsplit(request.path).path, Answer(404))

    def body(self, handler: BaseHTTPRequestHandler, length: int) -> bytes | None:
        """What a request brings; None to break the connection."""
        return handler.rfile.read(length)

    def seen(self, header: str) -> list[str]:
        """The values of a header in all requests."""
        return [r.headers[header.lower()] for r in self.log if header.lower() in r.headers]

    def handle(self, handler: BaseHTTPRequestHandler) -> None:
        headers = {k.lower(): v for k, v in handler.headers.items()}
        body = self.body(handler, int(headers.get("content-length", 0)))
        if body is None:
            handler.close_connection = True
            return
        request = Request(handler.command, handler.path, headers, body)
        with self._mutex:
            self.log.append(request)
            page = self.page(request)
            if isinstance(page, Page) and page.first:
                page = page.first.pop(0)
            if isinstance(page, Page) and page.later and "range" in headers:
                page = page.later.pop(0)
            cut = page.cut if isinstance(page, Page) else None
            if cut is not None and page.cuts is not None and request.method == "GET":
                cut = cut if page.cuts > 0 else None
                page.cuts -= 1
        if isinstance(page, Answer):
            _send(handler, page.status, page.headers, page.body)
        else:
            _serve(handler, page, request, cut)


def _send(
    handler: BaseHTTPRequestHandler, status: int, headers: dict[str, str], body: bytes
) -> None:
    handler.send_response(status)
    for name, value in {"Content-Length": str(len(body)), **headers}.items():
        handler.send_header(name, value)
    handler.end_headers()
    if handler.command != "HEAD":
        handler.wfile.write(body)


def _serve(handler: BaseHTTPRequestHandler, page: Page, request: Request, cut: int | None) -> None:
    span = _span(page, request)
    if span and span[0] >= len(page.data):
        _send(handler, 416, {"Content-Range": f"bytes */{len(page.data)}"}, b"")
        return
    body = page.data[span[0] : span[1]] if span else page.data
    stated = page.length or len(page.data)
    headers = {**page.headers, "Content-Length": str(len(body) if span else stated)}
    if page.etag:
        headers["ETag"] = page.etag
    if span:
        headers["Content-Range"] = f"bytes {span[0]}-{span[1] - 1}/{stated}"
    elif page.chunked:
        del headers["Content-Length"]
        headers["Transfer-Encoding"] = "chunked"
    handler.send_response(206 if span else 200)
    for name, value in headers.items():
        handler.send_header(name, value)
    handler.end_headers()
    if handler.command == "HEAD":
        return
    sent = body[:cut]
    if "Transfer-Encoding" in headers:
        end = b"0\r\n\r\n" if len(sent) == len(body) else b""
        sent = b"%x\r\n" % len(sent) + sent + b"\r\n" + end
    try:
        handler.wfile.write(sent)
        if body[:cut] != body or page.length:
            handler.close_connection = True
            handler.connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        handler.close_connection = True  # who asked went away


def _span(page: Page, request: Request) -> tuple[int, int] | None:
    """The bytes that are asked for, if not all."""
    asked = _RANGE.fullmatch(request.headers.get("range", ""))
    if not asked or not page.ranges:
        return None
    if page.if_range and request.headers.get("if-range", page.etag) != page.etag:
        return None
    total = len(page.data)
    start, end = int(asked[1]), min(total, int(asked[2]) + 1 if asked[2] else total)
    if page.misplaced:
        start, end = min(start + 1, total - 1), min(end + 1, total)
    return start, end


class _Quiet(ThreadingHTTPServer):
    """Says nothing about clients that go away."""

    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]
