"""Tiny random models that `transformers`, PEFT and bitsandbytes wrote, and what they compute."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from converting import Models
from helpers.running import succeed

from packer.convert.converter import offline_environment

REFERENCE = Path(__file__).parent / "reference"


@pytest.fixture(scope="session")
def models(python_with_torch: Path, tmp_path_factory: pytest.TempPathFactory) -> Models:
    folder = tmp_path_factory.mktemp("checkpoints")
    _run(python_with_torch, "tiny_models.py", folder)
    return Models(folder)


@pytest.fixture(scope="session")
def quantized(
    python_with_torch: Path, models: Models, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The Llama as bitsandbytes saves it: `nf4`, `fp4`, `nf4-double`, `int8`."""
    folder = tmp_path_factory.mktemp("bitsandbytes")
    _run(python_with_torch, "quantized_models.py", models.folder / "llama", folder)
    return folder


@pytest.fixture(scope="session")
def whole(models: Models, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Both models in F32 GGUF, by name."""
    folder = tmp_path_factory.mktemp("whole")
    paths = {}
    for name in ("llama", "gemma2"):
        paths[name] = folder / f"{name}-F32.gguf"
        said = succeed("convert", models.folder / name, "-o", paths[name], "--type", "f32")
        assert said == f"{paths[name]}\n"
    return paths


def _run(python: Path, script: str, *words: Path) -> None:
    command = [python, REFERENCE / script, *words]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=900,
        env=offline_environment(),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
