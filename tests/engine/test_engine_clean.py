"""What `llamapack engine clean` removes from the build cache, and what it keeps."""

from __future__ import annotations

import multiprocessing
import shutil
import time
from dataclasses import replace
from pathlib import Path

import pytest

from packer.engines import stubs, web_ui
from packer.engines.build import build
from packer.engines.cleaning import clean
from packer.engines.deflated import packed_engine, packed_web_ui
from packer.engines.gpu import modules, sources, vulkan
from packer.engines.gpu import pins as gpu_pins
from packer.engines.gpu.archive import packed_module
from packer.engines.gpu.pins import Module
from packer.engines.targets import TARGETS
from runtime.errors import InputError

LINUX = TARGETS["linux-x86_64"]
pytestmark = pytest.mark.usefixtures("small_tools")


def test_clean_keeps_current_engines(small_native: Path, cache_root: Path) -> None:
    stale = build(LINUX)
    (small_native / "engine" / "main.cpp").write_text("int main() { return 1; }\n")
    current = build(LINUX)
    assert clean(everything=False) > 0
    assert not stale.exists()
    assert current.exists()
    clean(everything=True)
    assert [path.name for path in cache_root.iterdir()] == ["locks"]


def test_clean_waits_for_nobody(cache_root: Path) -> None:
    fork = multiprocessing.get_context("fork")
    builder = fork.Process(target=build, args=(LINUX,))
    builder.start()
    lock = cache_root / "locks" / "linux-x86_64.lock"
    log = cache_root / "logs" / "linux-x86_64.log"
    while not (lock.exists() and log.exists()):
        assert builder.is_alive()
        time.sleep(0.01)
    with pytest.raises(InputError, match="linux-x86_64 is being built by another llamapack"):
        clean(everything=True)
    builder.join(60)
    assert builder.exitcode == 0


def test_only_what_is_current_stays(
    cache_root: Path, small_native: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = Module("vulkan", "linux-x86_64", "libggml-vulkan.so", "-", "4567")
    stated = replace(gpu_pins.load_all(), modules=[module])
    monkeypatch.setattr("packer.engines.gpu.pins.load_all", lambda sources=None: stated)
    pages = cache_root / "web-ui"
    engine = build(LINUX)
    kept = [
        _file(web_ui.folder() / "index.html"),
        _file(modules.folder_of(module) / module.name),
        _file(modules.folder_of(module) / "SHA256SUMS", ""),
        _file(vulkan.shaders_folder(stated) / "acc.comp.cpp"),
        _file(sources.collected_folder() / "ggml.h"),
        _file(cache_root / "source" / "llama.cpp-v0.4.0" / "llama.h"),
        _file(stubs.cached("linux-x86_64", "0.17.0")),
        # Of the user, and of compilers at work.
        _file(cache_root / "downloads" / "m.gguf"),
        _file(cache_root / "stubs" / "tmp01" / "stub"),
    ]
    with (
        packed_engine("linux-x86_64", engine),
        packed_web_ui(web_ui.folder()),
        packed_module(module, modules.folder_of(module)),
    ):
        kept += [*(cache_root / "deflated").iterdir(), *engine.iterdir()]
    stale = [
        _file(pages / "0123" / "index.html"),
        _file(cache_root / "gpu" / "linux-x86_64-vulkan-0123" / module.name),
        _file(cache_root / "gpu-shaders" / "0123" / "acc.comp.cpp"),
        _file(cache_root / "gpu-sources" / "0123" / "llama.cpp-v0.3.0" / "ggml.h"),
        _file(cache_root / "source" / "llama.cpp-v0.3.0" / "llama.h"),
        _file(cache_root / "stubs" / "linux-x86_64-0123"),
        _file(cache_root / "deflated" / "linux-x86_64-0123.zip"),
        _file(cache_root / "deflated" / "linux-x86_64-0123.zip.sha256"),
        _file(cache_root / "deflated" / "gpu-sources-0123.zip"),
    ]
    stale += [
        _file(cache_root / "build" / "linux-x86_64" / "0123" / "out" / "old.o"),
        _file(cache_root / "build" / "linux-vax" / "0123" / "out" / "old.o"),
    ]
    (objects,) = (cache_root / "build" / "linux-x86_64").glob("[!0]*")
    kept += [path for path in objects.rglob("*") if path.is_file()]
    shutil.rmtree(cache_root / "logs")
    assert clean(everything=False) == sum(map(len, map(str, stale)))
    left = {path for path in cache_root.rglob("*") if path.is_file() and path.suffix != ".lock"}
    assert left == set(kept)


def _file(path: Path, text: str | None = None) -> Path:
    """A file, of as many bytes as its path unless there is a text."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(str(path) if text is None else text)
    return path
