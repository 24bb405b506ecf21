"""Builds the driver that makes native/bundle usable from Python."""

from __future__ import annotations

import shutil
import subprocess
import warnings
from pathlib import Path

import pytest

from packer.engine import native, toolchain


@pytest.fixture(scope="session")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With address and undefined-behaviour checks where the machine has them."""
    program = tmp_path_factory.mktemp("driver") / "driver"
    bundle = native.directory() / "bundle"
    arguments = [
        "-std=c11", "-g", "-O1", "-Wall", "-Wextra", "-Werror", f"-I{bundle}",
        str(Path(__file__).with_name("driver.c")), *map(str, sorted(bundle.glob("*.c"))),
        "-o", str(program),
    ]  # fmt: skip
    if gcc := shutil.which("gcc"):
        checks = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
        if subprocess.run([gcc, *checks, *arguments], check=False).returncode == 0:
            return program
    warnings.warn("no gcc with sanitizers: hostile archives are tried without them", stacklevel=1)
    subprocess.run([toolchain._zig(), "cc", *arguments], check=True)
    return program
