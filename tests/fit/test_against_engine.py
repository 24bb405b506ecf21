"""The estimate beside what the engine itself says that it allocates."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from sparse_models import MAKERS

from packer.engine import cache
from runtime.fit.memory_use import cache_bytes, compute_bytes
from runtime.fit.model_shape import model_shape
from runtime.launch.flags import read_flags
from runtime.weights import in_files

MIB = 1 << 20
QUICK = ["-p", "a", "-n", "0", "--no-warmup", "-t", "1", "--fit", "off", "-v"]
ROUNDING = 0.01  # MiB, of each line of the log

CHOICES = [
    ["-c", "1000", "-ctk", "q8_0"],
    ["-c", "20000"],
    ["-c", "4096", "-ctk", "f32", "-ctv", "f32", "-fa", "off"],
    ["-c", "0", "--swa-full"],
    ["-c", "8192", "-np", "3", "-ub", "128"],
]
CASES = [
    (make, words) for n, make in enumerate(MAKERS) for words in ([], CHOICES[n % len(CHOICES)])
]


@pytest.fixture(scope="session")
def engine() -> Path:
    path = cache.find("linux-x86_64")
    assert path, "run `llamapack engine build linux-x86_64`"
    return path / "llamapack-engine"


def log_of(engine: Path, model: Path, words: list[str]) -> str:
    """What the engine says while it loads; the weights are zeros, so what it answers is nothing."""
    command = [engine, "--cli", "-m", model, *QUICK, *words]
    done = subprocess.run(
        [str(word) for word in command],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=120,
    )
    text = (done.stdout + done.stderr).decode("utf-8", "replace")
    assert "compute buffer size" in text, text[-3000:]
    return text


def logged(text: str, what: str) -> list[float]:
    return [float(number) for number in re.findall(rf"{what} *= +([\d.]+) MiB", text)]


@pytest.mark.parametrize(
    ("make", "words"), CASES, ids=[f"{make.__name__} {' '.join(words)}" for make, words in CASES]
)
def test_the_engine_allocates_what_was_said(
    make: Callable[[Path], Path], words: list[str], engine: Path, tmp_path: Path
) -> None:
    weights = in_files(make(tmp_path / "model.gguf"))
    shape = model_shape(weights.headers)
    flags = read_flags(["--cli", *words], {})
    settings = flags.settings(shape.context_length)
    text = log_of(engine, Path(weights.name), words)
    sizes = logged(text, "(?:KV|RS) buffer size")
    assert sizes or not cache_bytes(shape, settings)
    assert cache_bytes(shape, settings) / MIB == pytest.approx(
        sum(sizes), abs=ROUNDING * max(len(sizes), 1)
    )
    (computing,) = logged(text, "CPU compute buffer size")
    said = compute_bytes(shape, settings) / MIB
    assert computing <= said <= 2 * computing + 20
    (mapped, *_) = logged(text, "CPU(?:_Mapped)? model buffer size")
    assert shape.weights / MIB == pytest.approx(mapped, abs=0.5)
