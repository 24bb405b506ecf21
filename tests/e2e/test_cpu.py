"""Which CPU variant computes: the fastest that this machine runs, or the one that is named."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.repository import DEMO
from helpers.running import (
    CLI,
    answer,
    family,
    greedy,
    llamapack,
    pack,
    refusal,
    run,
    serving,
)

from packer.engines import native
from packer.engines import pins as engine_pins
from packer.engines import source as llama_cpp_source

FEATURES = {
    "sandybridge": {"avx", "sse4_2"},
    "haswell": {"avx", "f16c", "fma", "avx2", "bmi2"},
    "alderlake": {"avx2", "fma", "avx_vnni"},
    "cascadelake": {"avx512f", "avx512dq", "avx512bw", "avx512cd", "avx512vl", "avx512_vnni"},
    "zen4": {"avx512f", "avx512vbmi", "avx512_bf16", "avx512_vnni"},
    "sapphirerapids": {"avx512_bf16", "amx_int8", "amx_tile"},
}
"""What of `/proc/cpuinfo` each wants, slowest first."""
FLAGS = set(Path("/proc/cpuinfo").read_text().split())
RUNNING = ["baseline", *(name for name, needed in FEATURES.items() if needed <= FLAGS)]
NOT_RUNNING = [name for name in FEATURES if name not in RUNNING]


def chosen(bundle: Path, *words: str, **env: str) -> str:
    done = run(["sh", bundle, *CLI, "-v", *words], **env)
    assert done.returncode == 0, done.stderr
    (found,) = re.findall(r"CPU variant: (\S+)", done.stderr.decode())
    return str(found)


def refused(bundle: Path, *words: str, **env: str) -> str:
    error, tip = refusal(run(["sh", bundle, *CLI, *words], **env))
    assert tip.startswith(f"this machine runs {', '.join(reversed(RUNNING))};")
    return error


def test_the_fastest_that_runs_here(linux_bundle: Path) -> None:
    assert chosen(linux_bundle) == RUNNING[-1]


def test_a_quiet_start_says_nothing_of_it(linux_bundle: Path) -> None:
    done = run(["sh", linux_bundle, *CLI, "--log-disable", "-v"])
    assert b"variant" not in done.stdout + done.stderr


@pytest.mark.parametrize("name", RUNNING)
def test_by_hand(linux_bundle: Path, name: str) -> None:
    assert chosen(linux_bundle, "--cpu", name) == name
    assert chosen(linux_bundle, LLAMAPACK_CPU=name) == name
    assert chosen(linux_bundle, "--cpu", "baseline", LLAMAPACK_CPU=name) == "baseline"
    assert len(answer(linux_bundle, "--cpu", name)) > 20


@pytest.mark.parametrize("name", NOT_RUNNING)
def test_what_does_not_run_here_is_refused(linux_bundle: Path, name: str) -> None:
    assert refused(linux_bundle, "--cpu", name).startswith(f"--cpu {name}: this machine does not")
    assert f"LLAMAPACK_CPU={name}: this machine" in refused(linux_bundle, LLAMAPACK_CPU=name)
    done = run(["sh", linux_bundle, "bench", "--cpu", name, "-m", DEMO])
    assert (done.returncode, done.stderr.split()[0]) == (1, b"ERROR")


def test_unknown_names_are_refused_with_the_list(linux_bundle: Path) -> None:
    for name in ("nope", " ", "../zen4", "haswell.so"):
        said = refused(linux_bundle, "--cpu", name)
        assert all(known in said for known in (*FEATURES, "baseline"))


def test_static_engines_have_one(linux_bundle: Path, engines: dict[str, Path]) -> None:
    program = engines["linux-x86_64-static"] / "llamapack-engine"
    done = run([program, "-m", DEMO, *CLI, "--cpu", "haswell"])
    assert done.returncode == 1
    assert b"ERROR --cpu haswell: this engine has one CPU variant only" in done.stderr


def test_children_of_the_router_take_it_over(engines: object, tmp_path: Path) -> None:
    shutil.copyfile(DEMO, tmp_path / "second.gguf")
    two = pack(
        "--model", f"a={DEMO}", "--model", f"b={tmp_path / 'second.gguf'}",
        "--targets", "linux-x86_64", output=tmp_path / "two.llamafile",
    )  # fmt: skip
    with serving(two, "--cpu", "baseline") as server:
        assert greedy(server.url, "a", max_tokens=2)
        processes = family(server.process.pid)
        assert len(processes) > 1
        maps = (Path(f"/proc/{one.pid}/maps").read_text() for one in processes)
        modules = {name for text in maps for name in re.findall(r"libggml-cpu\S*", text)}
    assert modules == {"libggml-cpu.so"}


def test_doctor_asks_the_engine(linux_bundle: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    cache.mkdir(mode=0o700)

    def finding(**env: str) -> dict[str, str]:
        done = llamapack("doctor", linux_bundle, "--json", **{"LLAMAPACK_CACHE": str(cache), **env})
        (found,) = [one for one in json.loads(done.stdout) if one["check"] == "cpu"]
        return dict(found)

    assert finding()["state"] == "note"  # nothing of a file runs because somebody looks at it
    assert not any(cache.rglob("llamapack-engine"))
    assert run(["sh", linux_bundle, "--version"], LLAMAPACK_CACHE=str(cache)).returncode == 0
    found = finding()
    assert found["state"] == "ok"
    assert f"takes the CPU variant {RUNNING[-1]} (the fastest that runs here" in found["what"]
    assert all(f"not {name}: " in found["what"] for name in NOT_RUNNING)
    assert (
        "CPU variant baseline (LLAMAPACK_CPU=baseline" in finding(LLAMAPACK_CPU="baseline")["what"]
    )
    wrong = finding(LLAMAPACK_CPU="nope")
    assert (wrong["state"], wrong["what"][:19]) == ("problem", "LLAMAPACK_CPU=nope:")


def threads(done: subprocess.CompletedProcess[bytes]) -> int:
    assert done.returncode == 0, done.stderr
    (found,) = re.findall(rb"system_info: n_threads = (\d+)", done.stderr)
    return int(found)


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="one processor is all that there is")
def test_threads_for_the_processors_that_it_may_use(linux_bundle: Path) -> None:
    processor = str(min(os.sched_getaffinity(0)))
    bound = ["taskset", "-c", processor, "sh", linux_bundle, *CLI]
    assert threads(run(bound)) == 1
    assert threads(run([*bound, "--threads", "3"])) == 3


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="one processor is all that there is")
@pytest.mark.parametrize(
    ("own", "files"),
    [
        ("0::/box\n", {"cgroup/cpu.max": "max 100000", "cgroup/box/cpu.max": "50000 100000"}),
        ("0::/box\n", {"cgroup/cpu.max": "100000 100000", "cgroup/box/cpu.max": "max 100000"}),
        ("0::/not/seen/here\n", {"cgroup/cpu.max": "100000 100000"}),
        (
            "3:cpu,cpuacct:/box\n0::/\n",
            {
                "cgroup/cpu/box/cpu.cfs_quota_us": "100000",
                "cgroup/cpu/box/cpu.cfs_period_us": "100000",
            },
        ),
    ],
)
def test_threads_for_the_quota_of_its_group(
    linux_bundle: Path, tmp_path: Path, own: str, files: dict[str, str]
) -> None:
    """As a container's limit of one processor is told, in the two versions of control groups."""
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"{text}\n")
    (tmp_path / "own").write_text(own)
    # Of the shell, which becomes the engine.
    script = (
        f"mount --bind {tmp_path}/cgroup /sys/fs/cgroup && "
        f'mount --bind {tmp_path}/own /proc/$$/cgroup && exec sh "$@"'
    )
    done = run(["unshare", "-m", "sh", "-c", script, "sh", linux_bundle, *CLI])
    if b"unshare" in done.stderr or b"mount:" in done.stderr:
        pytest.skip("SKIPPED LOUDLY: no mounts of a test's own here (root)")
    assert threads(done) == 1


