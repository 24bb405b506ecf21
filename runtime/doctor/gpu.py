"""GPUs: cards, their drivers, modules in the bundle or compiled here, compilers.

Names in the cache: docs/bundle-format.md, "Engines and the cache"; recipes: "Members".
"""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from runtime.doctor.check import Finding, Subject, note, ok, problem
from runtime.formats.json_input import MALFORMED, parse_json
from runtime.machine.cache_places import places
from runtime.machine.machine import Machine, has_glibc

_LIBRARY_FOLDERS = (
    "/lib/{arch}-linux-gnu", "/usr/lib/{arch}-linux-gnu", "/usr/lib64", "/lib64", "/usr/lib",
    "/lib",
    "/usr/local/lib", "/usr/local/cuda/lib64", "/opt/rocm/lib", "/run/opengl-driver/lib",
    "/Windows/System32",
)  # fmt: skip

_MAKERS = {"0x10de": "NVIDIA", "0x1002": "AMD", "0x8086": "Intel"}
"""Vendor ids of PCI."""


@dataclass(frozen=True)
class _Kind:
    """One way to a GPU, as `native/engine/gpu/gpu_kinds.cpp` knows it."""

    name: str
    title: str
    driver: str
    """Library of the driver; empty if the system has it always."""
    also: tuple[str, ...]
    """Other libraries that the module needs."""
    makers: tuple[str, ...]
    remedy: str
    glibc: str = ""
    """The version of the C library's symbols that it imports, where that is newer than engines'."""


_LINUX = (
    _Kind(
        "cuda", "CUDA", "libcuda.so.1", ("libcublas.so.13",), ("NVIDIA",),
        "install NVIDIA's driver", "GLIBC_2.34",
    ),
    _Kind("hip", "ROCm", "libamdhip64.so", (), ("AMD",), "install AMD's ROCm"),
    _Kind(
        "vulkan", "Vulkan", "libvulkan.so.1", (), ("NVIDIA", "AMD", "Intel"),
        "install the card's driver and the Vulkan loader: `apt install libvulkan1`",
    ),
)  # fmt: skip
_WINDOWS = (
    _Kind(
        "cuda", "CUDA", "nvcuda.dll", ("cudart64_13.dll", "cublas64_13.dll", "MSVCP140.dll"),
        ("NVIDIA",), "install NVIDIA's driver",
    ),
    _Kind("hip", "ROCm", "amdhip64_6.dll", (), ("AMD",), "install AMD's driver and HIP SDK"),
    _Kind(
        "vulkan", "Vulkan", "vulkan-1.dll", (), ("NVIDIA", "AMD", "Intel"),
        "install the driver of the card's maker",
    ),
)  # fmt: skip
_MACOS = (_Kind("metal", "Metal", "", (), ("Apple",), ""),)

_LIBC = "libc.so.6"

_COMPILERS = {"nvcc": ("CUDA", "cuda"), "hipcc": ("ROCm", "hip"), "xcrun": ("Metal", "metal")}
_COMPILER_FOLDERS = {
    "nvcc": ("/usr/local/cuda/bin", "/opt/cuda/bin", "${CUDA_PATH}/bin"),
    "hipcc": ("${ROCM_PATH}/bin", "/opt/rocm/bin", "${HIP_PATH}/bin"),
}
"""Folders that engines search after PATH: `folders` of the recipes."""


def cards(machine: Machine, subject: Subject | None) -> Iterator[Finding]:
    """The graphics cards that the system lists."""
    found = list(_cards(machine))
    if found:
        yield ok("card", ", ".join(found))
    elif machine.system == "linux":
        yield note("card", "the system lists no graphics card: engines compute on the CPU")


def drivers(machine: Machine, subject: Subject | None) -> Iterator[Finding]:
    """The libraries that cards' drivers bring."""
    for kind in _kinds(machine):
        if _found(machine, kind.driver):
            yield ok("driver", f"there is a driver for {kind.title}")
        elif any(card.startswith(kind.makers) for card in _cards(machine)):
            yield note("driver", f"no driver for {kind.title} ({kind.driver})", kind.remedy)


def modules(machine: Machine, subject: Subject | None) -> Iterator[Finding]:
    """Which of the bundle's modules a start would try, and in what order."""
    if subject is None:
        return
    if _is_static(machine):
        yield note("module", "without glibc the static engine runs, which loads no GPU module")
        return
    inside = {one.kind for one in subject.gpu_modules if one.target == machine.target}
    own = {k.name for k in _kinds(machine) if _recompiled(machine, subject, k.name)}
    if not inside | own:
        yield note(
            "module",
            f"the bundle has no GPU module for {machine.target}",
            "`llamapack engine add-gpu vulkan,metal`, then pack it again",
            *_ways_to_compile(machine, subject),
        )
        return
    tried = []
    for kind in _kinds(machine):
        if kind.name not in inside | own:
            continue
        missing = [] if kind.name in own else _missing(machine, kind)
        if not _found(machine, kind.driver):
            yield note(
                "module", f"{kind.title}: its driver ({kind.driver}) is missing", kind.remedy
            )
        elif missing:
            yield problem(
                "module",
                f"{kind.title}: the module wants {' and '.join(missing)}, which is not here",
                _way_to(missing[0]),
            )
        else:
            tried.append(f"{kind.title}{' (compiled here)' * (kind.name in own)}")
    if tried:
        yield ok("module", f"a start tries {', then '.join(tried)}, then the CPU")


