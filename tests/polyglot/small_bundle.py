"""Small bundles with stand-in engines, and ways to start them."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import shutil
import subprocess
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from helpers.compiled import made

from packer.ape.anatomy import take_apart
from packer.engines.stubs import link_windows

HERE = Path(__file__).parent
WINDOWS = "x86_64-windows.win10-gnu"
"""For zig. So, and optimized, it finds the C library that it compiled for the engine."""
INTERPRETER = Path("/lib64/ld-linux-x86-64.so.2")
linux_only = pytest.mark.skipif(
    os.uname().sysname != "Linux" or os.uname().machine != "x86_64",
    reason="the stand-in engines are for linux-x86_64",
)

_ENGINES = {
    "linux-x86_64": ("x86_64-linux-gnu.2.17", ['-DNAME="glibc"']),
    "linux-x86_64-refuses": ("x86_64-linux-gnu.2.17", ['-DNAME="refuses"', "-DREFUSES"]),
    "linux-x86_64-static": ("x86_64-linux-musl", ['-DNAME="static"', "-static"]),
    "linux-aarch64-static": ("aarch64-linux-musl", ['-DNAME="arm"', "-static"]),
}


@dataclasses.dataclass(frozen=True)
class Programs:
    """Compiles the stand-ins, each once."""

    zig: Path
    folder: Path

    def engine(self, name: str) -> bytes:
        target, flags = _ENGINES[name]
        return self.compiled(name, target, "-O1", "-s", *flags, HERE / "fake_engine.c").read_bytes()

    def loader(self, target: str) -> Path:
        # Where the stock loader lies.
        place = "-Wl,--image-base=0x7f000000"
        words = ("-O1", "-s", "-static", "-no-pie", place, HERE / "loader.c")
        return self.compiled(f"loader-{target}", target, *words)

    def windows(self) -> bytes:
        """A stand-in for the Windows stub."""
        words: list[str | Path] = ["-target", WINDOWS, "-O1", "-s", HERE / "windows_program.c"]
        path = self.folder / "windows.exe"
        return made(path, lambda new: link_windows(self.zig, words, new)).read_bytes()

    def compiled(self, name: str, target: str, *words: str | Path) -> Path:
        command = [self.zig, "cc", "-target", target, *words, "-o"]
        return made(self.folder / name, lambda new: subprocess.run([*command, new], check=True))


def broken_rules(folder: Path, head: bytes) -> list[str]:
    """The names of the rules that a file with this head breaks."""
    path = folder / "head"
    path.write_bytes(head)
    return [one.rule for one in take_apart(path).broken]


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


def make_place(folder: Path, head: bytes, engines: Mapping[str, Mapping[str, bytes]]) -> Place:
    home = folder / "home"
    home.mkdir()
    bundle = write_bundle(folder / "test.llamafile", head, engines)
    # yash cannot even take a path that is not ASCII in the C locale.
    return Place(bundle, home, {"HOME": str(home), "PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"})


def expect(
    done: subprocess.CompletedProcess[str],
    bundle: Path,
    engine: str,
    *words: str,
    called: str = "",
) -> None:
    """The stand-in for this engine was started with these words.

    Args:
        called: the name that it was started by, if it is not the bundle's path.
    """
    argv = [called or str(bundle), *words]
    arguments = "".join(f"argument {word}\n" for word in argv)
    want = f"engine {engine}\nbundle {bundle}\n{arguments}"
    assert (done.returncode, done.stdout, done.stderr) == (7, want, "")


def refused(done: subprocess.CompletedProcess[str], *texts: str) -> None:
    lines = done.stderr.splitlines()
    assert done.returncode == 1
    assert [line.split()[0] for line in lines] == ["ERROR", "TIP"]
    for text in texts:
        assert text in lines[0]


def private_mounts(place: Place, script: str) -> subprocess.CompletedProcess[str]:
    """Run a script where it may mount what it likes; $1 is the bundle."""
    needs("unshare")
    if subprocess.run(["unshare", "-rm", "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine does not permit private mounts")
    return place.run("unshare", "-rm", "sh", "-ec", script, "sh", place.bundle)


def fake_uname(place: Place, answer: str) -> str:
    folder = place.home / "bin"
    folder.mkdir()
    (folder / "uname").write_text(f"#!/bin/sh\necho '{answer}'\n")
    (folder / "uname").chmod(0o755)
    return f"{folder}:{place.env['PATH']}"


def needs(*programs: str) -> None:
    """Skip, naming what this machine lacks."""
    for program in programs:
        if not shutil.which(program):
            pytest.skip(f"this machine has no {program}")
