"""Machines and bundles that are made up for one condition each."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterable
from pathlib import Path

import pytest

from runtime.doctor import Check, examine
from runtime.doctor.check import Finding
from runtime.machine.machine import Machine

MZ_HEAD = b"MZqFpD='\n'\necho started by a shell\nexit\n"
UNIX_HEAD = b"jartsr='\n'\necho started by a shell\nexit\n"
BINFMT = "proc/sys/fs/binfmt_misc"
AVX2 = "flags\t\t: fpu fma avx f16c avx2 bmi2\n"


def write(path: Path, text: str = "", mode: int = 0o644) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


def program(path: Path, script: str) -> Path:
    return write(path, f"#!/bin/sh\n{script}\n", 0o755)


def machine(tmp_path: Path, target: str = "linux-x86_64", **env: str) -> Machine:
    """A machine where nothing is wrong, in `tmp_path/root` and with the home `tmp_path/home`."""
    root, home = tmp_path / "root", tmp_path / "home"
    home.mkdir(exist_ok=True)
    for folder in ("tmp", "var/tmp", "dev/shm"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    write(root / BINFMT / "register")
    write(root / BINFMT / "status", "enabled\n")
    write(root / "proc/cpuinfo", AVX2)
    write(root / "proc/sys/kernel/osrelease", "6.1.0-test\n")
    write(root / "lib64/ld-linux-x86-64.so.2")
    system, _, arch = target.partition("-")
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir(exist_ok=True)
    return Machine(
        system, arch, {"HOME": str(home), "PATH": str(bin_folder), **env}, os.geteuid(), root,
        # The order of the kernel's directory is tested with the kernel's.
        lambda folder: sorted(path.name for path in folder.iterdir()),
    )  # fmt: skip


def register(on: Machine, name: str, interpreter: str, *lines: str, state: str = "enabled") -> None:
    text = "\n".join([state, f"interpreter {interpreter}", *(lines or ("magic 4d5a",)), ""])
    write(on.root / BINFMT / name, text)


def bundle(
    path: Path,
    head: bytes = UNIX_HEAD,
    targets: Iterable[str] = ("linux-x86_64", "linux-x86_64-static"),
    *,
    weights: bool = True,
    made_by: str = "llamapack 0.1.0",
) -> Path:
    """A bundle with engines of a few bytes."""
    path.write_bytes(head.ljust(4096, b"\0"))
    add_archive(path, targets, weights=weights, made_by=made_by)
    return path


def add_archive(
    path: Path,
    targets: Iterable[str],
    *,
    weights: bool = True,
    made_by: str = "llamapack 0.1.0",
) -> None:
    with zipfile.ZipFile(path, "a") as archive:
        for target in targets:
            data = f"engine for {target}".encode()
            sums = f"{hashlib.sha256(data).hexdigest()}  llamapack-engine\n"
            archive.writestr(f"engines/{target}/llamapack-engine", data)
            archive.writestr(f"engines/{target}/SHA256SUMS", sums)
        if weights:
            archive.writestr("m.gguf", b"GGUF")
        if made_by:
            archive.writestr("llamapack.json", json.dumps({"format": 1, "tool": made_by}))
    path.chmod(0o755)


def found(check: Check, on: Machine, file: Path | None = None) -> list[Finding]:
    return list(examine(on, file, [check]))


def only(check: Check, on: Machine, file: Path | None = None) -> Finding:
    [finding] = found(check, on, file)
    return finding


def commands(mend: str) -> list[str]:
    """The commands in a text, which stand in backticks."""
    return mend.split("`")[1::2]


def in_private_mounts(tmp_path: Path, script: str) -> str:
    """What a script prints that may mount what it likes; `doctor WORDS` runs the command, `sudo`
    does nothing more, and home is `tmp_path/home`."""
    unshare = shutil.which("unshare")
    if not unshare:
        pytest.skip("this machine has no unshare")
    if subprocess.run([unshare, "-rm", "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine does not permit private mounts")
    tools, home = tmp_path / "tools", tmp_path / "home"
    program(tools / "sudo", 'exec "$@"')
    program(tools / "doctor", f'exec {shlex.quote(sys.executable)} -m packer doctor "$@" --json')
    home.mkdir(exist_ok=True)
    root = Path(__file__).parents[2]
    env = {
        "HOME": str(home), "PATH": f"{tools}:{os.environ['PATH']}", "PYTHONPATH": str(root),
        "TMPDIR": str(tmp_path),
    }  # fmt: skip
    done = subprocess.run(
        [unshare, "-rm", "sh", "-ec", script], cwd=tmp_path, env=env, capture_output=True,
        text=True, timeout=120, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    if done.returncode == 77:
        pytest.skip(f"this machine cannot: {done.stderr}")
    assert done.returncode == 0, done.stderr
    return done.stdout