# A module that a processor does not survive, each with what is said of it.
FALLING = {
    "it crashed": "__builtin_trap();",
    "it multiplies wrongly": "(void) graph; return GGML_STATUS_SUCCESS;",
    "it ended with status 3": "(void) graph; _exit(3);",
}
FALLS = """
#include "ggml-backend-impl.h"
#include <dlfcn.h>
#include <unistd.h>

int ggml_backend_score(void) {{ return 1 << 20; }}
static enum ggml_status compute(ggml_backend_t backend, struct ggml_cgraph * graph) {{
    (void) backend;
    {how}
}}
static ggml_backend_t (*start)(ggml_backend_dev_t, const char *);
static ggml_backend_t fall(ggml_backend_dev_t device, const char * params) {{
    ggml_backend_t made = start(device, params);
    made->iface.graph_compute = compute;
    return made;
}}
ggml_backend_reg_t ggml_backend_init(void) {{
    void * real = dlopen("{real}", RTLD_NOW);
    ggml_backend_reg_t reg = ((ggml_backend_reg_t (*)(void)) dlsym(real, "ggml_backend_init"))();
    ggml_backend_dev_t device = reg->iface.get_device(reg, 0);
    start = device->iface.init_backend;
    device->iface.init_backend = fall;
    return reg;
}}
"""


@pytest.mark.parametrize("trouble", FALLING)
def test_a_variant_that_does_not_survive_is_passed_over(
    engines: dict[str, Path], trouble: str, tmp_path: Path
) -> None:
    engine = tmp_path / "engine"
    shutil.copytree(engines["linux-x86_64"], engine)
    source = tmp_path / "falls.c"
    source.write_text(FALLS.format(how=FALLING[trouble], real=engine / "libggml-cpu.so"))
    ggml = llama_cpp_source.folder(engine_pins.load(native.directory())) / "ggml"
    headers = [f"-I{ggml / name}" for name in ("include", "src")]
    library = engine / "libggml-cpu-falls.so"
    zig = [sys.executable, "-m", "ziglang", "cc", "-shared", "-fPIC"]
    subprocess.run([*zig, *headers, source, "-o", library], check=True)
    words = [engine / "llamapack-engine", "-m", DEMO, *CLI]
    first, second = run(words), run(words)
    assert (first.returncode, second.returncode) == (0, 0), first.stderr
    assert first.stdout == second.stdout
    said = f"CPU: the variant falls is passed over: {trouble}"
    assert said in first.stderr.decode()
    assert said in second.stderr.decode()
    assert "as an earlier start found" in second.stderr.decode()
    [record] = engine.glob("libggml-cpu-falls.so.*")
    day = 24 * 60 * 60
    os.utime(record, (0, record.stat().st_mtime - day - 60))
    again = run(words).stderr.decode()
    assert said in again
    assert "as an earlier start found" not in again


def test_what_computes_is_tried_once(engines: dict[str, Path], tmp_path: Path) -> None:
    engine = tmp_path / "engine"
    shutil.copytree(engines["linux-x86_64"], engine)
    for record in engine.glob("*.so.*"):
        record.unlink()
    words = [engine / "llamapack-engine", "-m", DEMO, *CLI]
    assert b"passed over" not in run(words).stderr
    [record] = engine.glob("*.so.*")
    before = record.stat()
    assert b"passed over" not in run(words).stderr
    assert record.stat().st_mtime_ns == before.st_mtime_ns
