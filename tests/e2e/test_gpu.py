"""GPU modules, with the software device of Debian's lavapipe in place of a card."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers.damage import DAMAGES, damaged
from helpers.repository import DEMO
from helpers.running import CLI, answer, append_members, pack, refusal, run

from packer.engines import native, toolchain
from packer.engines import pins as engine_pins
from packer.engines import source as llama_cpp
from packer.engines.gpu import modules, pins

FOLDER = "gpu/linux-x86_64/vulkan/"
ASKED = ["--gpu", "vulkan", "-ngl", "999"]
IDLE = Path(__file__).with_name("idle_device.c")

# What may happen while a module is loaded.
CRASHES = "#include <stdlib.h>\n__attribute__((constructor)) static void go(void) { abort(); }\n"
EMPTY = "int nothing;\n"
WANTS_MORE = "int cublasCreate_v2(void);\nint go(void) { return cublasCreate_v2(); }\n"
NO_DEVICE = """
#include "ggml-backend-impl.h"
#include "ggml-impl.h"

static const char * name(ggml_backend_reg_t reg) { (void) reg; return "None"; }
static size_t count(ggml_backend_reg_t reg) { (void) reg; SAYS; return 0; }
static struct ggml_backend_reg none = { GGML_BACKEND_API_VERSION, { name, count } };

