"""`llamapack doctor` from outside."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from helpers.stand_ins import CommandLine, Refused
from made_up import machine, program

from runtime.doctor import CHECKS, examine
from runtime.doctor.check import Subject
from runtime.machine.machine import Machine


@pytest.fixture
def healthy(tmp_path: Path) -> dict[str, str]:
    """An environment in which nothing is wrong that does not depend on this machine."""
    (tmp_path / "bin").mkdir()
    return {"PATH": str(tmp_path / "bin"), "LLAMAPACK_CACHE": str(tmp_path / "c"), "SHELL": ""}


def test_a_packed_bundle_is_well(
    bundle: Path, llamapack: CommandLine, healthy: dict[str, str]
) -> None:
    done = llamapack("doctor", bundle, "--json", **healthy)
    assert (done.returncode, done.stderr) == (0, "")
    report = json.loads(done.stdout)
    assert {tuple(sorted(finding)) for finding in report} == {("check", "mend", "state", "what")}
    states = {finding["check"]: finding["state"] for finding in report}
    assert states["head"] == states["directory"] == states["executable"] == states["cache"] == "ok"
    assert "problem" not in states.values()


def test_a_problem_is_status_one(
    bundle: Path, llamapack: CommandLine, healthy: dict[str, str]
) -> None:
    bundle.chmod(0o644)
    done = llamapack("doctor", bundle, **healthy)
    assert (done.returncode, done.stderr) == (1, "")
    lines = done.stdout.splitlines()
    at = lines.index("PROBLEM executable: it is not marked executable")
    assert lines[at + 1] == f"        TIP `chmod +x {bundle}`"
    words = {line.split()[0] for line in lines}
    assert words <= {"OK", "NOTE", "PROBLEM", "TIP"}
    assert llamapack("doctor", bundle, "--json", **healthy).returncode == 1


def test_the_machine_alone(llamapack: CommandLine, healthy: dict[str, str]) -> None:
    report = json.loads(llamapack("doctor", "--json", **healthy).stdout)
    checks = {finding["check"] for finding in report}
    assert "cache" in checks
    assert not {"head", "directory", "executable"} & checks


def test_an_old_zsh_from_outside(
    llamapack: CommandLine, healthy: dict[str, str], tmp_path: Path
) -> None:
    program(tmp_path / "bin/zsh", "echo 'zsh 5.8 (x86_64-debian-linux-gnu)'")
    done = llamapack("doctor", **healthy)
    assert done.returncode == 1
    assert "PROBLEM zsh" in done.stdout


def test_names_cannot_steer_the_terminal(
    bundle: Path, llamapack: CommandLine, healthy: dict[str, str]
) -> None:
    evil = bundle.rename(bundle.with_name("\x1b[2Jgone"))
    assert "\x1b" not in llamapack("doctor", evil, **healthy).stdout


def test_refuses_what_is_no_file(tmp_path: Path, llamapack: CommandLine, refused: Refused) -> None:
    assert "does not exist" in refused(llamapack("doctor", tmp_path / "absent"))
    assert "is a directory" in refused(llamapack("doctor", tmp_path, "--json"))
    assert llamapack("doctor", "--wrong").returncode == 2


@pytest.mark.parametrize("system", ["linux", "macos", "windows", "freebsd", "sunos"])
@pytest.mark.parametrize("data", [None, b"", b"text", b"MZ", b"\x7fELF", b"GGUF", b"MZqFpD='\n'"])
def test_every_check_bears_everything(system: str, data: bytes | None, tmp_path: Path) -> None:
    file = tmp_path / "-file"
    if data is not None:
        file.write_bytes(data)
    on = machine(tmp_path, f"{system}-x86_64")
    findings = list(examine(on, None if data is None else file))
    assert all("cannot be checked" not in finding.what for finding in findings)


def test_a_check_that_fails_hides_no_other(tmp_path: Path) -> None:
    def broken_check(machine: Machine, subject: Subject | None) -> list[object]:
        raise PermissionError(13, "Permission denied", "/secret")

    findings = list(examine(machine(tmp_path), None, [broken_check, *CHECKS]))  # type: ignore[list-item]
    assert findings[0].state == "note"
    assert "/secret" in findings[0].what
    assert len(findings) > 3
