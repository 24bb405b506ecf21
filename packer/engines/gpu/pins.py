"""Which GPU modules there are, and what each of them is: `native/gpu/modules.toml`."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from packer.engines import native
from packer.engines import pins as engine_pins
from packer.engines.key import base_key
from packer.engines.pins import Pins
from packer.engines.targets import TARGETS
from runtime.errors import InputError

VULKAN, METAL, CUDA = "vulkan", "metal", "cuda"

_VULKAN_SOURCES = (
    "CMakeLists.txt",
    "cmake/ggml-hooks.cmake",
    "cmake/zig-toolchain.cmake",
    "engine/hooks/ggml_exports.h",
    "gpu/vulkan/CMakeLists.txt",
    "gpu/vulkan/loader.c",
)
"""Files of `native/` that decide the bytes of a Vulkan module, besides its shaders."""

SHADER_SOURCES = ("cmake/zig-toolchain.cmake", "gpu/vulkan/shaders/CMakeLists.txt")
"""Those that decide what shaders are compiled to."""

_SHADERS_FORM = 1
"""Changes with what `packer.engines.gpu.vulkan` makes of the compiled shaders."""

SOURCES = tuple(dict.fromkeys((*_VULKAN_SOURCES, *SHADER_SOURCES)))
"""Files of `native/` that make Vulkan modules."""


@dataclass(frozen=True)
class Wheel:
    """A library in a wheel on PyPI."""

    package: str
    version: str
    sha256: str
    """Of the wheel, in hexadecimal digits."""
    platform: str
    """What the wheel is for, as its name says: `macosx_14_0_arm64`."""
    file: str
    """The library's path inside the wheel."""

    @property
    def address(self) -> str:
        """Its package URL."""
        return f"pkg:pypi/{self.package}@{self.version}"


@dataclass(frozen=True)
class Module:
    """A module, whether it is in the build cache or not."""

    kind: str
    """`cuda`, `metal` or `vulkan`."""
    target: str
    """The target whose engines load it."""
    name: str
    """File name of the library."""
    needs: str
    """What the user's system must have, in words."""
    key: str
    """SHA-256 (hexadecimal) over everything that decides its bytes."""
    wheel: Wheel | None = None
    """Where it comes from, if it is not compiled here."""

    @property
    def title(self) -> str:
        return f"{self.kind} for {self.target}"


@dataclass(frozen=True)
class VulkanTools:
    """The versions of what shaders and the Vulkan module are compiled with."""

    glslc: str
    headers: str


@dataclass(frozen=True)
class GpuPins:
    """What `modules.toml` states."""

    modules: list[Module]
    vulkan: VulkanTools
    shaders: str
    """Key of the compiled shaders, which the Vulkan modules of all targets share."""
    cuda_architectures: tuple[str, ...]
    """As CMake writes them: `75-virtual` is code for a card's driver to compile, `86-real` machine
    code."""


def load(sources: Path | None = None) -> list[Module]:
    """All modules of the engines' release.

    Args:
        sources: the `native/` folder, if it is not the usual one.

    Raises:
        InputError: the file is not as it should be.
    """
    return load_all(sources).modules


def load_all(sources: Path | None = None) -> GpuPins:
    """The whole of `modules.toml`.

    Raises:
        InputError: the file is not as it should be.
    """
    folder = sources or native.directory()
    path = folder / "gpu" / "modules.toml"
    pinned = engine_pins.load(folder)
    try:
        text = tomllib.loads(path.read_text(encoding="utf-8"))
        tools = VulkanTools(text[VULKAN]["glslc"], text[VULKAN]["headers"])
        shaders = _key(pinned.facts, tools.glslc, _digests(folder, SHADER_SOURCES), _SHADERS_FORM)
        architectures = tuple(text[CUDA]["architectures"])
        modules = [
            *_vulkan(folder, text[VULKAN], pinned, shaders, tools),
            *_metal(text[METAL], pinned),
            *_cuda(folder, text[CUDA], pinned),
        ]
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, KeyError, TypeError, OSError) as problem:
        raise InputError(f"{path}: {problem}", "Restore the file from the repository.") from None
    return GpuPins(modules, tools, shaders, architectures)


def kinds(modules: Sequence[Module]) -> list[str]:
    """The kinds that there are, sorted."""
    return sorted({module.kind for module in modules})


def _vulkan(
    folder: Path, text: Mapping[str, Any], pinned: Pins, shaders: str, tools: VulkanTools
) -> list[Module]:
    digests = _digests(folder, _VULKAN_SOURCES)
    modules = []
    for target in text["targets"]:
        built_from = base_key(TARGETS[target], pinned)
        key = _key(built_from, shaders, asdict(tools), digests)
        name = "ggml-vulkan.dll" if TARGETS[target].os == "windows" else "libggml-vulkan.so"
        modules.append(Module(VULKAN, target, name, text["needs"], key))
    return modules


def _metal(text: Mapping[str, Any], pinned: Pins) -> list[Module]:
    if text["release"] != pinned.release:
        return []  # a module of another release does not fit an engine
    wheel = Wheel(**{name: text[name] for name in Wheel.__annotations__})
    key = _key(wheel.sha256, wheel.file, 1)  # the last is of what `metal.adapted` makes of it
    return [Module(METAL, text["target"], "libggml-metal.dylib", text["needs"], key, wheel)]


def _cuda(folder: Path, text: Mapping[str, Any], pinned: Pins) -> list[Module]:
    recipe = _digests(folder, ("gpu/recipes/cuda.json",))
    key = _key(pinned.facts, recipe, text["architectures"])
    return [
        Module(CUDA, target, "libggml-cuda.so", text["needs"], _key(key, target))
        for target in text["targets"]
    ]


def _digests(folder: Path, names: Sequence[str]) -> dict[str, str]:
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}


def _key(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
