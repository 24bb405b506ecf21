"""Options that llama.cpp removed after v0.4.0: in bundles, presets and environments they count."""

from __future__ import annotations

import subprocess
from pathlib import Path

import psutil
import pytest
import requests
from helpers.repository import DEMO
from helpers.running import QUESTION, answer, free_port, pack, run, serving, until_healthy

TODAY = {
    "--mlock": "mlock",
    "--mmap": "mmap",
    "--no-mmap": "none",
    "-dio": "dio",
    "--direct-io": "dio",
    "-ndio": "none",
    "--no-direct-io": "none",
}
"""What v0.4.0 took each of them for, as `--load-mode` says it (its common/arg.cpp)."""


def mapped(server: subprocess.Popen[bytes], bundle: Path) -> bool:
    """Whether the weights are a part of the server's memory as they are on the disk."""
    process = psutil.Process(server.pid)
    maps = [one for p in (process, *process.children(recursive=True)) for one in p.memory_maps()]
    return any(one.path == str(bundle) for one in maps)


@pytest.mark.parametrize("word", TODAY)
def test_words(demo_bundle: Path, word: str) -> None:
    done = run(["sh", demo_bundle, "--cli", "-p", QUESTION, "-n", "8", "--temp", "0", word])
    assert done.returncode == 0, done.stderr
    assert b"removed" not in done.stderr
    assert done.stdout == answer(demo_bundle, "-n", "8", "--load-mode", TODAY[word])


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], True),
        (["--no-mmap"], False),
        (["--mmap"], True),
        (["-dio"], False),
        (["--no-mmap", "--mmap"], True),
        (["--mmap", "--mlock"], False),
        (["--load-mode", "mmap", "--no-mmap"], False),
        (["--no-mmap", "-lm", "mmap"], True),
    ],
)
def test_the_last_one_counts(demo_bundle: Path, words: list[str], expected: bool) -> None:
    with serving(demo_bundle, *words) as server:
        assert mapped(server.process, demo_bundle) is expected


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"LLAMA_ARG_MMAP": "0"}, False),
        ({"LLAMA_ARG_MMAP": "1"}, True),
        ({"LLAMA_ARG_NO_MMAP": "1"}, False),
        ({"LLAMA_ARG_DIO": "1"}, False),
        ({"LLAMA_ARG_NO_MMAP": "1", "LLAMA_ARG_LOAD_MODE": "mmap"}, True),
    ],
)
def test_variables(
    demo_bundle: Path,
    variables: dict[str, str],
    expected: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with serving(demo_bundle) as server:
        assert mapped(server.process, demo_bundle) is expected


def test_arguments_of_an_old_bundle(engines: object, tmp_path: Path) -> None:
    port = str(free_port())
    bundle = pack(
        DEMO, "--targets", "linux-x86_64", "--args", f"--no-mmap --mlock --port {port}",
        output=tmp_path / "old.llamafile",
    )  # fmt: skip
    command = ["sh", str(bundle), "--server", "--nobrowser"]
    null = subprocess.DEVNULL
    with subprocess.Popen(command, stdin=null, stdout=null, stderr=null) as process:
        until_healthy(f"http://127.0.0.1:{port}", process)
        process.terminate()


@pytest.mark.parametrize(
    ("line", "expected"),
    [("mmap = true", True), ("no-mmap = true", False), ("LLAMA_ARG_MMAP = 0", False)],
)
def test_presets(demo_bundle: Path, tmp_path: Path, line: str, expected: bool) -> None:
    preset = tmp_path / "models.ini"
    preset.write_text(f"[small]\nmodel = {DEMO}\n{line}\nctx-size = 256\n")
    with serving(demo_bundle, "--models-preset", str(preset)) as server:
        body = {"model": "small", "prompt": "Hi", "max_tokens": 2}
        answered = requests.post(f"{server.url}/v1/completions", json=body, timeout=120)
        assert answered.status_code == 200, answered.text
        assert mapped(server.process, DEMO) is expected


def test_a_configuration_file(demo_bundle: Path, tmp_path: Path) -> None:
    config = tmp_path / "config.ini"
    config.write_text("mlock = true\nmmap = 0\nn-predict = 8\n")
    assert answer(demo_bundle, "--config", config) == answer(demo_bundle, "-lm", "none")


def test_a_meaning_that_changed_is_said(demo_bundle: Path) -> None:
    done = run(["sh", demo_bundle, "--cli", "-p", "Hi", "-n", "2", "-j", " {} "])
    assert done.returncode == 0, done.stderr
    notes = [line for line in done.stderr.decode().splitlines() if line.startswith("NOTE ")]
    assert len(notes) == 1
    assert '{"type": "object"}' in notes[0]


def test_the_port_of_every_card(demo_bundle: Path) -> None:
    text = run(["sh", demo_bundle, "--help"]).stdout.decode()
    listed = text[text.index("\n--port PORT") :].split("\n--", 2)[1]
    assert "(default: 8080)" in listed
