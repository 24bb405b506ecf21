"""Builds the programs that make native/bundle, and files of native/engine, usable from Python."""

from __future__ import annotations

import shutil
import subprocess
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from packer.engines import native, toolchain

Compiled = Callable[..., Path]
"""Compiles a C++ file of this folder with files of native/engine."""


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Compiled:
    found = shutil.which("g++")  # zig would first compile a C++ library
    compiler = [found] if found else [toolchain._zig(), "c++"]
    engine = native.directory() / "engine"

    def compile(own: str, *others: str) -> Path:
        built = tmp_path_factory.mktemp("compiled") / "try"
        sources = [Path(__file__).with_name(own), *(engine / other for other in others)]
        command = [
            *compiler,
            "-std=c++17",
            "-Wall",
            "-Wextra",
            f"-I{engine}",
            f"-I{engine / 'os'}",
            *sources,
        ]
        subprocess.run([*command, "-o", built], check=True)
        return built

    return compile


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
