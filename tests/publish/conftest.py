"""A stand-in for the Hub, and `llamapack publish` against it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.hub_writer import TOKEN, HubWriter, Storage
from helpers.stand_ins import CommandLine, Publish


@pytest.fixture
def hub() -> Iterator[HubWriter]:
    storage = Storage("localhost")
    server = HubWriter(storage)
    with storage.running(), server.running():
        yield server


@pytest.fixture
def hub_environment(hub: HubWriter, tmp_path: Path) -> dict[str, str]:
    """Xet is off: it is a service of its own that nothing here stands in for."""
    return {
        "HF_ENDPOINT": hub.url,
        "HF_HOME": str(tmp_path / "hf"),
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_XET": "1",
        "HF_TOKEN": TOKEN,
        "NO_PROXY": "*",
    }


@pytest.fixture
def small_parts(llamapack: CommandLine, bundle: Path, tmp_path: Path) -> Path:
    """A folder with the parts of the small bundle."""
    folder = tmp_path / "parts"
    folder.mkdir()
    llamapack.ran("split", bundle, "--size", "130kB", "-o", folder)
    return folder


@pytest.fixture
def publish(llamapack: CommandLine, bundle: Path, hub_environment: dict[str, str]) -> Publish:
    """`llamapack publish` of the small bundle to `acme/tiny`."""

    def run(*words: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
        repo = [] if "--repo" in words else ["--repo", "acme/tiny"]
        return llamapack("publish", bundle, *repo, *words, **{**hub_environment, **environment})

    return run
