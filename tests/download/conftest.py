"""Servers that tests download from."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from fetcher import Fetcher
from helpers.hub_server import HubServer, Repo
from helpers.stand_ins import CommandLine
from helpers.web_server import WebServer
from hub_commands import Run, gguf


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


@pytest.fixture
def model(tmp_path: Path, hub: HubServer) -> Repo:
    """A vision model in two quantizations, one of them in shards."""
    shards = {
        f"Q8_0/see-Q8_0-{n + 1:05}-of-00002.gguf": gguf(
            tmp_path, shard=(n, 2, 2), tensors=[f"t{n}"]
        )
        for n in range(2)
    }
    hub.repos["org/see-GGUF"] = repo = Repo(
        {
            "README.md": b"# See\n",
            "imatrix-Q4_K_M.gguf": b"no model",
            "mmproj-see-F16.gguf": gguf(tmp_path, kind="mmproj"),
            "see-Q2_K.gguf": gguf(tmp_path, name="small"),
            "see-Q4_K_M.gguf": gguf(tmp_path, name="medium"),
            **shards,
        }
    )
    return repo


@pytest.fixture
def run(hub: HubServer, llamapack: CommandLine, tmp_path: Path) -> Run:
    (tmp_path / "work").mkdir()

    def call(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return llamapack(
            *words,
            cwd=tmp_path / "work",
            **{
                "HF_ENDPOINT": hub.url,
                "HF_HOME": str(tmp_path / "hf"),
                "NO_PROXY": "*",
                **environment,
            },
        )

    return call