GGML_BACKEND_API ggml_backend_reg_t ggml_backend_init(void) { return &none; }
"""
OLD_DRIVER = NO_DEVICE.replace(
    "SAYS",
    'GGML_LOG_ERROR("ggml_cuda_init: failed to initialize CUDA: "'
    ' "CUDA driver version is insufficient for CUDA runtime version\\n")',
)


@pytest.fixture(scope="module")
def vulkan() -> Path:
    """The folder of the Vulkan module for this machine."""
    if not list(Path("/usr/share/vulkan/icd.d").glob("lvp_icd*.json")):
        pytest.skip("no lavapipe here: no Vulkan device (apt-get install mesa-vulkan-drivers)")
    wanted = next(m for m in pins.load() if (m.kind, m.target) == ("vulkan", "linux-x86_64"))
    path = modules.find(wanted)
    if path is None:
        pytest.fail("the Vulkan module is missing; run `llamapack engine add-gpu vulkan`")
    return path


@pytest.fixture(scope="module")
def bundle(
    engines: dict[str, Path], vulkan: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    output = tmp_path_factory.mktemp("gpu") / "gpu.llamafile"
    return pack(DEMO, "--targets", "linux-x86_64", "--gpu", "vulkan", output=output)


@pytest.fixture(autouse=True)
def software_device(monkeypatch: pytest.MonkeyPatch) -> None:
    # ggml passes over devices that are CPUs unless they are named.
    monkeypatch.setenv("GGML_VK_VISIBLE_DEVICES", "0")


def refused(bundle: Path, *words: str) -> str:
    """What a start that must fail says."""
    return refusal(run(["sh", bundle, *CLI, *words]))[0]


def said(bundle: Path, *words: str) -> str:
    """The line about the GPU of a start that answers."""
    done = run(["sh", bundle, *CLI, *words])
    assert done.returncode == 0, done.stderr.decode()
    assert b"llamafile is one file" in done.stdout
    lines = [ln for ln in done.stderr.decode().splitlines() if ln.startswith(("GPU:", "CPU:"))]
    assert len(lines) == 1
    return lines[0]


def test_all_layers_on_the_gpu_answer_as_the_cpu_does(bundle: Path, expected: bytes) -> None:
    assert answer(bundle, *ASKED) == expected
    line = said(bundle, *ASKED)
    assert line.startswith("GPU: llvmpipe")
    assert line.endswith("through Vulkan, 5/5 layers")


def test_some_layers(bundle: Path) -> None:
    assert said(bundle, "--gpu", "vulkan", "-ngl", "2").endswith("2/5 layers")


@pytest.mark.parametrize(
    "words",
    [
        ["-ngl", "all"],
        ["-ngl", "auto"],
        ["-ngl", "999", "--device", "Vulkan0"],
        ["-ngl", "999", "-sm", "layer", "-ts", "1", "--fit", "off"],
    ],
)
def test_upstreams_options_for_devices_pass_through(bundle: Path, words: list[str]) -> None:
    assert said(bundle, "--gpu", "vulkan", *words).endswith("5/5 layers")


def test_memory_is_known_before_the_start(bundle: Path) -> None:
    words = ["--gpu", "vulkan", "-ngl", "3", "--cli", "-p", "a", "-n", "0"]
    found = json.loads(run(["sh", bundle, *words, "--probe-memory"]).stdout)
    (card,) = found["devices"]
    assert card["name"].startswith("llvmpipe")
    assert (found["gpu_layers"], found["layers"]) == (3, 5)
    log = run(["sh", bundle, *words, "--no-warmup", "-t", "1", "-v"]).stderr.decode()
    for what, kind in (("model", "weights"), ("KV", "cache"), ("compute", "compute")):
        *_, size = re.findall(rf"Vulkan0 {what} buffer size = +([\d.]+) MiB", log)
        assert card[kind] / (1 << 20) == pytest.approx(float(size), abs=0.01)


def test_upstreams_options_are_not_swallowed(bundle: Path) -> None:
    for words, complaint in (
        (["-sm", "row"], b"does not support split buffers"),
        (["--device", "Vulkan9"], b"invalid device: Vulkan9"),
    ):
        done = run(["sh", bundle, *CLI, *ASKED, *words])
        assert done.returncode != 0
        assert complaint in done.stderr + done.stdout


def test_a_program_that_pretends_to_be_a_gpu_is_not_taken_by_itself(bundle: Path) -> None:
    line = said(bundle, "-ngl", "999")
    assert line.startswith("CPU: Vulkan finds llvmpipe")
    assert line.endswith("only; see --gpu")


@pytest.mark.parametrize("kind", ["nvidia", "amd", "intel"])
def test_a_maker_whose_card_is_not_there_is_an_error(bundle: Path, kind: str) -> None:
    assert refused(bundle, "--gpu", kind).startswith(f"--gpu {kind}: Vulkan finds llvmpipe")


def test_a_kind_that_the_file_has_no_module_for_is_an_error(
    bundle: Path, demo_bundle: Path
) -> None:
    assert "this file has no GPU module" in refused(bundle, "--gpu", "cuda")
    assert "this file has no GPU module" in refused(demo_bundle, "--gpu", "vulkan")


def test_no_such_kind(bundle: Path) -> None:
    assert refused(bundle, "--gpu", "voodoo") == "--gpu voodoo: there is no such kind"


@pytest.mark.parametrize("layers", ["abc", "9x", "-", ""])
def test_no_number_of_layers(demo_bundle: Path, layers: str) -> None:
    wrong = f"-ngl {layers}: neither a number of layers, auto nor all"
    assert refused(demo_bundle, "-ngl", layers) == wrong
    assert refused(demo_bundle, "--gpu", "disable", "-ngl", layers) == wrong


def test_without_a_device_it_runs_on_the_cpu_and_says_why(
    bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GGML_VK_VISIBLE_DEVICES")
    assert said(bundle) == "CPU: the Vulkan module cannot be used: it finds no device; see --gpu"
    assert "it finds no device" in refused(bundle, *ASKED)


def test_without_a_driver_nothing_is_unpacked(
    bundle: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if os.geteuid() != 0:
        pytest.skip("hiding a library takes root")
    tmp_path.chmod(0o700)
    monkeypatch.setenv("LLAMAPACK_CACHE", str(tmp_path))
    found = subprocess.run(["ldconfig", "-p"], capture_output=True, text=True, check=True).stdout
    loader = next(ln.split(" => ")[1] for ln in found.splitlines() if "libvulkan.so.1" in ln)
    hidden = ["unshare", "-m", "sh", "-c", f'mount --bind /dev/null {loader} && exec sh "$@"', "sh"]
    done = run([*hidden, bundle, *CLI])
    assert done.returncode == 0
    assert b"CPU: no Vulkan driver (libvulkan.so.1 is not installed)" in done.stderr
    assert not (tmp_path / "gpu").exists()


def test_no_layers_no_module(bundle: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    monkeypatch.setenv("LLAMAPACK_CACHE", str(tmp_path))
    for words in (["-ngl", "0"], ["--gpu", "disable", "-ngl", "999"]):
        done = run(["sh", bundle, *CLI, *words])
        assert done.returncode == 0
        assert b"GPU:" not in done.stderr
    assert not (tmp_path / "gpu").exists()


@pytest.fixture
def with_module(bundle: Path, tmp_path: Path) -> Callable[..., Path]:
    """Puts other modules into a copy of the bundle, as any ZIP program could."""

    def made(module: bytes, **others: bytes) -> Path:
        members: dict[str, bytes | str] = {}
        for kind, content in {"vulkan": module, **others}.items():
            folder, name = f"gpu/linux-x86_64/{kind}", f"libggml-{kind}.so"
            members[f"{folder}/{name}"] = content
            members[f"{folder}/SHA256SUMS"] = f"{hashlib.sha256(content).hexdigest()}  {name}\n"
        copy = Path(shutil.copy(bundle, tmp_path / "other.llamafile"))
        return append_members(copy, members, zipfile.ZIP_DEFLATED)

    return made


def library(folder: Path, source: str, *flags: str) -> bytes:
    (folder / "module.c").write_text(source)
    ggml = llama_cpp.ready(engine_pins.load(native.directory())) / "ggml"
    words = [toolchain._zig(), "cc", "-target", "x86_64-linux-gnu.2.17", "-O1", "-shared", "-fPIC"]
    words += [f"-I{ggml / 'include'}", f"-I{ggml / 'src'}"]
    subprocess.run([*words, "module.c", *flags, "-o", "module.so"], cwd=folder, check=True)
    return (folder / "module.so").read_bytes()


@pytest.mark.parametrize(
    ("source", "cause"),
    [
        (CRASHES, "it crashed (signal 6)"),
        (EMPTY, "it cannot be loaded"),
        (WANTS_MORE, "undefined symbol: cublasCreate_v2"),
        ("", "file too short"),
        (OLD_DRIVER, "failed to initialize CUDA: CUDA driver version is insufficient"),
        (NO_DEVICE.replace("SAYS;", ""), "it finds no device"),
    ],
)
def test_a_broken_module_is_reported_and_survived(
    with_module: Callable[..., Path], tmp_path: Path, source: str, cause: str
) -> None:
    broken = with_module(library(tmp_path, source, "-Wl,-z,now") if source else b"")
    line = said(broken, "-ngl", "999")
    assert line.startswith("CPU: the Vulkan module cannot be used: ")
    assert cause in line
    assert cause in refused(broken, *ASKED)


@pytest.mark.parametrize("has_driver", [True, False])
def test_a_module_that_another_takes_the_place_of_is_named(
    with_module: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    has_driver: bool,
) -> None:
    """Somebody with NVIDIA's driver would rather have CUDA, and may lack a library for it; nobody
    else wants to hear of CUDA."""
    idle = library(tmp_path, IDLE.read_text())
    broken = library(tmp_path, WANTS_MORE, "-Wl,-z,now")
    driver = tmp_path / "driver"
    driver.mkdir()
    if has_driver:
        (driver / "libcuda.so.1").write_bytes(library(tmp_path, EMPTY))
    monkeypatch.setenv("LD_LIBRARY_PATH", str(driver))
    line = said(with_module(idle, cuda=broken), "-ngl", "999")
    assert line.startswith("GPU: Idle Card through Vulkan")
    assert line.endswith("5/5 layers")
    assert ("(the CUDA module cannot be used: " in line) == has_driver
    assert ("undefined symbol: cublasCreate_v2" in line) == has_driver


def test_a_damaged_module_is_not_run(bundle: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copy(bundle, tmp_path / "damaged.llamafile"))
    append_members(copy, {f"{FOLDER}libggml-vulkan.so": b"not what the list says"})
    assert "is damaged" in refused(copy, *ASKED)
    assert "is damaged" in said(copy)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    folder.mkdir(mode=0o700)
    monkeypatch.setenv("LLAMAPACK_CACHE", str(folder))
    return folder


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_is_damaged_in_the_cache_is_unpacked_anew(
    with_module: Callable[..., Path], tmp_path: Path, cache: Path, damage: str
) -> None:
    file = with_module(library(tmp_path, IDLE.read_text()))
    assert said(file, "-ngl", "999").startswith("GPU: Idle Card")
    [module] = cache.rglob("libggml-vulkan.so")
    before = module.lstat().st_mode, module.lstat().st_uid, module.read_bytes()
    damaged(damage, module, tmp_path)
    assert said(file, "-ngl", "999").startswith("GPU: Idle Card")
    assert (module.lstat().st_mode, module.lstat().st_uid, module.read_bytes()) == before
    assert [p.suffix for p in (cache / "gpu").iterdir() if p.is_file()] == [".checked"]
    assert len(list((cache / "gpu").iterdir())) == 2, "nothing is left behind"
    written = {p: p.lstat().st_ctime_ns for p in (cache / "gpu").rglob("*")}
    assert said(file, "-ngl", "999").startswith("GPU: Idle Card")
    assert {p: p.lstat().st_ctime_ns for p in (cache / "gpu").rglob("*")} == written


def test_a_module_that_a_disk_has_damaged_is_unpacked_anew(
    with_module: Callable[..., Path], tmp_path: Path, cache: Path
) -> None:
    """No time shows it, only that it cannot be loaded."""
    file = with_module(library(tmp_path, IDLE.read_text()))
    said(file, "-ngl", "999")
    [module] = cache.rglob("libggml-vulkan.so")
    [checked] = cache.glob("gpu/*.checked")
    before = module.read_bytes()
    module.write_bytes(bytes(len(before)))
    seconds, nanoseconds = divmod(module.stat().st_ctime_ns, 1_000_000_000)
    checked.write_text(f"{seconds}.{nanoseconds} \n")
    assert said(file, "-ngl", "999").startswith("GPU: Idle Card")
    assert module.read_bytes() == before


def test_upstreams_own_programs_use_it_too(bundle: Path) -> None:
    words = ["bench", "-m", "/zip/demo.gguf", "-p", "8", "-n", "0", "-r", "1", "-o", "json"]
    done = run(["sh", bundle, *words, "--gpu", "vulkan"])
    assert done.returncode == 0, done.stderr.decode()
    assert b'"backends": "Vulkan"' in done.stdout
    done = run(["sh", bundle, *words, "--gpu", "disable"])
    assert b'"backends": "CPU"' in done.stdout
