"""The wheel in an environment of its own, far from the repository and from any compiler."""

from __future__ import annotations

import os
import sys
import venv
import zipfile
from pathlib import Path

import pytest
from releases import run

from ci.release import packages

QUESTION = "What is a llamafile?"


@pytest.mark.timeout(1800)
@pytest.mark.skipif("LLAMAPACK_SLOW_TESTS" not in os.environ, reason="installs from PyPI")
def test_packs_with_engines_that_were_fetched(release: Path, wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", with_pip=True)
    bin_ = tmp_path / "venv" / "bin"
    environment = {
        **{k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")},
        "HOME": str(tmp_path),
        "LLAMAPACK_BUILD_CACHE": str(tmp_path / "build cache"),
        "LLAMAPACK_CACHE": str(tmp_path / "cache"),
        # No zig, cmake, ninja or npm that this machine may have.
        "PATH": f"{bin_}:/usr/bin:/bin",
    }

    def out(*words: str | Path) -> str:
        return run(*words, cwd=tmp_path, env=environment).stdout

    out(bin_ / "python", "-m", "pip", "install", "--quiet", wheel)
    where = out(bin_ / "python", "-c", "import packer; print(packer.__file__)")
    assert where.startswith(str(tmp_path))
    out(bin_ / "llamapack", "engine", "fetch", "--from", release / "assets", "--gpu", "none")
    packing = ["pack", "--recipe", "demo", "-o", "demo.llamafile"]
    out(bin_ / "llamapack", *packing, "--targets", "linux-x86_64,linux-x86_64-static")
    answer = out("sh", "demo.llamafile", "--cli", "-p", QUESTION, "-n", "16", "--temp", "0")
    assert answer.strip()
    out(bin_ / "llamapack", "verify", "demo.llamafile")


def test_recipes_in_a_wheel_find_the_demo_model(tmp_path: Path) -> None:
    wheel = next(path for path in packages.build(tmp_path, None) if path.suffix == ".whl")
    code = tmp_path / "code"
    zipfile.ZipFile(wheel).extractall(code)
    assert all((code / package / "py.typed").is_file() for package in ("packer", "runtime"))
    words = ("packer", "pack", "--recipe", "demo", "--offline", "--quiet")
    run(sys.executable, "-m", *words, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(code)})
    model = (code / "packer" / "data" / "packer" / "demo_model" / "demo.gguf").read_bytes()
    assert zipfile.ZipFile(tmp_path / "demo.llamafile").read("demo.gguf") == model
