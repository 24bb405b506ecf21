"""`engine build-gpu cuda`, as far as it can be seen without an hour of nvcc: one kernel, linked."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path

import lief
import pytest

from packer.checks import check_module
from packer.cli import main
from packer.engines import cache, layout, logged, native
from packer.engines import pins as engine_pins
from packer.engines import source as llama_cpp_source
from packer.engines.gpu import cuda, pins
from runtime.errors import InputError

KERNEL = "ggml/src/ggml-cuda/clamp.cu"
HEADERS = Path(__file__).with_name("cublas")


@pytest.fixture(scope="module")
def llama_cpp() -> Path:
    place = llama_cpp_source.folder(engine_pins.load(native.directory()))
    if not place.is_dir():
        pytest.fail("llama.cpp's sources are missing; run `llamapack engine build`")
    return place


@pytest.fixture(scope="module")
def nvcc() -> Path:
    found = shutil.which("nvcc")
    if found is None:
        pytest.skip("no nvcc here: nothing to compile with (`sh ci/nvcc` prints where it puts one)")
    return Path(found)


def test_the_architectures_are_upstreams(llama_cpp: Path) -> None:
    text = (llama_cpp / "ggml/src/ggml-cuda/CMakeLists.txt").read_text()
    listed = re.findall(r"^ *list\(APPEND CMAKE_CUDA_ARCHITECTURES ([^)]+)\)", text, re.M)
    upstreams = [one for line in listed[1:] for one in line.split()]  # the first is of CUDA 12
    assert list(pins.load_all().cuda_architectures) == upstreams


def test_every_pair_of_types_for_attention_is_chosen_as_upstream_does(llama_cpp: Path) -> None:
    text = (llama_cpp / "ggml/CMakeLists.txt").read_text()
    compiled = re.search(r'GGML_CUDA_FA_QUANTS +"([^"]+)"', text)
    types = re.search(
        r"set\(FA_TYPES ([^)]+)\)", (llama_cpp / "ggml/cmake/common.cmake").read_text()
    )
    assert compiled
    assert types
    chosen = compiled[1].split(";")
    expected = {
        f"-DGGML_CUDA_FA_{k}_{v}".upper() + f"={int(f'{k}-{v}' in chosen)}"
        for k in types[1].split()
        for v in types[1].split()
    }
    steps = cuda.prepared(llama_cpp, Path("nvcc"), ["75-virtual"])
    assert {word for word in steps.compile if word.startswith("-DGGML_CUDA_FA_")} == expected
    instances = [name for name in steps.sources if "fattn-vec-instance-" in name]
    assert {Path(name).stem.removeprefix("fattn-vec-instance-") for name in instances} == set(
        chosen
    )


def test_one_kernel_compiles_and_the_module_links(
    llama_cpp: Path, nvcc: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = cache.find("linux-x86_64")
    assert engine, "run `llamapack engine build`"
    architectures = pins.load_all().cuda_architectures
    steps = cuda.prepared(llama_cpp, nvcc, architectures)
    assert len(steps.sources) > 100
    assert KERNEL in steps.sources
    monkeypatch.setattr(layout, "log", lambda name: tmp_path / f"{name}.log")
    logged.start(layout.log("gpu"))
    small = replace(steps, compile=(*steps.compile, f"-I{HEADERS}"), sources=(KERNEL,))
    library = cuda.linked(small, engine, llama_cpp, tmp_path / "out", jobs=1)
    data = library.read_bytes()
    base = (engine / "libggml-base.so").read_bytes()
    assert check_module("linux-x86_64", library.name, data, base) == []
    parsed = lief.ELF.parse(data)
    assert parsed
    wanted = {str(one) for one in parsed.libraries}
    assert {"libggml-base.so", "libcuda.so.1", "libcublas.so.13"} <= wanted
    assert not any(one.startswith(("libstdc++", "libcudart", "libgcc")) for one in wanted)
    for name in architectures:
        number = name.partition("-")[0]
        assert f"arch=compute_{number}" in (tmp_path / "out/build.ninja").read_text()


def test_without_cublas_it_says_where_to_get_it(
    cache_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="nvcc is not installed") as why:
        cuda.compiler()
    assert "ci/nvcc --cublas`" in why.value.tip
    (tmp_path / "nvcc").write_text("#!/bin/sh\necho '#$ TOP=/nowhere' >&2\n")
    (tmp_path / "nvcc").chmod(0o755)
    with pytest.raises(InputError, match="cuBLAS is not installed beside NVIDIA's nvcc"):
        cuda.compiler()
    toolkit = tmp_path / "toolkit"
    (toolkit / "include").mkdir(parents=True)
    (toolkit / "include" / "cublas_v2.h").touch()
    (tmp_path / "nvcc").write_text(f"#!/bin/sh\necho '#$ TOP={toolkit}/bin/..' >&2\n")
    (toolkit / "bin").mkdir()
    assert cuda.compiler() == tmp_path / "nvcc"


def test_a_command_for_another_machine_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], cache_root: Path
) -> None:
    monkeypatch.setattr(llama_cpp_source, "ready", lambda pins: cache_root)
    assert main(["engine", "build-gpu", "cuda"]) == 1
    error, tip = capsys.readouterr().err.splitlines()[-2:]
    assert error.startswith("ERROR ")
    assert "`llamapack engine build linux-x86_64`" in tip or "--recompile" in tip
