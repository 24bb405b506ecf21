"""`llamapack run` and `python -m runtime`, as users start them."""

from __future__ import annotations

import json
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pexpect
import pytest
from helpers.repository import DEMO
from helpers.running import CLI as TWO_THREADS
from helpers.running import (
    PACKER,
    answer,
    client,
    free_port,
    greedy,
    refusal,
    run,
    succeed,
    until_healthy,
)

CLI = [*TWO_THREADS, "-t", "1"]  # two threads that wait for each other are slow beside other tests

RUN = [*PACKER, "run"]
ALONE = [sys.executable, "-m", "runtime"]
SMALL = ["-ngl", "0", "-c", "512"]


def said(*words: str | Path, program: Sequence[str] = RUN, cwd: Path | None = None) -> str:
    """What a start prints on stdout."""
    done = run([*program, *words], cwd=cwd)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


@pytest.fixture(scope="session")
def expected(demo_bundle: Path) -> str:
    """What the bundle answers by itself; it also unpacks the engine."""
    return answer(demo_bundle, "-t", "1").decode()


@pytest.fixture
def parts(demo_bundle: Path, tmp_path: Path) -> Path:
    """The first of several parts of the demo bundle."""
    folder = tmp_path / "parts"
    folder.mkdir()
    succeed("split", demo_bundle, "--size", "9MB", "-o", folder, "-q")
    return folder / "demo.llamafile.cat0"


@pytest.mark.parametrize("program", [RUN, ALONE], ids=["llamapack run", "python -m runtime"])
def test_a_bundle_answers_as_it_does_by_itself(
    expected: str, demo_bundle: Path, program: list[str]
) -> None:
    assert said(demo_bundle, *CLI, program=program) == expected


def test_the_engine_is_unpacked_once(expected: str, demo_bundle: Path, engine_cache: Path) -> None:
    """Where the start stub puts it, whoever was first."""
    before = sorted(engine_cache.rglob("*"))
    plan = json.loads(said(demo_bundle, "--json"))
    assert plan["engine"]["unpacked"]
    assert Path(plan["engine"]["program"]) in before
    assert said(demo_bundle, *CLI) == expected
    assert sorted(engine_cache.rglob("*")) == before


