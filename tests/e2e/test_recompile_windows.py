"""`--recompile` on Windows, under Wine: finding tools, quoting, linking with our import library.

NVIDIA's and Microsoft's compilers do not run here. A stand-in for nvcc hands its work to zig, which
compiles and links a real module for Windows out of what the bundle carries.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest
from helpers.repository import DEMO
from helpers.running import append_members, pack
from wine import Wine

from packer.engines import toolchain

HERE = Path(__file__).parent
TARGET = "x86_64-windows.win10-gnu"
NAME = "ggml/src/ggml-cuda/small.cpp"
RECIPE = "gpu-sources/windows/cuda.json"
ASKED = ("--gpu", "cuda", "--list-devices", "--recompile")


@pytest.fixture(scope="module")
def bundle(engines: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("recompile with blanks") / "small.exe"
    pack(
        DEMO, "--format", "exe", "--targets", "windows-x86_64", "--gpu", "none",
        "--gpu-sources", "yes", output=output,
    )  # fmt: skip
    source = (HERE / "small_backend.cu").read_text()
    kernel = next(line for line in source.splitlines() if "__global__" in line)
    with zipfile.ZipFile(output) as archive:
        recipe = json.loads(archive.read(RECIPE))
    recipe["sources"] = [NAME]
    recipe["flags"] = [flag for flag in recipe["flags"] if flag.startswith(("-D", "-I", "-std"))]
    # Optimized as the engine was: zig finds the C++ library that it compiled for that.
    recipe["flags"] += ["-O3", '-DQUOTED="with blanks\\"']
    recipe["link"] = ["-O3", "-shared"]
    members = {RECIPE: json.dumps(recipe), f"gpu-sources/src/{NAME}": source.replace(kernel, "")}
    return append_members(output, members)


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a Windows with NVIDIA's driver (an empty library), toolkit and card."""
    folder = tmp_path_factory.mktemp("toolkit")
    (folder / "bin").mkdir()
    (folder / "nothing.c").write_text("int DllMain(void) { return 1; }\n")
    zig = toolchain._zig()
    cc = [zig, "cc", "-target", TARGET, "-O3"]
    subprocess.run(
        [*cc, "-shared", folder / "nothing.c", "-o", folder / "bin/nvcuda.dll"], check=True
    )
    stand_in = folder / "bin/nvcc.exe"
    subprocess.run([*cc, HERE / "nvcc_for_wine.c", "-o", stand_in], check=True)
    shutil.copy(stand_in, folder / "bin/cl.exe")
    script = folder / "compiler"
    script.write_text(
        f"""#!/bin/sh
        set -- "$1" "$2" "$3" "{folder}/called"
        tr '\\n' ' ' < "$1" >> "$4"; echo >> "$4"
        {{ tr '\\n' '\\0' < "$1" | xargs -0 {zig} c++ -target {TARGET}; }} > "$3" 2>&1
        echo "$(( $? != 0 )) done" > "$2"
        """
    )
    script.chmod(0o755)
    return {
        "WINEPATH": f"Z:{folder}/bin".replace("/", "\\"),
        "LLAMAPACK_TEST_COMPILER": str(script),
        "LLAMAPACK_GPU_ARCHITECTURE": "sm_90",
    }


def test_a_module_is_compiled_linked_and_used(
    wine: Wine, bundle: Path, machine: dict[str, str]
) -> None:
    done = wine.run(bundle, *ASKED, **machine)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    assert b"compiling ggml-cuda.dll for sm_90: 0 of 1" in done.stderr
    assert b"Small0: a device for tests" in done.stdout
    called = Path(machine["LLAMAPACK_TEST_COMPILER"]).with_name("called")
    words = called.read_text()
    assert '-DQUOTED="with blanks\\"' in words
    assert "ggml-base.lib" in words
    again = wine.run(bundle, *ASKED, **machine)
    assert b"Small0: a device for tests" in again.stdout
    assert b"compiling" not in again.stderr
    assert called.read_text() == words


def test_what_does_not_compile_says_so(
    wine: Wine, bundle: Path, machine: dict[str, str], tmp_path: Path
) -> None:
    broken = Path(shutil.copy(bundle, tmp_path / "broken.exe"))
    with zipfile.ZipFile(broken) as archive:
        recipe = json.loads(archive.read(RECIPE))
    recipe["flags"].append("-Dstatic=undeclared_thing")
    append_members(broken, {RECIPE: json.dumps(recipe)})
    done = wine.run(broken, "--list-devices", "--recompile", **machine)
    assert done.returncode == 0
    assert b"NOTE --recompile: nvcc failed: " in done.stderr
    assert b"undeclared_thing" in done.stderr
    assert b"everything the compiler printed is in " in done.stderr


def test_without_microsofts_compiler(
    wine: Wine, bundle: Path, machine: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "nvcc.exe").write_bytes(b"")
    path = {"WINEPATH": f"Z:{tmp_path}".replace("/", "\\")}
    done = wine.run(bundle, "--list-devices", "--recompile", **(machine | path))
    assert done.returncode == 0
    assert b"nvcc needs Microsoft's C++ compiler" in done.stderr
    assert b"hipcc is not installed" in done.stderr
