"""Programs that execve starts, without a shell script in front: `--format elf`, and a bundle
that `llamapack assimilate` made one of them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile
from helpers.repository import DEMO
from helpers.running import (
    CLI,
    free_port,
    llamapack,
    pack,
    refusal,
    run,
    succeed,
    until_healthy,
)

from runtime.formats.bundle import Bundle

STATIC = "linux-x86_64-static"


@pytest.fixture(scope="module", params=["stub", "engine"])
def program(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With the start stub in front, and with the static engine itself in front."""
    targets = STATIC if request.param == "engine" else f"linux-x86_64,{STATIC}"
    output = tmp_path_factory.mktemp("elf") / "demo"
    return pack(DEMO, "--format", "elf", "--targets", targets, output=output)


def test_starts_without_a_shell(program: Path, expected: bytes, tmp_path: Path) -> None:
    """subprocess uses execve: it knows no scripts without `#!`."""
    link = tmp_path / "linked"
    link.symlink_to(program)
    for command, env in (
        ([program, *CLI], {}),
        ([link, *CLI], {}),
        (["demo", *CLI], {"PATH": str(program.parent)}),
    ):
        done = run(command, **env)
        assert (done.stdout, done.returncode) == (expected, 0), done.stderr.decode()


@pytest.fixture
def empty_root(program: Path, tmp_path: Path) -> Path:
    """Like `FROM scratch`: no /proc, no /dev, no libraries, no directory that can be written to."""
    if not shutil.which("unshare"):
        pytest.skip("no unshare here")
    root = tmp_path / "root"
    root.mkdir()
    shutil.copy(program, root / "demo")
    return root


def test_answers_in_an_empty_root(empty_root: Path, expected: bytes) -> None:
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
    assert (done.stdout, done.returncode) == (expected, 0), done.stderr.decode()
    assert sorted(empty_root.iterdir()) == before


def test_serves_from_an_empty_root(empty_root: Path) -> None:
    port, quiet = free_port(), subprocess.DEVNULL
    words = ["/demo", "--server", "--nobrowser", "--port", str(port)]
    command = ["unshare", "-r", "chroot", str(empty_root), *words]
    with subprocess.Popen(command, stdin=quiet, stdout=quiet, stderr=quiet) as process:
        try:
            until_healthy(f"http://127.0.0.1:{port}", process)
        finally:
            process.terminate()


def test_the_parts_are_read_by_other_programs(program: Path) -> None:
    done = run(["unzip", "-qqt", program])
    assert done.returncode == 0, done.stderr.decode()
    with program.open("rb") as file:
        assert ELFFile(file)["e_type"] == "ET_EXEC"


@pytest.mark.parametrize(
    ("words", "cause"),
    [
        (["--format", "macho", "--targets", "linux-x86_64"], "for macOS"),
        (["--format", "elf", "--targets", "linux-x86_64,linux-aarch64-static"], "--format elf"),
        (["--format", "elf", "--windows", "none"], "--windows"),
        (["--targets", "windows-x86_64", "--windows", "external"], "without engines"),
    ],
)
def test_refusals(tmp_path: Path, words: list[str], cause: str) -> None:
    error, _ = refusal(llamapack("pack", DEMO, "-q", "-o", tmp_path / "x", *words))
    assert cause in error
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("in_place", [False, True])
def test_an_assimilated_bundle_answers(
    in_place: bool, demo_bundle: Path, expected: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "native"
    if in_place:
        shutil.copy(demo_bundle, path)
        succeed("assimilate", path, "--target", "linux-x86_64")
    else:
        succeed("assimilate", demo_bundle, "--target", "linux-x86_64", "-o", path)
    done = run([path, *CLI])
    assert (done.stdout, done.returncode) == (expected, 0), done.stderr.decode()
    succeed("verify", path)
    succeed("verify", demo_bundle)
    with Bundle.open(path) as bundle:
        assert (bundle.manifest or {})["front"]["program"] == "linux-x86_64"


def test_an_assimilated_bundle_for_another_machine(demo_bundle: Path, tmp_path: Path) -> None:
    """Its structure alone is looked at here."""
    path = tmp_path / "native"
    succeed("assimilate", demo_bundle, "--target", "linux-aarch64", "-o", path)
    with path.open("rb") as file:
        assert ELFFile(file)["e_machine"] == "EM_AARCH64"
    succeed("verify", path)
    succeed("upgrade", path, "--targets", "linux-aarch64-static")
    succeed("verify", path)
