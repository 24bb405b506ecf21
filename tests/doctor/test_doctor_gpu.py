"""`llamapack doctor --gpu`: each condition on a machine that is made up for it."""

from __future__ import annotations

import hashlib
import json
import re
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from helpers.stand_ins import CommandLine
from made_up import UNIX_HEAD, bundle, machine, program, write

from runtime.doctor import GPU_CHECKS, examine
from runtime.machine.machine import Machine

KINDS = Path(__file__).parents[2] / "native" / "engine" / "gpu" / "gpu_kinds.cpp"
LIBRARIES = "usr/lib/x86_64-linux-gnu"


def said(on: Machine, file: Path | None = None) -> list[str]:
    return [f"{f.state} {f.check}: {f.what}" for f in examine(on, file, GPU_CHECKS)]


RECIPE = b'{"library": "libggml-cuda.so"}'


def with_sources(path: Path) -> Path:
    """Adds the recipe for CUDA on Linux to a bundle."""
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("gpu-sources/linux/cuda.json", RECIPE)
    return path


def with_modules(path: Path, *kinds: str, target: str = "linux-x86_64") -> Path:
    bundle(path, UNIX_HEAD, [target])
    with zipfile.ZipFile(path, "a") as archive:
        for kind in kinds:
            archive.writestr(f"gpu/{target}/{kind}/libggml-{kind}.so", "module")
            archive.writestr(f"gpu/{target}/{kind}/SHA256SUMS", "sums")
    return path


def card(on: Machine, vendor: str) -> None:
    write(on.root / "sys/class/drm/card0/device/vendor", f"{vendor}\n")


def install(on: Machine, *libraries: str) -> None:
    for name in libraries:
        write(on.root / LIBRARIES / name)


def test_no_card(tmp_path: Path) -> None:
    assert said(machine(tmp_path)) == [
        "note card: the system lists no graphics card: engines compute on the CPU"
    ]


@pytest.mark.parametrize(
    ("vendor", "maker", "missing"),
    [
        ("0x10de", "NVIDIA", ["CUDA", "Vulkan"]),
        ("0x1002", "AMD", ["ROCm", "Vulkan"]),
        ("0x8086", "Intel", ["Vulkan"]),
    ],
)
def test_a_card_without_driver(tmp_path: Path, vendor: str, maker: str, missing: list[str]) -> None:
    on = machine(tmp_path)
    card(on, vendor)
    lines = said(on)
    assert lines[0] == f"ok card: {maker} GPU"
    assert [line.split()[5] for line in lines[1:]] == missing
    assert all(line.startswith("note driver: no driver for ") for line in lines[1:])


def test_nvidias_card_by_name(tmp_path: Path) -> None:
    on = machine(tmp_path)
    card(on, "0x10de")
    write(on.root / "proc/driver/nvidia/gpus/0000:01:00.0/information", "Model: \t\t H100 PCIe\n")
    install(on, "libcuda.so.1")
    assert said(on)[:2] == ["ok card: NVIDIA H100 PCIe", "ok driver: there is a driver for CUDA"]


def test_what_a_start_would_try(tmp_path: Path) -> None:
    on = machine(tmp_path)
    file = with_modules(tmp_path / "b.llamafile", "cuda", "vulkan")
    install(on, "libcuda.so.1", "libcublas.so.13", "libvulkan.so.1")
    assert said(on, file)[-1] == "ok module: a start tries CUDA, then Vulkan, then the CPU"


def test_a_driver_that_the_module_wants_is_missing(tmp_path: Path) -> None:
    on = machine(tmp_path)
    file = with_modules(tmp_path / "b.llamafile", "vulkan")
    assert "note module: Vulkan: its driver (libvulkan.so.1) is missing" in said(on, file)


def test_a_toolkit_that_the_module_wants_is_missing(tmp_path: Path) -> None:
    on = machine(tmp_path)
    file = with_modules(tmp_path / "b.llamafile", "cuda")
    install(on, "libcuda.so.1")
    (finding,) = [f for f in examine(on, file, GPU_CHECKS) if f.check == "module"]
    assert finding.state == "problem"
    assert finding.what == "CUDA: the module wants libcublas.so.13, which is not here"
    assert "CUDA 13" in finding.mend


def test_a_system_that_is_too_old_for_the_module(tmp_path: Path) -> None:
    on = machine(tmp_path)
    file = with_modules(tmp_path / "b.llamafile", "cuda")
    install(on, "libcuda.so.1", "libcublas.so.13")
    assert said(on, file)[-1].startswith("ok module: a start tries CUDA")
    versions = "GLIBC_2.31\0GLIBC_2.340\0"
    write(on.root / LIBRARIES / "libc.so.6", versions)
    problem = "problem module: CUDA: the module wants GLIBC_2.34 of libc.so.6, which is not here"
    assert said(on, file)[-1] == problem
    write(on.root / LIBRARIES / "libc.so.6", f"{versions}GLIBC_2.34\0")
    assert said(on, file)[-1].startswith("ok module: a start tries CUDA")


def test_vulkan_wants_nothing_but_the_driver(tmp_path: Path) -> None:
    on = machine(tmp_path)
    write(on.root / LIBRARIES / "libc.so.6", "GLIBC_2.17\0")
    install(on, "libvulkan.so.1")
    file = with_modules(tmp_path / "b.llamafile", "vulkan")
    assert said(on, file)[-1] == "ok module: a start tries Vulkan, then the CPU"


