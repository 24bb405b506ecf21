"""`llamapack run` with names and addresses: fetches once, then starts."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from helpers.hub_server import HubServer, Repo
from helpers.stand_ins import write_gguf
from helpers.web_server import Answer, Page, WebServer

from runtime.machine.machine import Machine

ENGINE = b'#!/bin/sh\n[ "$LLAMAPACK_PROBE" ] || for word; do echo "$word"; done\n'
"""Says what it was started with."""


@pytest.fixture(autouse=True)
def _installed_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = tmp_path / "cache"
    archives = cache / "archives"
    archives.mkdir(parents=True, mode=0o700)
    cache.chmod(0o700)
    folder = f"engines/{Machine.this().target}"
    with zipfile.ZipFile(archives / "engine.zip", "w") as file:
        file.writestr(f"{folder}/llamapack-engine", ENGINE)
        sha256 = hashlib.sha256(ENGINE).hexdigest()
        file.writestr(f"{folder}/SHA256SUMS", f"{sha256}  llamapack-engine\n")
    monkeypatch.setenv("LLAMAPACK_CACHE", str(cache))


def started(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "runtime", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def test_a_model_of_the_hub_with_its_projector(
    hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    model = write_gguf(tmp_path / "m.gguf").read_bytes()
    projector = write_gguf(tmp_path / "p.gguf", kind="mmproj").read_bytes()
    hub.repos["org/m"] = Repo({"m-Q8_0.gguf": model, "mmproj-F16.gguf": projector})
    done = started("hf:org/m", "--temp", "0")
    assert done.returncode == 0, done.stderr
    first, path, second, other, *rest = done.stdout.splitlines()
    assert (first, second, rest) == ("-m", "--mmproj", ["--temp", "0"])
    assert Path(path).read_bytes() == model
    assert Path(other).read_bytes() == projector
    asked = len(hub.contents.seen("range"))
    again = started("hf:org/m", "--offline", "--no-mmproj")
    assert again.stdout.splitlines() == ["-m", path, "--no-mmproj"]
    assert len(hub.contents.seen("range")) == asked
    assert again.stderr == ""
    hub.always = Answer(429, {"Retry-After": "20"})
    busy = started("hf:org/m", "--no-mmproj")
    assert busy.stdout == again.stdout
    assert busy.stderr.count("taking hf:org/m from") == 1


def test_a_file_at_an_address(web: WebServer, tmp_path: Path) -> None:
    model = write_gguf(tmp_path / "m.gguf").read_bytes()
    web.pages["/m.gguf"] = Page(model)
    done = started(f"{web.url}/m.gguf")
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.splitlines()[1]).read_bytes() == model
    missing = started(f"{web.url}/none.gguf")
    assert missing.returncode == 1
    assert missing.stderr.startswith("ERROR ")
