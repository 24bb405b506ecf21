"""The HTTP server, asked by programs that we did not write."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from helpers.running import QUESTION, Server, serving
from openai import OpenAI


@pytest.fixture(scope="module")
def server(demo_bundle: Path) -> Iterator[Server]:
    with serving(demo_bundle) as started:
        yield started


def client(server: Server) -> OpenAI:
    return OpenAI(base_url=f"{server.url}/v1", api_key="none", timeout=60)


def greedy(server: Server) -> str:
    done = client(server).chat.completions.create(
        model="demo", messages=[{"role": "user", "content": QUESTION}], temperature=0
    )
    return done.choices[0].message.content or ""


def test_models_are_listed(server: Server) -> None:
    assert [model.id for model in client(server).models.list()] == ["demo"]


def test_an_answer_streams(server: Server) -> None:
    stream = client(server).chat.completions.create(
        model="demo",
        messages=[{"role": "user", "content": QUESTION}],
        temperature=0,
        stream=True,
    )
    pieces = [chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices]
    assert len([piece for piece in pieces if piece]) > 3
    assert "".join(pieces) == greedy(server)


def test_the_published_curl_example(server: Server) -> None:
    """Cards name models that are not there; the one that is there answers."""
    body = {
        "model": "gemma-27b-it",
        "messages": [{"role": "user", "content": "Say this is a test!"}],
        "temperature": 0.0,
    }
    done = subprocess.run(
        ["curl", "-s", f"{server.url}/v1/chat/completions", "-H", "Content-Type: application/json",
         "-d", json.dumps(body)],
        capture_output=True, check=True, timeout=60,
    )  # fmt: skip
    assert json.loads(done.stdout)["choices"][0]["message"]["content"]


def test_raw_completions(server: Server) -> None:
    done = client(server).completions.create(model="demo", prompt=QUESTION, max_tokens=8)
    assert done.choices[0].text


def test_embeddings(demo_bundle: Path) -> None:
    with serving(demo_bundle, "--embeddings", "--pooling", "mean") as server:
        made = client(server).embeddings.create(model="demo", input=["one", "two"])
        assert [len(item.embedding) for item in made.data] == [256, 256]
        assert made.data[0].embedding != made.data[1].embedding


def test_an_api_key_is_asked_for(demo_bundle: Path) -> None:
    with serving(demo_bundle, "--api-key", "secret") as server:
        request = Request(f"{server.url}/v1/chat/completions", data=b"{}", method="POST")
        with pytest.raises(OSError, match="401"):
            urlopen(request, timeout=10)


def test_the_default_context_is_the_trained_one_if_that_is_small(server: Server) -> None:
    with urlopen(f"{server.url}/props", timeout=10) as response:
        assert json.load(response)["default_generation_settings"]["n_ctx"] == 1024


def test_a_taken_port_is_an_error_when_it_was_asked_for(demo_bundle: Path, server: Server) -> None:
    port = server.url.rsplit(":", 1)[1]
    command = ["sh", str(demo_bundle), "--server", "--nobrowser", "--port", port]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert port in done.stderr


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
    process = subprocess.Popen(
        ["sh", str(bundle), *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=os.environ | env,
    )
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
    path = f"{tmp_path}:{os.environ['PATH']}"
    assert started_without_a_terminal(demo_bundle, PATH=path, DISPLAY=":99")[1]


def test_the_browser_does_not_keep_the_file_open(demo_bundle: Path, tmp_path: Path) -> None:
    """It may run for days, on a file that somebody wants to delete or a disk to be unmounted."""
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
