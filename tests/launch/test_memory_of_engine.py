"""What the engine says before it loads a model, beside what it allocates when it does."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helpers.repository import DEMO
from sparse_models import MAKERS

from packer.engines import cache

MIB = 1 << 20
QUICK = ["-p", "a", "-n", "0", "--no-warmup", "-t", "1"]
ROUNDING = 0.01  # MiB, of each line of the log

CASES = list(
    zip(
        MAKERS,
        (
            ["-c", "1000", "-ctk", "q8_0"],
            ["-c", "20000", "--swa-full"],
            ["-c", "4096", "-ctk", "f32", "-ctv", "f32", "-fa", "off"],
            ["-c", "8192", "-np", "3", "-ub", "128"],
        ),
        strict=True,
    )
)


@pytest.fixture(scope="session")
def engine() -> Path:
    path = cache.find("linux-x86_64")
    assert path, "run `llamapack engine build linux-x86_64`"
    return path / "llamapack-engine"


def run(*command: str | Path) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [str(word) for word in command],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=120,
    )


def said(engine: Path, *words: str | Path) -> Any:
    done = run(engine, "--probe-memory", *words)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def logged(text: str, what: str) -> list[float]:
    return [float(number) for number in re.findall(rf"{what} *= +([\d.]+) MiB", text)]


@pytest.mark.parametrize(("make", "words"), CASES, ids=[make.__name__ for make in MAKERS])
@pytest.mark.parametrize("settled", [True, False], ids=["words", "no words"])
def test_the_engine_allocates_what_it_said(
    make: Callable[[Path], Path], words: list[str], settled: bool, engine: Path, tmp_path: Path
) -> None:
    command = ["--cli", "-m", make(tmp_path / "model.gguf"), *QUICK, *(words if settled else [])]
    found = said(engine, *command)
    done = run(engine, *command, "-v")
    # The weights are zeros, so what it answers is nothing; those that `--fit` tries come first.
    text = (done.stdout + done.stderr).decode("utf-8", "replace")
    text = text.rpartition("fitting params to free memory took")[2]
    sizes = logged(text, "(?:KV|RS) buffer size")
    assert found["host"]["cache"] / MIB == pytest.approx(sum(sizes), abs=ROUNDING * len(sizes))
    (*_, computing) = logged(text, "CPU compute buffer size")
    assert found["host"]["compute"] / MIB == pytest.approx(computing, abs=ROUNDING)
    (mapped, *_) = logged(text, "CPU(?:_Mapped)? model buffer size")
    assert found["host"]["weights"] / MIB == pytest.approx(mapped, abs=0.5)
    assert (found["devices"], found["gpu_layers"], found["context_trained"]) == ([], 0, 32768)


@pytest.mark.parametrize(
    ("words", "context"),
    [([], 1024), (["-c", "0"], 1024), (["-c", "512"], 512), (["-c", "2000000000"], 2_000_000_000)],
)
def test_contexts(words: list[str], context: int, engine: Path) -> None:
    found = said(engine, "-m", DEMO, *words)
    assert found["context"] == context
    # Tokens, K and V, elements, F16, layers.
    assert found["host"]["cache"] == context * 2 * 128 * 2 * 4
    assert found["cache_types"] == ["f16", "f16"]


def test_contexts_that_are_calculated_are_what_is_measured(engine: Path) -> None:
    """Up to 1,048,576 tokens it is measured."""
    below, above = (said(engine, "-m", DEMO, "-c", str((1 << 20) + more)) for more in (0, 256))
    for kind, per_token in (("cache", 2048), ("compute", 1024)):
        more = above["host"][kind] - below["host"][kind]
        assert more == pytest.approx(256 * per_token, rel=0.01)


def test_a_draft_model_counts(engine: Path) -> None:
    alone, both = said(engine, "-m", DEMO), said(engine, "-m", DEMO, "-md", DEMO)
    assert both["host"]["weights"] == 2 * alone["host"]["weights"]
    assert both["host"]["cache"] == 2 * alone["host"]["cache"]


@pytest.mark.parametrize("words", [["-m", "/etc/passwd"], ["-m", DEMO, "-c", "many"], []])
def test_what_cannot_start_is_not_answered(words: list[str], engine: Path) -> None:
    done = run(engine, "--probe-memory", *words)
    assert done.returncode == 1
    assert not done.stdout
