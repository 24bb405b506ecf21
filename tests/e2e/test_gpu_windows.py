"""The Vulkan module for Windows under Wine, which hands Vulkan on to this machine's lavapipe."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.repository import DEMO
from helpers.running import CLI, append_members, pack
from wine import Wine

from packer.engines import toolchain
from packer.engines.gpu import modules, pins


@pytest.fixture(scope="module")
def device() -> Iterator[dict[str, str]]:
    """An environment with a screen, which Wine's Vulkan wants, and lavapipe as the card."""
    program = shutil.which("Xvfb")
    if program is None:
        pytest.skip("no Xvfb here: Wine's Vulkan wants a screen (apt-get install xvfb)")
    server = subprocess.Popen(
        [program, "-displayfd", "1", "-screen", "0", "640x480x24"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert server.stdout
    display = f":{server.stdout.readline().strip()}"
    yield {"DISPLAY": display, "GGML_VK_VISIBLE_DEVICES": "0"}
    server.terminate()
    server.wait(30)


@pytest.fixture(scope="module")
def bundle(engines: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not list(Path("/usr/share/vulkan/icd.d").glob("lvp_icd*.json")):
        pytest.skip("no lavapipe here: no Vulkan device (apt-get install mesa-vulkan-drivers)")
    wanted = next(m for m in pins.load() if (m.kind, m.target) == ("vulkan", "windows-x86_64"))
    if modules.find(wanted) is None:
        pytest.fail("the Vulkan module is missing; run `llamapack engine add-gpu vulkan`")
    output = tmp_path_factory.mktemp("gpu") / "gpu.exe"
    return pack(
        DEMO, "--format", "exe", "--targets", "windows-x86_64", "--gpu", "vulkan", output=output
    )


def test_all_layers_on_the_gpu_answer_as_the_cpu_does(
    wine: Wine, bundle: Path, device: dict[str, str]
) -> None:
    on_gpu = wine.run(bundle, *CLI, "--gpu", "vulkan", "-ngl", "999", **device)
    assert on_gpu.returncode == 0, on_gpu.stderr.decode(errors="replace")
    on_cpu = wine.run(bundle, *CLI, "--gpu", "disable")
    assert on_gpu.stdout == on_cpu.stdout
    assert b"llamafile is one file" in on_gpu.stdout
    line = next(ln for ln in on_gpu.stderr.decode().splitlines() if ln.startswith("GPU:"))
    assert "llvmpipe" in line
    assert line.rstrip().endswith("through Vulkan, 5/5 layers")


def test_the_modules_in_a_name_exe_are_used_for_weights_beside_it(
    wine: Wine, bundle: Path, device: dict[str, str], tmp_path: Path
) -> None:
    """What packing makes for Windows of a bundle of 4 GiB: modules here, weights there."""
    words = ("--targets", "linux-x86_64,windows-x86_64", "--windows", "external")
    pack(DEMO, *words, "--gpu", "vulkan", output=tmp_path / "m.llamafile")
    done = wine.run(tmp_path / "m.exe", *CLI, "--gpu", "vulkan", **device)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    assert b"through Vulkan, 5/5 layers" in done.stderr


def test_what_cannot_be_had_is_an_error_here_too(
    wine: Wine, bundle: Path, device: dict[str, str]
) -> None:
    done = wine.run(bundle, *CLI, "--gpu", "nvidia", **device)
    assert done.returncode == 1
    assert b"ERROR --gpu nvidia: Vulkan finds llvmpipe" in done.stderr


PLANTED = """\
#include <windows.h>
BOOL WINAPI DllMain(HINSTANCE library, DWORD reason, LPVOID reserved) {
    (void) library, (void) reason, (void) reserved;
    CloseHandle(CreateFileA("it-ran", GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, 0, NULL));
    return TRUE;
}
"""


def test_no_library_is_taken_from_the_current_directory(
    wine: Wine, bundle: Path, tmp_path: Path
) -> None:
    """Anybody may have put a file with the name of a driver among a user's downloads."""
    (tmp_path / "planted.c").write_text(PLANTED)
    words = [toolchain._zig(), "cc", "-target", "x86_64-windows-gnu", "-shared", "planted.c"]
    subprocess.run([*words, "-o", "nvcuda.dll"], cwd=tmp_path, check=True)
    program = tmp_path / "m.exe"
    shutil.copy(bundle, program)
    folder = "gpu/windows-x86_64/cuda/"
    sums = f"{hashlib.sha256().hexdigest()}  ggml-cuda.dll\n"
    append_members(program, {f"{folder}ggml-cuda.dll": b"", f"{folder}SHA256SUMS": sums})
    done = wine.run(program, *CLI, "--gpu", "cuda", cwd=tmp_path)
    assert b"no CUDA driver (nvcuda.dll is not installed)" in done.stderr
    assert not (tmp_path / "it-ran").exists()