def test_an_engine_that_the_launcher_unpacks_is_the_stubs(
    demo_bundle: Path, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    assert run([*RUN, demo_bundle, *CLI], LLAMAPACK_CACHE=str(cache)).returncode == 0
    (folder,) = (path for path in (cache / "engines").iterdir() if path.is_dir())
    target = folder.name.rpartition("-")[0]
    sums = succeed("cat", demo_bundle, f"engines/{target}/SHA256SUMS").encode()
    command = ["sha256sum", "-c", "--ignore-missing", "--quiet", "-"]
    checked = run(command, typed=sums, cwd=folder)
    assert checked.returncode == 0, checked.stderr
    assert cache.stat().st_mode & 0o777 == 0o700
    times = {path: path.stat().st_ctime_ns for path in cache.rglob("*")}
    answer(demo_bundle, "-t", "1", LLAMAPACK_CACHE=str(cache))
    after = {
        path: path.stat().st_ctime_ns
        for path in cache.rglob("*")
        if (cache / "stubs") not in (path, *path.parents)
        and path != cache
        and path.suffix != ".ok"  # of the stub
    }
    assert after.items() <= times.items()


def test_parts_answer_and_become_the_file(expected: str, parts: Path, demo_bundle: Path) -> None:
    done = run([*RUN, parts, *SMALL, *CLI])
    assert done.returncode == 0, done.stderr
    assert done.stdout.decode() == expected
    assert b"joining the parts" in done.stderr
    whole = parts.with_name("demo.llamafile")
    assert whole.read_bytes() == demo_bundle.read_bytes()
    assert sorted(path.name for path in parts.parent.iterdir()) == [
        "demo.llamafile",
        "demo.llamafile.sha256",
    ]
    assert said(parts, *SMALL, *CLI) == expected  # the name still works


def test_parts_are_planned_without_joining_them(parts: Path) -> None:
    before = sorted(parts.parent.iterdir())
    plan = json.loads(said(parts, *SMALL, "--dry-run", "--json"))
    assert plan["memory"] is None  # no engine reads parts
    assert plan["model"]["architecture"] == "llama"
    assert plan["target"].endswith("demo.llamafile")
    assert sorted(parts.parent.iterdir()) == before


def test_a_user_at_a_terminal_is_asked(parts: Path) -> None:
    before = sorted(parts.parent.iterdir())
    child = pexpect.spawn(RUN[0], [*RUN[1:], str(parts), *CLI], timeout=120, encoding="utf-8")
    child.expect(r"in place \([\d.]+ MB\)\?.*\[Y/n\]")
    child.sendline("n")
    child.expect(r"TIP.*llamapack join")
    child.expect(pexpect.EOF)
    assert sorted(parts.parent.iterdir()) == before


def test_or_has_said_yes(expected: str, parts: Path) -> None:
    words = [*RUN[1:], str(parts), "--yes", *SMALL, *CLI]
    answered, status = pexpect.run(
        RUN[0] + " " + shlex.join(words), timeout=120, withexitstatus=True
    )
    assert status == 0, answered
    assert b"in place (" not in answered
    assert expected.strip().splitlines()[-1] in answered.decode()


def test_one_part_is_started_as_it_is(expected: str, demo_bundle: Path, tmp_path: Path) -> None:
    part = tmp_path / "demo.llamafile.cat0"
    shutil.copyfile(demo_bundle, part)
    assert said(part, *CLI, program=ALONE) == expected
    assert [path.name for path in tmp_path.iterdir()] == [part.name]


def test_a_gguf_is_started_by_the_engine_that_was_built(
    expected: str, tmp_path: Path, demo_bundle: Path
) -> None:
    model = tmp_path / "m.gguf"
    shutil.copyfile(DEMO, model)
    assert said(model, *CLI) == expected
    # From now on it is installed, and the launcher alone finds it.
    assert said(model, *CLI, program=ALONE) == expected
    assert said("-m", model, *CLI) == expected


def test_without_an_engine_the_commands_that_bring_one_are_named(tmp_path: Path) -> None:
    error, tip = refusal(run([*ALONE, DEMO], LLAMAPACK_CACHE=str(tmp_path / "empty")))
    assert error.startswith("no engine for linux-")
    assert "`llamapack engine fetch`" in tip
    assert "`llamapack engine build`" in tip


def test_windows_programs_with_weights_beside_them(
    expected: str, demo_bundle: Path, tmp_path: Path
) -> None:
    """On Linux the engine for Windows is of no use: an installed one reads the same weights."""
    words = ["pack", DEMO, "-o", tmp_path / "m.llamafile", "-q", "--gpu", "none"]
    words += ["--windows", "external", "--targets", "windows-x86_64,linux-x86_64"]
    succeed(*words)
    assert said(tmp_path / "m.exe", *CLI) == expected
    (tmp_path / "m.llamafile").unlink()
    missing = run([*RUN, tmp_path / "m.exe"])
    assert b"holds no weights" in missing.stderr
    shutil.copyfile(DEMO, tmp_path / "m.gguf")
    assert said(tmp_path / "m.exe", *CLI) == expected


def test_the_printed_command_line_is_the_start(
    expected: str, demo_bundle: Path, tmp_path: Path
) -> None:
    odd = tmp_path / "it's a file.llamafile"
    odd.symlink_to(demo_bundle)
    line = said(odd, *CLI, "--dry-run")
    done = run(["sh", "-c", line])
    assert done.stdout.decode() == expected
    assert shlex.split(line)[-len(CLI) :] == CLI


def test_the_plan(expected: str, demo_bundle: Path) -> None:
    done = run([*RUN, demo_bundle, *SMALL, "--dry-run", "--json"])
    assert done.returncode == 0
    plan = json.loads(done.stdout)
    assert plan["command"][1:] == SMALL
    memory = plan["memory"]
    assert memory["kv_cache"] == 512 * 2 * 128 * 2 * 4  # tokens, K and V, elements, F16, layers
    assert memory["total"] == memory["weights"] + memory["kv_cache"] + memory["compute"]
    assert memory["fits"]
    (line,) = done.stderr.decode().splitlines()
    assert line.startswith("memory: 2.7 MB weights + 1.0 MB KV cache (512 tokens, f16) + ")


def test_flags_go_through_untouched(demo_bundle: Path) -> None:
    odd = ["--cli", "-p", "a b  c\t'\"$HOME", "--temp", "0", "--", "--json", "--dry-run"]
    plan = json.loads(said("--json", demo_bundle, *odd))
    assert plan["command"][1:] == [word for word in odd if word != "--"]


def test_what_cannot_fit_is_refused_and_the_largest_named(expected: str, demo_bundle: Path) -> None:
    error, tip = refusal(run([*RUN, demo_bundle, *CLI, "-c", "2000000000"]))
    assert error.startswith(f"{demo_bundle} with a context of 2,000,000,000 tokens needs ")
    largest = int(tip.split("`-c ")[1].split("`")[0])
    assert 512 < largest < 2_000_000_000
    # What else runs on this machine takes and frees memory meanwhile.
    assert said(demo_bundle, "-c", str(largest * 9 // 10), "--dry-run")
    assert run([*RUN, demo_bundle, "-c", str(largest * 2), "--dry-run"]).returncode == 1
    forced = run([*RUN, demo_bundle, "-c", "2000000000", "--dry-run", "--force"])
    assert forced.returncode == 0


def test_log_disable_leaves_nothing_but_the_answer(demo_bundle: Path) -> None:
    done = run([*RUN, demo_bundle, *CLI, "--log-disable", "--gpu", "disable"])
    assert done.returncode == 0
    assert b"memory:" not in done.stderr


@pytest.mark.parametrize("words", [["--nonsense"], ["--cli", "-p", "x", "-m", "/no/such.gguf"]])
def test_the_exit_status_is_the_engines(demo_bundle: Path, words: list[str]) -> None:
    alone = run(["sh", demo_bundle, *words])
    done = run([*RUN, demo_bundle, *words])
    assert done.returncode == alone.returncode != 0
    assert done.stderr.endswith(alone.stderr)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_are_the_engines(demo_bundle: Path, number: signal.Signals) -> None:
    port = free_port()
    words = [str(demo_bundle), "--server", "--nobrowser", "--port", str(port)]
    process = subprocess.Popen(
        [*RUN, *words], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        until_healthy(f"http://127.0.0.1:{port}", process)
        program = Path(f"/proc/{process.pid}/exe").readlink()
        assert program.name == "llamapack-engine"  # not Python any more
        process.send_signal(number)
        _, log = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 0, log  # the server ends in peace


def test_signals_that_python_ignores_are_not_ignored_by_the_engine(demo_bundle: Path) -> None:
    port = str(free_port())
    words = [str(demo_bundle), "--chat", "--port", port]
    process = subprocess.Popen([*RUN, *words], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        _until_engine(process)
        # The chat ignores SIGPIPE by itself; nothing ignores this one.
        ignored = _status(process.pid, "SigIgn")
        assert not ignored & 1 << (signal.SIGXFSZ - 1)
    finally:
        process.kill()
        process.communicate()


def _until_engine(process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while Path(f"/proc/{process.pid}/exe").readlink().name != "llamapack-engine":
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _status(pid: int, key: str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1], 16) for line in lines if line.startswith(key))


def test_a_folder_of_models_is_served_by_name(tmp_path: Path) -> None:
    shutil.copyfile(DEMO, tmp_path / "one.gguf")
    shutil.copyfile(DEMO, tmp_path / "two.gguf")
    port = free_port()
    process = subprocess.Popen(
        [*RUN, str(tmp_path), "--port", str(port)],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        until_healthy(f"http://127.0.0.1:{port}", process)
        url = f"http://127.0.0.1:{port}"
        assert {model.id for model in client(url).models.list()} == {"one", "two"}
        assert "llamafile" in greedy(url, "two")
    finally:
        process.terminate()
        process.wait(60)


def test_the_manual() -> None:
    done = run([*RUN, "--help"])
    assert done.returncode == 0
    assert b"usage: llamapack run TARGET" in done.stdout
    assert run([*RUN]).returncode == 2
    assert b"usage: python -m runtime TARGET" in run([*ALONE, "-h"]).stdout


@pytest.mark.parametrize(
    ("target", "what"),
    [
        ("/no/such.llamafile", "does not exist"),
        ("/etc/passwd", "is not a bundle"),
        (".", "has no `.gguf` in it"),
        ("hf:", "does not name a model"),
        ("x.cat0", "does not exist"),
    ],
)
def test_what_is_nothing_to_run(target: str, what: str, tmp_path: Path) -> None:
    done = run([*RUN, target], cwd=tmp_path, PYTHONPATH=str(Path(__file__).parents[3]))
    assert what in refusal(done)[0]