def compilers(machine: Machine, subject: Subject | None) -> Iterator[Finding]:
    """The compilers that could build a module for this very machine, as `--recompile` does."""
    for program, (title, kind) in _COMPILERS.items():
        path = _compiler(machine, program)
        if path and (subject is None or f"{machine.system}/{kind}" in subject.gpu_recipes):
            yield ok("compiler", f"{path} for {title}: `--recompile` uses it")
        elif path:
            yield note(
                "compiler",
                f"{path} for {title}, but the bundle has no sources for it",
                "pack it with `--gpu-sources yes`",
            )


def _ways_to_compile(machine: Machine, subject: Subject) -> Iterator[str]:
    for program, (_, kind) in _COMPILERS.items():
        if _compiler(machine, program) and f"{machine.system}/{kind}" in subject.gpu_recipes:
            yield f"`sh {subject.shell} --recompile` compiles one here, with {program}"


def _kinds(machine: Machine) -> tuple[_Kind, ...]:
    return {"macos": _MACOS, "windows": _WINDOWS, "linux": _LINUX}.get(machine.system, ())


def _cards(machine: Machine) -> Iterator[str]:
    if machine.system == "macos" and machine.arch == "aarch64":
        yield "Apple GPU"
    named = False
    for path in sorted(machine.path("/proc/driver/nvidia/gpus").glob("*/information")):
        model = re.search(r"^Model:\s*(.+)$", path.read_text("utf-8", "replace"), re.MULTILINE)
        name = model[1] if model else "GPU"
        named = True
        yield name if name.startswith("NVIDIA") else f"NVIDIA {name}"
    for path in sorted(machine.path("/sys/class/drm").glob("card*/device/vendor")):
        maker = _MAKERS.get(path.read_text("utf-8", "replace").strip())
        if maker and not (maker == "NVIDIA" and named):
            yield f"{maker} GPU"


def _missing(machine: Machine, kind: _Kind) -> list[str]:
    """Libraries that the module needs, without the driver, and that are missing."""
    missing = [name for name in kind.also if not _found(machine, name)]
    path = _library(machine, _LIBC) if kind.glibc else None
    if path and f"{kind.glibc}\0".encode() not in path.read_bytes():
        missing.append(f"{kind.glibc} of {_LIBC}")
    return missing


def _found(machine: Machine, library: str) -> bool:
    """Whether a library is there; that without a name always is."""
    return not library or _library(machine, library) is not None


def _library(machine: Machine, name: str) -> Path | None:
    folders = [machine.path(folder.format(arch=machine.arch)) for folder in _LIBRARY_FOLDERS]
    if machine.system == "windows":
        folders += [Path(one) for one in machine.env.get("PATH", "").split(";") if one]
    else:
        more = machine.env.get("LD_LIBRARY_PATH", "").split(":")
        folders += [machine.path(one) for one in more if one]
    # Windows is not particular about capitals, but a tree of its files elsewhere is.
    files = (folder / spelling for folder in folders for spelling in (name, name.lower()))
    return next((file for file in files if file.is_file()), None)


def _is_static(machine: Machine) -> bool:
    return machine.system == "linux" and not has_glibc(machine)


def _way_to(library: str) -> str:
    if "cudart" in library or "cublas" in library:
        return "install the runtime libraries of CUDA 13, or use Vulkan: `--gpu vulkan`"
    if library.startswith("GLIBC"):
        return "start it on a newer system; here it computes on the CPU"
    return "install Microsoft's Visual C++ Redistributable"


def _recompiled(machine: Machine, subject: Subject, kind: str) -> Path | None:
    """The module of that kind that was compiled here from the bundle's sources, if one was."""
    recipe = subject.gpu_recipes.get(f"{machine.system}/{kind}")
    if recipe is None:
        return None
    key = hashlib.sha256(recipe).hexdigest()[:32]
    try:
        library = str(parse_json(recipe)["library"])
    except MALFORMED:
        return None
    for place in places(machine):
        folder = place.path / "gpu"
        note = folder / f"{machine.target}-{kind}-{key}.recompiled"
        try:
            # Opening a FIFO would wait for a writer.
            name = note.read_text("utf-8") if note.is_file() else ""
            path = folder / name.rstrip("\n") / library
            if name and path.is_file():
                return path
        except (OSError, ValueError):
            continue
    return None


def _compiler(machine: Machine, name: str) -> Path | None:
    """The compiler of that name that an engine would take."""
    if found := machine.program(name):
        return found
    for folder in _COMPILER_FOLDERS.get(name, ()):
        place = machine.path(folder)
        if folder.startswith("${"):
            variable, _, below = folder.removeprefix("${").partition("}")
            if not machine.env.get(variable):
                continue
            place = Path(machine.env[variable] + below)
        if program := shutil.which(name, path=str(place)):
            return Path(program)
    return None
