"""The HTTP server, asked by programs that we did not write; and where it serves: the address that
is printed, where nobody else does, or there is an error."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import psutil
import pytest
from helpers.running import (
    QUESTION,
    Server,
    client,
    fetched,
    free_port,
    greedy,
    refusal,
    run,
    serving,
    until_healthy,
)
from openai import AuthenticationError

import runtime

SERVER = ("--server", "--nobrowser")


def test_models_are_listed(server: Server) -> None:
    assert [model.id for model in client(server.url).models.list()] == ["demo"]


def test_an_answer_streams(server: Server) -> None:
    stream = client(server.url).chat.completions.create(
        model="demo",
        messages=[{"role": "user", "content": QUESTION}],
        temperature=0,
        stream=True,
    )
    pieces = [chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices]
    assert len([piece for piece in pieces if piece]) > 3
    assert "".join(pieces) == greedy(server.url)


def test_the_published_curl_example(server: Server) -> None:
    """Cards name models that are not there; the one that is there answers."""
    body = (
        '{"model": "gemma-27b-it", "temperature": 0.0, '
        '"messages": [{"role": "user", "content": "Say this is a test!"}]}'
    )
    words = ["-H", "Content-Type: application/json", "-d", body]
    done = run(["curl", "-s", f"{server.url}/v1/chat/completions", *words])
    assert re.search(rb'"content":"[^"]', done.stdout), done


def test_raw_completions(server: Server) -> None:
    made = client(server.url).completions.create(model="demo", prompt=QUESTION, max_tokens=8)
    assert made.choices[0].text


def test_embeddings(demo_bundle: Path) -> None:
    with serving(demo_bundle, "--embeddings", "--pooling", "mean") as server:
        made = client(server.url).embeddings.create(model="demo", input=["one", "two"])
        assert [len(item.embedding) for item in made.data] == [256, 256]
        assert made.data[0].embedding != made.data[1].embedding


def test_an_api_key_is_asked_for(demo_bundle: Path) -> None:
    with serving(demo_bundle, "--api-key", "secret") as server:
        with pytest.raises(AuthenticationError):
            greedy(server.url, key="guessed")
        assert greedy(server.url, key="secret")


def test_the_default_context_is_the_trained_one_if_that_is_small(server: Server) -> None:
    assert fetched(f"{server.url}/props")["default_generation_settings"]["n_ctx"] == 1024


def test_a_service_manager_can_stop_it(demo_bundle: Path) -> None:
    with serving(demo_bundle) as server:
        server.process.terminate()
        assert server.process.wait(30) == 0


def started_without_a_terminal(bundle: Path, *words: str, **env: str) -> tuple[str, bool]:
    """What a double click does: nobody at a terminal, nothing piped in. Returns the first line on
    stderr, and whether a browser was asked to show the page."""
    folder = Path(env["PATH"].split(":", maxsplit=1)[0])
    shown = folder / "shown"
    browser = folder / "xdg-open"
    browser.write_text(
        f'#!/bin/sh\nls -l /proc/$$/fd > "{folder}/open"\n'
        f'echo "$1" > "{shown}.new" && mv "{shown}.new" "{shown}"\n'
    )
    browser.chmod(0o755)
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(
        ["sh", str(bundle), *words],
        stdin=quiet, stdout=quiet, stderr=subprocess.PIPE, env=os.environ | env,
    )  # fmt: skip
    try:
        assert process.stderr
        line = process.stderr.readline().decode()
        url = re.search(r"http://\S+", line)
        assert url, line
        deadline = time.monotonic() + 60
        while not shown.exists() and time.monotonic() < deadline:
            time.sleep(0.1)
            with suppress(OSError), urlopen(f"{url[0]}/health", timeout=2) as response:
                if response.status == 200 and "--nobrowser" in words:
                    time.sleep(1)
                    break
        assert not shown.exists() or shown.read_text().strip() == url[0]
        return line, shown.exists()
    finally:
        process.terminate()
        process.communicate(timeout=30)


def test_without_a_terminal_the_page_opens(demo_bundle: Path, tmp_path: Path) -> None:
    """The browser does not keep the file open: it may run for days, on a file that somebody wants
    to delete or a disk to be unmounted."""
    path = f"{tmp_path}:{os.environ['PATH']}"
    assert started_without_a_terminal(demo_bundle, PATH=path, DISPLAY=":99")[1]
    opened = (tmp_path / "open").read_text()
    assert "xdg-open" in opened
    assert demo_bundle.name not in opened


def test_unless_it_must_not(demo_bundle: Path, tmp_path: Path) -> None:
    path = f"{tmp_path}:{os.environ['PATH']}"
    words = ["--nobrowser"]
    assert not started_without_a_terminal(demo_bundle, *words, PATH=path, DISPLAY=":99")[1]


def test_the_next_port_is_taken_and_named(demo_bundle: Path, tmp_path: Path) -> None:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with suppress(OSError):  # somebody else's is as good
            other.bind(("127.0.0.1", 8080))
            other.listen()
        path = f"{tmp_path}:{os.environ['PATH']}"
        line, _ = started_without_a_terminal(demo_bundle, "--nobrowser", PATH=path)
    assert re.search(r"http://127\.0\.0\.1:80[89]\d \(port 8080 is taken\)", line), line


@contextmanager
def printed(bundle: Path, *words: str, **environment: str) -> Iterator[tuple[str, Any]]:
    """A server, as soon as it has said where it serves."""
    command = ["env", *(f"{name}={value}" for name, value in environment.items())]
    process = psutil.Popen(
        [*command, "sh", str(bundle), *SERVER, *words],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        for line in process.stderr:
            if found := re.search(rb"(http|unix)://\S+", line):
                yield found[0].decode(), process
                break
    finally:
        process.terminate()
        process.communicate(timeout=30)


def asked(bundle: Path, *words: str, **env: str) -> subprocess.CompletedProcess[bytes]:
    """A start with a question on stdin, which the chat answers."""
    return run(["sh", bundle, "-t", "1", *words], typed=b"Hi\n", **env)


def refused(bundle: Path, *words: str, **environment: str) -> str:
    """What a start says that ends in one ERROR and one TIP."""
    return refusal(asked(bundle, *words, **environment))[0]


@pytest.mark.parametrize("words", [("--port", "0"), ()])
def test_whoever_reads_the_address_can_connect(demo_bundle: Path, words: tuple[str, ...]) -> None:
    """At once: there is no moment in which another program could listen there."""
    with printed(demo_bundle, *words) as (url, process):
        port = int(url.rsplit(":", 1)[1])
        assert port
        with socket.create_connection(("127.0.0.1", port), timeout=5):
            pass
        until_healthy(url, process)
        listening = [c.laddr.port for c in process.net_connections() if c.status == "LISTEN"]
        assert listening == [port]


def test_a_port_that_another_has_bound_but_not_begun_to_listen_at(demo_bundle: Path) -> None:
    """It waits for the moment after our look and before our own listening."""
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", 0))
        with printed(demo_bundle, "--port", str(other.getsockname()[1])) as (url, process):
            with pytest.raises(OSError, match="in use"):
                other.listen()
            until_healthy(url, process)


def test_a_port_from_the_environment(demo_bundle: Path) -> None:
    port = free_port()
    with printed(demo_bundle, LLAMA_ARG_PORT=str(port), LLAMA_ARG_HOST="127.0.0.2") as (
        url,
        process,
    ):
        assert url == f"http://127.0.0.2:{port}"
        until_healthy(url, process)


def test_a_socket(demo_bundle: Path, tmp_path: Path) -> None:
    place = tmp_path / "s.sock"
    with printed(demo_bundle, "--host", str(place)) as (url, _):
        assert url == f"unix://{place}"
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(30)
            client.connect(str(place))
            client.sendall(b"GET /health HTTP/1.0\r\n\r\n")
            assert client.recv(9).startswith(b"HTTP/1.1 ")


@pytest.mark.parametrize("mode", [(), SERVER])
@pytest.mark.parametrize("port", ["-1", "65536", "99999", "80000000000", "abc", "8080x", ""])
def test_what_is_no_port(demo_bundle: Path, mode: tuple[str, ...], port: str) -> None:
    assert f"--port {port} is not a port" in refused(demo_bundle, *mode, "--port", port)
    if port:
        assert "is not a port" in refused(demo_bundle, *mode, LLAMA_ARG_PORT=port)


@pytest.mark.parametrize("mode", [(), SERVER])
def test_what_is_no_address(demo_bundle: Path, mode: tuple[str, ...]) -> None:
    said = refused(demo_bundle, *mode, "--host", "no-such-name.invalid")
    assert "--host no-such-name.invalid: there is no such address" in said
    assert "192.0.2.1" in refused(demo_bundle, *mode, "--host", "192.0.2.1")
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        assert f"127.0.0.1 port {port}" in refused(demo_bundle, *mode, "--port", port)


def chatted(bundle: Path, *words: str, **environment: str) -> None:
    done = asked(bundle, *words, **environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def test_the_chat_at_addresses_of_its_own(demo_bundle: Path, tmp_path: Path) -> None:
    chatted(demo_bundle, "--port", "0")
    chatted(demo_bundle, "--chat", "--port", "0")
    chatted(demo_bundle, "--api-prefix", "/x")
    chatted(demo_bundle, "--chat", "--api-prefix", "/x")
    chatted(demo_bundle, "--chat", LLAMA_ARG_PORT="99999", LLAMA_ARG_HOST="192.0.2.1")
    chatted(demo_bundle, "--chat", "--host", str(tmp_path / "u.sock"))
    assert "the chat does not talk to a socket" in refused(
        demo_bundle, "--host", str(tmp_path / "u.sock")
    )
    assert not list(tmp_path.iterdir())


def test_a_key_is_on_no_command_line(demo_bundle: Path) -> None:
    with runtime.serve(demo_bundle, context=512, api_key="TOP-SECRET-KEY") as server:
        for process in psutil.process_iter(["cmdline"]):
            assert "TOP-SECRET-KEY" not in " ".join(process.info["cmdline"] or [])
        with pytest.raises(OSError, match="401"):
            urlopen(f"{server.url}/props", timeout=30)
