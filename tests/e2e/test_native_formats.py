"""`--format elf`: a program that execve starts, for those who cannot use a shell script."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from helpers.repository import DEMO
from helpers.running import CLI, answer, free_port, pack, run, until_healthy

STATIC = "linux-x86_64-static"


@pytest.fixture(scope="module", params=["stub", "engine"])
def program(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With the start stub in front, and with the static engine itself in front."""
    targets = STATIC if request.param == "engine" else f"linux-x86_64,{STATIC}"
    output = tmp_path_factory.mktemp("elf") / "demo"
    return pack(DEMO, "--format", "elf", "--targets", targets, output=output)


def test_starts_without_a_shell(program: Path, demo_bundle: Path, tmp_path: Path) -> None:
    done = run([program, *CLI])  # subprocess uses execve: it knows no scripts without `#!`
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout == answer(demo_bundle)
    # By its name in PATH, and by a link from elsewhere.
    link = tmp_path / "linked"
    link.symlink_to(program)
    for command, env in (([link, *CLI], {}), (["demo", *CLI], {"PATH": str(program.parent)})):
        assert run(command, **env).stdout == answer(demo_bundle)


def in_empty_root(folder: Path, *words: str) -> list[str]:
    """A command that sees nothing but `folder`, which it cannot write to: like `FROM scratch`."""
    if not shutil.which("unshare"):
        pytest.skip("no unshare here")
    return ["unshare", "-r", "chroot", str(folder), *words]


@pytest.fixture
def empty_root(program: Path, tmp_path: Path) -> Path:
    """No /proc, no /dev, no libraries, no directory that can be written to."""
    root = tmp_path / "root"
    root.mkdir()
    shutil.copy(program, root / "demo")
    return root


def test_answers_in_an_empty_root(empty_root: Path, demo_bundle: Path) -> None:
    before = sorted(empty_root.iterdir())
    root = empty_root.parent / "read-only"
    root.mkdir()
    script = f"""
        mount --bind {empty_root} {root}
        mount -o remount,bind,ro {root}
        exec chroot {root} /demo "$@"
    """
    words = ["unshare", "-rm", "sh", "-ec", script, "sh", *CLI]
    done = subprocess.run(words, env={}, capture_output=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout == answer(demo_bundle)
    assert sorted(empty_root.iterdir()) == before


def test_serves_from_an_empty_root(empty_root: Path) -> None:
    port = free_port()
    command = in_empty_root(empty_root, "/demo", "--server", "--nobrowser", "--port", str(port))
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, stdin=quiet, stdout=quiet, stderr=quiet) as process:
        try:
            until_healthy(f"http://127.0.0.1:{port}", process)
        finally:
            process.terminate()


def test_the_parts_are_read_by_other_programs(program: Path) -> None:
    assert program.read_bytes()[:4] == b"\x7fELF"
    done = run(["unzip", "-qqt", program])
    assert done.returncode == 0, done.stderr.decode()
    if shutil.which("readelf"):
        assert b"EXEC" in run(["readelf", "-h", program]).stdout


def test_musl_only(demo_bundle: Path, tmp_path: Path) -> None:
    """Alpine has busybox and no glibc."""
    busybox = shutil.which("busybox")
    if not busybox:
        pytest.skip("no busybox here (apt-get install busybox-static)")
    root = tmp_path / "alpine"
    for folder in ("bin", "dev", "proc", "root", "tmp"):
        (root / folder).mkdir(parents=True)
    (root / "dev/null").touch()
    shutil.copy(busybox, root / "bin/busybox")
    for name in ("sh", "uname", "dd", "mkdir", "mv", "rm", "chmod", "cksum", "id", "wc"):
        (root / "bin" / name).symlink_to("busybox")
    shutil.copy(demo_bundle, root / "demo.llamafile")
    words = in_empty_root(root, "/bin/sh", "/demo.llamafile", *CLI)
    env = {"PATH": "/usr/sbin:/usr/bin:/bin", "HOME": "/root"}
    done = subprocess.run(words, env=env, capture_output=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout == answer(demo_bundle)


def test_refusals(tmp_path: Path) -> None:
    for words, said in (
        (["--format", "macho", "--targets", "linux-x86_64"], "for macOS"),
        (["--format", "elf", "--targets", "linux-x86_64,linux-aarch64-static"], "--format elf"),
        (["--format", "elf", "--windows", "none"], "--windows"),
        (["--targets", "windows-x86_64", "--windows", "external"], "without engines"),
    ):
        done = run(["python3", "-m", "packer", "pack", DEMO, "-q", "-o", tmp_path / "x", *words])
        error, tip = done.stderr.decode().splitlines()
        assert done.returncode == 1
        assert error.startswith("ERROR ")
        assert said in error
        assert tip.startswith("TIP ")
        assert not list(tmp_path.iterdir())
