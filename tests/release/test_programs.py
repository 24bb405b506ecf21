"""The frozen programs, in a root file system with glibc and nothing of Python."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from releases import run

from ci.release import programs

LLAMAPACK = "/opt/llamapack/llamapack"
QUESTION = ("--cli", "-p", "What is a llamafile?", "-n", "16", "--temp", "0")

_GLIBC = ("ld-linux-x86-64.so.2", "libc.so.6", "libdl.so.2", "libm.so.6", "libpthread.so.0")
_GLIBC_MORE = ("librt.so.1", "libutil.so.1")
_LIBRARIES = Path("/lib/x86_64-linux-gnu")
_BUSYBOX = Path("/bin/busybox")
_CHROOT = 'root=$1; shift; mount --rbind /proc "$root/proc"; exec chroot "$root" "$@"'

pytestmark = [
    pytest.mark.timeout(1800),
    pytest.mark.skipif(os.geteuid() != 0, reason="chroot takes root"),
    pytest.mark.skipif(
        not (_LIBRARIES.is_dir() and _BUSYBOX.is_file()),
        reason="needs Debian's glibc for x86-64 and busybox-static",
    ),
]


@pytest.fixture(scope="module")
def root(release: Path, wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """glibc, a shell, the frozen llamapack and a folder with released engines."""
    folder = tmp_path_factory.mktemp("root")
    for name in ("lib64", "lib/x86_64-linux-gnu", "bin", "tmp", "home", "dev", "opt", "proc"):
        (folder / name).mkdir(parents=True)
    for name in (*_GLIBC, *_GLIBC_MORE):
        shutil.copy(_LIBRARIES / name, folder / "lib" / "x86_64-linux-gnu" / name)
    shutil.copy(_LIBRARIES / _GLIBC[0], folder / "lib64")
    shutil.copy(_BUSYBOX, folder / "bin" / "busybox")
    run("chroot", folder, "/bin/busybox", "--install", "/bin")
    shutil.copytree(release / "assets", folder / "engines")
    frozen = tmp_path_factory.mktemp("frozen")
    for path in programs.freeze(frozen, wheel):
        run("tar", "-xf", path, "-C", folder / "opt")
    return folder


def inside(root: Path, *words: str) -> str:
    # The start of a frozen program needs /proc, as a real system has it.
    command = ("unshare", "-m", "sh", "-c", _CHROOT, "sh", root, *words)
    return run(*command, env={"HOME": "/home", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}).stdout


@pytest.fixture(scope="module")
def demo(root: Path) -> Path:
    """The demo, packed there; its path as seen from outside."""
    inside(root, LLAMAPACK, "engine", "fetch", "--from", "/engines", "--gpu", "none")
    inside(root, LLAMAPACK, "pack", "--recipe", "demo", "-o", "/home/demo.llamafile")
    return root / "home" / "demo.llamafile"


@pytest.mark.usefixtures("demo")
def test_llamapack_packs_and_the_demo_runs(root: Path) -> None:
    found = {path.relative_to(root).parts[0] for path in root.rglob("*python3*")}
    assert found <= {"opt", "proc"}
    assert inside(root, LLAMAPACK, "--version").startswith("llamapack ")
    inside(root, LLAMAPACK, "verify", "/home/demo.llamafile")
    assert inside(root, "/bin/sh", "/home/demo.llamafile", *QUESTION).strip()


def test_the_launcher_joins_parts_and_starts_them(root: Path, demo: Path) -> None:
    whole = demo.read_bytes()
    parts = demo.with_name("parts")
    parts.mkdir()
    inside(root, LLAMAPACK, "split", "/home/demo.llamafile", "--size", "10MB", "-o", "/home/parts")
    first = "/home/parts/demo.llamafile.cat0"
    assert inside(root, "/opt/llamapack-run/llamapack-run", first, *QUESTION).strip()
    assert (parts / demo.name).read_bytes() == whole
    assert not list(parts.glob("*.cat*"))
