"""The address that is printed is the one that is served, by nobody else, or there is an error."""

from __future__ import annotations

import os
import re
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import psutil
import pytest
from helpers.running import free_port, until_healthy

import runtime

SERVER = ("--server", "--nobrowser")


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


def asked(bundle: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """A start with a question on stdin, which the chat answers."""
    return subprocess.run(
        ["sh", str(bundle), "-t", "1", *words],
        input=b"Hi\n",
        env=os.environ | environment,
        capture_output=True,
        timeout=120,
        check=False,
    )


def refused(bundle: Path, *words: str, **environment: str) -> str:
    """What a start says that ends in one ERROR and one TIP."""
    done = asked(bundle, *words, **environment)
    lines = [line for line in done.stderr.decode().splitlines() if not line.startswith("CPU:")]
    assert done.returncode == 1
    assert len(lines) == 2, lines
    assert lines[0].startswith("ERROR ")
    assert lines[1].startswith("TIP ")
    return lines[0]


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
