"""Compiles ggml's Vulkan module: the shaders once, the rest for each target with zig."""

from __future__ import annotations

import re
import shutil
import subprocess
from functools import partial
from pathlib import Path

from packer.engines import key, layout, native, source, toolchain
from packer.engines import pins as engine_pins
from packer.engines.cmake import Project, compile_project
from packer.engines.gpu import pins
from packer.engines.gpu.pins import GpuPins, Module, VulkanTools
from packer.engines.layout import locked
from packer.engines.targets import TARGETS
from packer.io import build_cache
from packer.io.console import note
from packer.io.data_folders import data_folder
from runtime.errors import InputError
from runtime.formats.sha256_file import file_sha256
from runtime.machine.machine import Machine
from runtime.machine.targets import SYSTEMS

_GOAL = "llamapack-gpu-files"
_SHADERS = "shaders"
_ARRAY = re.compile(r"const unsigned char (\w+)_data\[(\d+)\] = \{\n[0-9a-fx,\n]+\};")
_DECLARED = re.compile(r"extern const unsigned char \w+_data\[\];")
_COPIED = ("CMakeLists.txt", "loader.c", "shaders/CMakeLists.txt")


def build(module: Module, file: Path, log: Path, jobs: int) -> None:
    """Compile the module for its target.

    Args:
        file: where it goes.
        log: what the tools print goes there.

    Raises:
        InputError: a tool is missing or a step fails; the message names the log.
    """
    sources = native.directory()
    pinned, gpu_pins, target = engine_pins.load(sources), pins.load_all(), TARGETS[module.target]
    tools = toolchain.find(pinned)
    headers = _tools(gpu_pins.vulkan) / "usr/include"
    llama_cpp = source.ready(pinned)
    compiled = shaders(gpu_pins, log, jobs)
    note(f"compiling {module.title} (log: {log})")
    folder = layout.build(f"gpu-{module.target}") / module.key[:16]
    shutil.rmtree(folder.parent, ignore_errors=True)
    try:
        here = _snapshot(sources, folder / "native")
        definitions = key.settings(target, pinned) | {
            "LLAMA_SOURCE": str(llama_cpp),
            "LLAMAPACK_VULKAN_HEADERS": str(headers),
            "LLAMAPACK_VULKAN_SHADERS": str(compiled),
        }
        project = Project(module.title, here, here, folder / "out", log)
        compile_project(project, definitions, _GOAL, jobs, tools=tools, pins=pinned)
        shutil.copyfile(folder / "out" / "gpu" / module.name, file)
    finally:
        shutil.rmtree(folder.parent, ignore_errors=True)


def shaders_folder(gpu_pins: GpuPins) -> Path:
    """The folder for the compiled shaders: C++ sources, which the modules of all targets share."""
    return layout.gpu_shaders() / gpu_pins.shaders[:16]


def shaders(gpu_pins: GpuPins, log: Path, jobs: int) -> Path:
    """The folder with the compiled shaders; compiled if it is not there (some minutes).

    Raises:
        InputError: a tool is missing or a step fails; the message names the log.
    """
    place = shaders_folder(gpu_pins)
    with locked(layout.lock(_SHADERS)):
        if place.is_dir():
            return place
        sources = native.directory()
        pinned = engine_pins.load(sources)
        tools = toolchain.find(pinned)
        glslc = _tools(gpu_pins.vulkan) / "bin/glslc"
        note(f"compiling the Vulkan shaders (some minutes; log: {log})")
        with layout.unfinished(layout.gpu_shaders()) as folder:
            here = _snapshot(sources, folder / "native")
            here_target = TARGETS[Machine.this().target]
            triple = f"{here_target.arch}-{SYSTEMS[here_target.os].stub}"
            definitions = {
                "CMAKE_BUILD_TYPE": "Release",
                "LLAMAPACK_GLSLC": str(glslc),
                "LLAMAPACK_ZIG_TARGET": triple,
                "LLAMA_SOURCE": str(source.ready(pinned)),
            }
            project = Project(
                "Vulkan shaders", here / "gpu/vulkan/shaders", here, folder / "out", log
            )
            compile_project(project, definitions, _SHADERS, jobs, tools=tools, pins=pinned)
            _embed(folder / "out" / "shaders", folder / "out" / "spirv")
            (folder / "out" / "shaders").rename(place)
    return place


def _embed(made: Path, spirv: Path) -> None:
    """Put the shaders beside the sources that spell them out in numbers, which include them then.

    To read 170 MB of numbers takes the compiler minutes, for each target again.

    Raises:
        InputError: upstream's generator writes them in another way.
    """
    count = 0
    for path in made.glob("*.cpp"):
        text = path.read_text(encoding="utf-8")
        for name, size in _ARRAY.findall(text):
            data = (spirv / f"{name}.spv").read_bytes()
            if len(data) != int(size):
                raise InputError(f"{path.name}: {name} has {size} bytes, its file {len(data)}")
            (made / f"{name}.spv").write_bytes(data)
            count += 1
        # With its hash in the source, no cache takes it for another one of the same name.
        path.write_text(_ARRAY.sub(partial(_included, made), text), encoding="utf-8")
    declared = (made / "ggml-vulkan-shaders.hpp").read_text(encoding="utf-8")
    if count == 0 or count != len(_DECLARED.findall(declared)):
        raise InputError(f"the Vulkan shaders: {count} were compiled, which are not all")


def _included(made: Path, found: re.Match[str]) -> str:
    name, size = found.groups()
    digest = file_sha256(made / f"{name}.spv")
    declared = f"const unsigned char {name}_data[{size}] = {{"
    return f'{declared} // {digest}\n#embed "{name}.spv"\n}};'


def _snapshot(sources: Path, destination: Path) -> Path:
    """A copy of what is compiled: an edit during a build cannot end up in its result."""
    native.snapshot(sources, destination)
    for name in _COPIED:
        copy = destination / "gpu" / "vulkan" / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(sources / "gpu" / "vulkan" / name, copy)
    return destination


def _tools(wanted: VulkanTools) -> Path:
    """The folder that `ci/vulkan-tools` made.

    Raises:
        InputError: it is not there, or holds other versions than the pinned ones.
    """
    script = data_folder("native").parent / "ci" / "vulkan-tools"
    remedy = (
        f"Run `sh {script}`, which downloads both from Debian's packages."
        if script.is_file()
        else "Download the released module: `llamapack engine fetch --gpu vulkan`."
    )
    place = build_cache.root() / "vulkan-tools"
    if not (place / "complete").is_file():
        raise InputError(
            "glslc and Vulkan's headers are missing; the Vulkan module is compiled with them",
            remedy,
        )
    said = subprocess.run(
        [place / "bin/glslc", "--version"], capture_output=True, text=True, check=False
    ).stdout
    core = (place / "usr/include/vulkan/vulkan_core.h").read_text(encoding="utf-8")
    patch = re.search(r"#define VK_HEADER_VERSION (\d+)", core)
    minor = re.search(r"VK_MAKE_API_VERSION\(0, (\d+), (\d+), VK_HEADER_VERSION\)", core)
    glslc = re.search(r"^shaderc v?(\d+\.\d+)", said)
    have = VulkanTools(
        glslc[1] if glslc else "none",
        f"{minor[1]}.{minor[2]}.{patch[1]}" if minor and patch else "none",
    )
    if have != wanted:
        raise InputError(
            f"{place}: the Vulkan module is compiled with glslc {wanted.glslc} and headers "
            f"{wanted.headers}, these are {have.glslc} and {have.headers}",
            remedy,
        )
    return place
