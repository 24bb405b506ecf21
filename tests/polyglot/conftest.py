"""Stubs, stand-in engines and bundles made of them."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import os
import shutil
import subprocess
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from packer.engine import toolchain
from packer.polyglot.head import build_head
from packer.polyglot.stubs import STUB_TARGETS, build_stub

HERE = Path(__file__).parent
LIBRARY = b"\x7fELF not really" + bytes(range(256)) * 700

_ENGINES = {
    "linux-x86_64": ("x86_64-linux-gnu.2.17", ['-DNAME="glibc"']),
    "linux-x86_64-refuses": ("x86_64-linux-gnu.2.17", ['-DNAME="refuses"', "-DREFUSES"]),
    "linux-x86_64-static": ("x86_64-linux-musl", ['-DNAME="static"', "-static"]),
    "linux-aarch64-static": ("aarch64-linux-musl", ['-DNAME="arm"', "-static"]),
}


@pytest.fixture(scope="session")
def zig() -> Path:
    return toolchain._zig()


@pytest.fixture(scope="session")
def stubs(zig: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    out = tmp_path_factory.mktemp("stubs")
    return {target: build_stub(target, zig, out).read_bytes() for target in STUB_TARGETS}


@pytest.fixture(scope="session")
def head(stubs: dict[str, bytes]) -> bytes:
    return build_head(stubs)


@dataclasses.dataclass(frozen=True)
class Programs:
    """Compiles the stand-ins, each once."""

    zig: Path
    folder: Path

    @functools.cache  # noqa: B019 - there is one per session
    def engine(self, name: str) -> bytes:
        target, flags = _ENGINES[name]
        program = self.folder / name
        source = HERE / "fake_engine.c"
        self.compile(target, "-O1", "-s", *flags, str(source), "-o", str(program))
        return program.read_bytes()

    @functools.cache  # noqa: B019
    def loader(self, target: str) -> Path:
        program = self.folder / f"loader-{target}"
        # Where the stock loader lies.
        place = "-Wl,--image-base=0x7f000000"
        self.compile(
            target,
            "-O1",
            "-s",
            "-static",
            "-no-pie",
            place,
            str(HERE / "loader.c"),
            "-o",
            str(program),
        )
        return program

    def compile(self, target: str, *arguments: str) -> None:
        subprocess.run([self.zig, "cc", "-target", target, *arguments], check=True)


@pytest.fixture(scope="session")
def programs(zig: Path, tmp_path_factory: pytest.TempPathFactory) -> Programs:
    return Programs(zig, tmp_path_factory.mktemp("programs"))


def write_bundle(path: Path, head: bytes, engines: Mapping[str, Mapping[str, bytes]]) -> Path:
    """A bundle without weights: what the start needs."""
    path.write_bytes(head)
    path.chmod(0o755)
    with zipfile.ZipFile(path, "a") as archive:
        for target, files in engines.items():
            sums = "".join(
                f"{hashlib.sha256(data).hexdigest()}  {name}\n"
                for name, data in sorted(files.items())
            )
            archive.writestr(f"engines/{target}/SHA256SUMS", sums)
            for name, data in files.items():
                archive.writestr(f"engines/{target}/{name}", data, compress_type=8)
    return path


@dataclasses.dataclass
class Place:
    """A bundle and a home of its own."""

    bundle: Path
    home: Path
    env: dict[str, str]

    @property
    def cache(self) -> Path:
        return self.home / ".cache" / "llamapack"

    def run(self, *command: str | Path, **env: str | None) -> subprocess.CompletedProcess[str]:
        """Run a command; variables set to None are unset."""
        merged = {**self.env, **env}
        return subprocess.run(
            [str(word) for word in command],
            env={k: v for k, v in merged.items() if v is not None},
            capture_output=True, text=True, check=False, cwd=self.home, timeout=120,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip


@pytest.fixture
def engines(programs: Programs) -> dict[str, dict[str, bytes]]:
    return {
        name: {"libx.so": LIBRARY, "llamapack-engine": programs.engine(name)}
        for name in ("linux-x86_64", "linux-x86_64-static", "linux-aarch64-static")
    }


@pytest.fixture
def place(tmp_path: Path, head: bytes, engines: dict[str, dict[str, bytes]]) -> Place:
    home = tmp_path / "home"
    home.mkdir()
    bundle = write_bundle(tmp_path / "test.llamafile", head, engines)
    # yash cannot even take a path that is not ASCII in the C locale.
    env = {"HOME": str(home), "PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}
    return Place(bundle, home, env)


def needs(*programs: str) -> None:
    """Skip, naming what this machine lacks."""
    for program in programs:
        if not shutil.which(program):
            pytest.skip(f"this machine has no {program}")
