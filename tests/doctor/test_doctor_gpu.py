"""`llamapack doctor --gpu`: each condition on a machine that is made up for it."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest
from made_up import UNIX_HEAD, bundle, machine, program, write
from stand_ins import CommandLine

from runtime.doctor import GPU_CHECKS, examine
from runtime.doctor.machine import Machine

LIBRARIES = "usr/lib/x86_64-linux-gnu"


def said(on: Machine, file: Path | None = None) -> list[str]:
    return [f"{f.state} {f.check}: {f.what}" for f in examine(on, file, GPU_CHECKS)]


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
    install(on, "libcuda.so.1", "libcudart.so.13", "libcublas.so.13", "libvulkan.so.1")
    install(on, "libstdc++.so.6")
    assert said(on, file)[-1] == "ok module: a start tries CUDA, then Vulkan, then the CPU"


def test_a_driver_that_the_module_wants_is_missing(tmp_path: Path) -> None:
    on = machine(tmp_path)
    file = with_modules(tmp_path / "b.llamafile", "vulkan")
    assert "note module: Vulkan: its driver (libvulkan.so.1) is missing" in said(on, file)


def test_a_toolkit_that_the_module_wants_is_missing(tmp_path: Path) -> None:
    on = machine(tmp_path)
    file = with_modules(tmp_path / "b.llamafile", "cuda")
    install(on, "libcuda.so.1", "libcudart.so.13")
    (finding,) = [f for f in examine(on, file, GPU_CHECKS) if f.check == "module"]
    assert finding.state == "problem"
    assert finding.what == "CUDA: the module wants libcublas.so.13, which is not here"
    assert "CUDA 13" in finding.mend


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
    for name in ("vulkan-1.dll", "msvcp140.dll"):
        write(windows.root / "Windows/System32" / name)
    file = with_modules(tmp_path / "w.llamafile", "vulkan", target="windows-x86_64")
    problem = "problem module: Vulkan: the module wants VCRUNTIME140.dll, which is not here"
    assert problem in said(windows, file)


def test_compilers(tmp_path: Path) -> None:
    on = machine(tmp_path)
    nvcc = program(tmp_path / "bin/nvcc", "exit 0")
    assert said(on)[-1] == f"ok compiler: {nvcc} for CUDA"


def test_the_command(bundle: Path, llamapack: CommandLine) -> None:
    done = llamapack("doctor", "--gpu", bundle, "--json")
    checks = {finding["check"] for finding in json.loads(done.stdout)}
    assert checks <= {"card", "driver", "module", "compiler"}
    assert "module" in checks
