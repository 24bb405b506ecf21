"""Servers that tests download from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fetcher import Fetcher
from hub_server import HubServer
from web_server import WebServer


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither proxies nor tokens of whoever runs the tests."""
    for name in (
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "HF_TOKEN",
        "HF_ENDPOINT",
        "HF_HUB_CACHE",
    ):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.fixture
def web() -> Iterator[WebServer]:
    with WebServer().running() as server:
        yield server


@pytest.fixture
def other_host() -> Iterator[WebServer]:
    """The same machine under another name, which to a client is another host."""
    with WebServer("localhost").running() as server:
        yield server


@pytest.fixture
def hub(other_host: WebServer) -> Iterator[HubServer]:
    server = HubServer(other_host)
    with server.running():
        yield server


@pytest.fixture
def fetch(tmp_path: Path) -> Fetcher:
    return Fetcher(tmp_path / "downloads")
