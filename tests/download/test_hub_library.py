"""The cache is one with `huggingface_hub`'s: the library itself against a stand-in for the Hub."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.hub_server import HubServer, Repo
from helpers.stand_ins import CommandLine, write_gguf

_DOWNLOAD = """
import sys
from huggingface_hub import hf_hub_download
print(hf_hub_download(*sys.argv[1:]))
"""
_LOOK = """
import sys
from huggingface_hub import scan_cache_dir
(repo,) = scan_cache_dir().repos
print(repo.repo_id, repo.nb_files, repo.size_on_disk, *(sorted(r.refs) for r in repo.revisions))
"""


@pytest.fixture
def environment(hub: HubServer, tmp_path: Path) -> dict[str, str]:
    return {
        "HF_ENDPOINT": hub.url,
        "HF_HOME": str(tmp_path / "hf"),
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_XET": "1",
        "NO_PROXY": "*",
    }


@pytest.fixture
def model(hub: HubServer, tmp_path: Path) -> bytes:
    data = write_gguf(tmp_path / "x").read_bytes()
    hub.repos["org/tiny-GGUF"] = Repo({"q/tiny-Q8_0.gguf": data, "README.md": b"# Tiny\n"})
    return data


def library(program: str, *words: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program, *words],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_nobody_else_waits_for_the_library(llamapack: CommandLine, tmp_path: Path) -> None:
    """It takes longer to import than most commands take."""
    gguf = write_gguf(tmp_path / "m.gguf")
    for words in (["--version"], ["inspect", str(gguf)], ["pack", str(gguf)]):
        done = subprocess.run(
            [sys.executable, "-X", "importtime", "-m", "packer.cli", *words],
            env={**os.environ, **llamapack.environment},
            cwd=tmp_path, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-300:]
        assert "packer.io.console" in done.stderr
        assert "huggingface_hub" not in done.stderr
        assert "hf_xet" not in done.stderr


def test_what_the_library_fetched_is_found(
    model: bytes, environment: dict[str, str], llamapack: CommandLine, tmp_path: Path
) -> None:
    path = library(_DOWNLOAD, "org/tiny-GGUF", "q/tiny-Q8_0.gguf", **environment)
    assert Path(path).read_bytes() == model
    offline = {**environment, "HF_HUB_OFFLINE": "1"}
    done = llamapack("fetch", "hf:org/tiny-GGUF", **offline)
    assert done.stdout.strip() == path, done.stderr
    done = llamapack("pack", "hf:org/tiny-GGUF:Q8_0", cwd=tmp_path, **offline)
    assert done.stdout == "tiny-Q8_0.llamafile\n", done.stderr


def test_what_we_fetched_is_found_by_the_library(
    model: bytes, environment: dict[str, str], llamapack: CommandLine, hub: HubServer
) -> None:
    done = llamapack("fetch", "hf:org/tiny-GGUF", "hf:org/tiny-GGUF/README.md", **environment)
    gguf, readme = done.stdout.split()
    offline = {**environment, "HF_HUB_OFFLINE": "1"}
    for path, file in ((gguf, "q/tiny-Q8_0.gguf"), (readme, "README.md")):
        assert library(_DOWNLOAD, "org/tiny-GGUF", file, **offline) == path
    before = len(hub.contents.log)
    assert library(_DOWNLOAD, "org/tiny-GGUF", "q/tiny-Q8_0.gguf", **environment) == gguf
    assert len(hub.contents.log) == before
    found = library(_LOOK, **environment)
    assert found == f"org/tiny-GGUF 2 {len(model) + 7} ['main']"