def test_a_module_that_was_compiled_here(tmp_path: Path) -> None:
    """It is tried even where the prebuilt one, or its libraries, are missing."""
    on = machine(tmp_path)
    file = with_sources(with_modules(tmp_path / "b.llamafile"))
    install(on, "libcuda.so.1")
    folder = tmp_path / "home/.cache/llamapack/gpu"
    key = hashlib.sha256(RECIPE).hexdigest()[:32]
    write(folder / f"linux-x86_64-cuda-{key}.recompiled", "mine\n")
    assert said(on, file)[-1] == "note module: the bundle has no GPU module for linux-x86_64"
    write(folder / "mine/libggml-cuda.so")
    tries = "ok module: a start tries CUDA (compiled here), then the CPU"
    assert said(on, file)[-1] == tries
    assert said(on, with_sources(with_modules(tmp_path / "c.llamafile", "cuda")))[-1] == tries
    (on.root / LIBRARIES / "libcuda.so.1").unlink()
    assert "its driver (libcuda.so.1) is missing" in said(on, file)[-1]


def test_no_module_for_this_machine(tmp_path: Path) -> None:
    on = machine(tmp_path)
    file = with_modules(tmp_path / "b.llamafile", "metal", target="macos-aarch64")
    assert "note module: the bundle has no GPU module for linux-x86_64" in said(on, file)


def test_without_glibc_no_module_is_loaded(tmp_path: Path) -> None:
    on = machine(tmp_path)
    (on.root / "lib64/ld-linux-x86-64.so.2").unlink()
    file = with_modules(tmp_path / "b.llamafile", "vulkan")
    assert said(on, file)[-1].startswith("note module: without glibc the static engine runs")


def test_macs_and_windows(tmp_path: Path) -> None:
    mac = machine(tmp_path, "macos-aarch64")
    file = with_modules(tmp_path / "m.llamafile", "metal", target="macos-aarch64")
    assert said(mac, file)[-1] == "ok module: a start tries Metal, then the CPU"
    windows = machine(tmp_path, "windows-x86_64")
    for name in ("nvcuda.dll", "cudart64_13.dll", "cublas64_13.dll"):
        write(windows.root / "Windows/System32" / name)
    file = with_modules(tmp_path / "w.llamafile", "cuda", target="windows-x86_64")
    problem = "problem module: CUDA: the module wants MSVCP140.dll, which is not here"
    assert problem in said(windows, file)
    folder = tmp_path / "toolkit"
    write(folder / "msvcp140.dll")
    on_path = replace(windows, env={**windows.env, "PATH": f"C:\\nothing;{folder}"})
    assert said(on_path, file)[-1] == "ok module: a start tries CUDA, then the CPU"


@pytest.mark.parametrize(
    ("condition", "target"),
    [
        ("#if defined(__APPLE__)", "macos-aarch64"),
        ("#elif defined(_WIN32)", "windows-x86_64"),
        ("#else", "linux-x86_64"),
    ],
)
def test_kinds_are_those_of_the_engine(condition: str, target: str, tmp_path: Path) -> None:
    """Names, drivers, and the order in which a start tries them."""
    table = KINDS.read_text().partition(condition)[2].partition("\n#")[0]
    kinds = re.findall(r'\{ "(\w+)",\s*"(\w+)",\s*"([^"]*)",', table)
    assert len(kinds) == table.count("{") > 0
    file = with_modules(tmp_path / "b.llamafile", *(name for name, _, _ in kinds), target=target)
    assert [line for line in said(machine(tmp_path, target), file) if " module: " in line] == [
        f"note module: {title}: its driver ({driver}) is missing"
        if driver
        else f"ok module: a start tries {title}, then the CPU"
        for _, title, driver in kinds
    ]


def test_compilers(tmp_path: Path) -> None:
    on = machine(tmp_path)
    toolkit = program(on.root / "usr/local/cuda/bin/nvcc", "exit 0")
    assert said(on)[-1] == f"ok compiler: {toolkit} for CUDA: `--recompile` uses it"
    nvcc = program(tmp_path / "bin/nvcc", "exit 0")
    assert said(on)[-1] == f"ok compiler: {nvcc} for CUDA: `--recompile` uses it"


def test_compilers_and_the_sources_in_a_bundle(tmp_path: Path) -> None:
    on = machine(tmp_path, ROCM_PATH=str(tmp_path / "rocm"))
    nvcc = program(tmp_path / "bin/nvcc", "exit 0")
    hipcc = program(tmp_path / "rocm/bin/hipcc", "exit 0")
    file = with_sources(with_modules(tmp_path / "b.llamafile"))
    assert said(on, file)[-2:] == [
        f"ok compiler: {nvcc} for CUDA: `--recompile` uses it",
        f"note compiler: {hipcc} for ROCm, but the bundle has no sources for it",
    ]
    (finding,) = [f for f in examine(on, file, GPU_CHECKS) if f.check == "module"]
    assert f"`sh {file} --recompile` compiles one here, with nvcc" in finding.mend.splitlines()


def test_the_command(bundle: Path, llamapack: CommandLine) -> None:
    done = llamapack("doctor", "--gpu", bundle, "--json")
    checks = {finding["check"] for finding in json.loads(done.stdout)}
    assert checks <= {"card", "driver", "module", "compiler"}
    assert "module" in checks
