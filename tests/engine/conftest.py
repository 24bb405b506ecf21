"""A build in small: sources, web UI and compiler that take milliseconds, in an own cache."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
import structure_samples
from helpers.compiled import folder_of, made
from small_release import Release, git, pack

from packer.engines import native, source, targets, toolchain, web_ui
from packer.engines.gpu import pins as gpu_pins
from packer.head import macho_signature

CMAKE = """\
cmake_minimum_required(VERSION 3.25)
project(small NONE)
file(APPEND "{counter}" "x")
add_custom_target(llamapack-engine-files
    COMMAND ${{CMAKE_COMMAND}} -E copy_directory "{samples}/${{LLAMAPACK_STATIC}}" engine
    COMMAND ${{CMAKE_COMMAND}} -E sleep 0.2)
"""

PINS = """\
[llama-cpp]
release = "v0.4.0"
build_number = 0
date = 1789238834
[source]
kind = "npm"
commit = "{commit}"
package = "small"
version = "1.0.0"
integrity = "{integrity}"
bundle = "package/release.bundle"
[toolchain]
zig = "0.17.0"
node = "20.19.0"
"""


@pytest.fixture
def cache_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty build cache."""
    root = tmp_path / "the cache"
    monkeypatch.setenv("LLAMAPACK_BUILD_CACHE", str(root))
    return root


@pytest.fixture
def release(tmp_path: Path) -> Release:
    repository = tmp_path / "repository"
    (repository / "tools" / "ui").mkdir(parents=True)
    (repository / "llama.h").write_text("// llama\n")
    (repository / "tools" / "ui" / "package.json").write_text("{}\n")
    git("init", "-q", ".", cwd=repository)
    git("add", ".", cwd=repository)
    git("commit", "-q", "-m", "release", cwd=repository)
    git("bundle", "create", "../release.bundle", "HEAD", cwd=repository)
    tarball = tmp_path / "small-1.0.0.tgz"
    data = (tmp_path / "release.bundle").read_bytes()
    pack(tarball, {"package/release.bundle": data, "package/evil.js": b"no"})
    return Release(tarball, git("rev-parse", "HEAD", cwd=repository))


@pytest.fixture
def small_native(
    tmp_path: Path,
    release: Release,
    engines: Callable[[str], dict[str, bytes]],
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """A `native/` folder that llamapack takes for its own; its engines are small programs."""
    for static, target in (("OFF", "linux-x86_64"), ("ON", "linux-x86_64-static")):
        (tmp_path / "samples" / static).mkdir(parents=True)
        for name, data in engines(target).items():
            (tmp_path / "samples" / static / name).write_bytes(data)
    folder = tmp_path / "native"
    for name in (
        *("engine", "stub/posix", "stub/linux", "stub/windows", "bundle"),
        *("web_ui", "cmake", "gpu", "cosmo"),
    ):
        (folder / name).mkdir(parents=True)
    (folder / "pins.toml").write_text(
        PINS.format(commit=release.commit, integrity=release.integrity)
    )
    (folder / "CMakeLists.txt").write_text(
        CMAKE.format(counter=tmp_path / "configured", samples=tmp_path / "samples")
    )
    (folder / "cmake" / "zig-toolchain.cmake").write_text("")
    (folder / "engine" / "main.cpp").write_text("int main() {}\n")
    (folder / "stub" / "stub.c").write_text("int stub;\n")
    for name in ("gpu/vulkan/shaders", "gpu/recipes", "engine/hooks"):
        (folder / name).mkdir(parents=True)
    for name in (*gpu_pins.SOURCES, "gpu/recipes/cuda.json"):
        if not (folder / name).exists():
            (folder / name).write_text("")
    (folder / "gpu" / "modules.toml").write_text(
        '[vulkan]\ntargets = []\nglslc = "1"\nheaders = "1"\n'
        '[metal]\nrelease = "v0"\n[cuda]\ntargets = []\narchitectures = []\n'
    )
    (folder / "web_ui" / "freeze-date.cjs").write_text("// freeze\n")
    monkeypatch.setattr(native, "directory", lambda: folder)
    return folder


@pytest.fixture
def small_tools(
    tmp_path: Path, cache_root: Path, small_native: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Real cmake and ninja; a zig that only knows its version; no network."""
    pytest.importorskip("cmake")
    pytest.importorskip("ninja")
    zig = tmp_path / "zig"
    zig.write_text("#!/bin/sh\necho 0.17.0\n")
    zig.chmod(0o755)
    ui = tmp_path / "ui"
    ui.mkdir()
    monkeypatch.setattr(toolchain, "_zig", lambda: zig)
    monkeypatch.setattr(source, "ready", lambda pins: tmp_path / "repository")
    monkeypatch.setattr(web_ui, "ready", lambda pins, llama_cpp, sources: ui)


@pytest.fixture(scope="session")
def engines(request: pytest.FixtureRequest) -> Callable[[str], dict[str, bytes]]:
    """Makes a small engine for a target; its native files by name."""
    pytest.importorskip("ziglang")
    zig = toolchain._zig()
    sources = map(Path, (structure_samples.__file__, macho_signature.__file__, targets.__file__))
    folder = folder_of(request.config, "engines", sources)

    def build(target: str, new: Path) -> None:
        files = structure_samples.build(zig, target, new / "build")
        (new / "files").mkdir()
        for name, data in files.items():
            (new / "files" / name).write_bytes(data)

    @cache
    def files(target: str) -> dict[str, bytes]:
        place = made(folder / target, lambda new: build(target, new)) / "files"
        return {path.name: path.read_bytes() for path in sorted(place.iterdir())}

    return files
