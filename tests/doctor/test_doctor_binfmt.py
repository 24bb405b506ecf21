"""Registrations in binfmt_misc, made up and in a real kernel's table."""

from __future__ import annotations

import dataclasses
import json
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from made_up import (
    BINFMT,
    MZ_HEAD,
    UNIX_HEAD,
    bundle,
    commands,
    found,
    in_private_mounts,
    machine,
    only,
    program,
    register,
    write,
)

from runtime.doctor import binfmt, host
from runtime.doctor.binfmt import Handler

TAKERS = {
    "wine": "/usr/bin/wine",
    "cli": "/usr/bin/cli",
    "CLR": "/usr/bin/mono",
    "windows": "/usr/lib/binfmt-support/run-detectors",
    "WSLInterop": "/init",
    "WSLInterop-late": "/init",
}


@pytest.mark.parametrize("name", TAKERS)
def test_takers_of_mz_files(name: str, tmp_path: Path) -> None:
    on, file = machine(tmp_path), bundle(tmp_path / "m.llamafile", MZ_HEAD)
    register(on, name, TAKERS[name], "flags: P", "offset 0", "magic 4d5a")
    for subject in file, None:
        finding = only(binfmt.hijackers, on, subject)
        assert finding.state == "problem"
        assert f"{name} (" in finding.what
        assert TAKERS[name] in finding.what
        assert f"echo -1 | sudo tee /proc/sys/fs/binfmt_misc/{name}" in commands(finding.mend)
    assert f"sh {file}" in commands(only(binfmt.hijackers, on, file).mend)
    if name.startswith("WSL"):
        assert {"[interop]", "enabled=false"} <= set(commands(finding.mend))


def test_files_without_mz_are_not_taken(tmp_path: Path) -> None:
    on = machine(tmp_path)
    register(on, "wine", "/usr/bin/wine")
    assert only(binfmt.hijackers, on, bundle(tmp_path / "m", UNIX_HEAD)).state == "ok"
    elf = tmp_path / "elf"
    elf.write_bytes(b"\x7fELF")
    assert found(binfmt.hijackers, on, elf) == found(binfmt.registration, on, elf) == []


def test_an_ending_is_taken_too(tmp_path: Path) -> None:
    on = machine(tmp_path)
    register(on, "DOSWin", "/usr/bin/wine", "flags: ", "extension .exe")
    assert only(binfmt.hijackers, on, bundle(tmp_path / "m.exe", MZ_HEAD)).state == "problem"
    assert only(binfmt.hijackers, on, bundle(tmp_path / "m.llamafile", MZ_HEAD)).state == "ok"


def test_disabled_registrations_take_nothing(tmp_path: Path) -> None:
    on = machine(tmp_path)
    register(on, "wine", "/usr/bin/wine", state="disabled")
    assert only(binfmt.hijackers, on).state == "ok"
    register(on, "wine", "/usr/bin/wine")
    assert only(binfmt.hijackers, on).state == "problem"
    write(on.root / BINFMT / "status", "disabled\n")
    assert only(binfmt.hijackers, on).state == "ok"


def test_the_first_in_the_kernels_order_counts(tmp_path: Path) -> None:
    on = machine(tmp_path)
    loader = program(on.root / "usr/bin/ape", "")
    register(on, "APE", "/usr/bin/ape", "offset 0", "magic 4d5a71467044")
    register(on, "cli", "/usr/bin/cli")
    register(on, "wine", "/usr/bin/wine")
    assert only(binfmt.hijackers, on).state == "ok"
    reverse = dataclasses.replace(on, listed=lambda folder: sorted(on.listed(folder))[::-1])
    finding = only(binfmt.hijackers, reverse)
    assert finding.state == "problem"
    assert "newest registration wins" in finding.what
    assert len([c for c in commands(finding.mend) if c.startswith("echo -1")]) == 1 + 1
    loader.unlink()
    finding = only(binfmt.hijackers, on)
    assert finding.state == "problem"
    assert "does not exist" in finding.what


@pytest.mark.parametrize("unreadable", ["enabled\n", "enabled\ninterpreter x\nmagic 4q\n", "\0"])
def test_tables_of_other_kernels_do_not_confuse(unreadable: str, tmp_path: Path) -> None:
    on = machine(tmp_path)
    write(on.root / BINFMT / "odd", unreadable)
    assert only(binfmt.hijackers, on).state == "ok"


def test_what_keeps_it_away_for_good(tmp_path: Path) -> None:
    on = machine(tmp_path)
    register(on, "wine", "/usr/bin/wine")
    write(on.root / "usr/lib/binfmt.d/wine.conf", ":wine:M::MZ::/usr/bin/wine:\n")
    finding = only(binfmt.hijackers, on)
    assert "sudo ln -sf /dev/null /etc/binfmt.d/wine.conf" in commands(finding.mend)
    write(on.root / "var/lib/binfmts/wine")
    finding = only(binfmt.hijackers, on)
    assert "sudo update-binfmts --disable wine" in commands(finding.mend)


@pytest.mark.parametrize(
    ("handler", "head", "takes"),
    [
        (Handler("", "", magic=b"MZ"), b"MZqFpD", True),
        (Handler("", "", magic=b"MZ"), b"M", False),
        (Handler("", "", magic=b"qF", offset=2), b"MZqFpD", True),
        (Handler("", "", magic=b"qF", offset=3), b"MZqFpD", False),
        (Handler("", "", magic=b"mz", mask=b"\xdf\xdf"), b"MZ", True),
        (Handler("", "", magic=b"mz", mask=b"\xff\xdf"), b"MZ", False),
        (Handler("", "", extension="exe"), b"", True),
        (Handler("", "", extension="llamafile"), b"", False),
        (Handler("", ""), b"MZ", False),
    ],
)
def test_matching(handler: Handler, head: bytes, takes: bool) -> None:
    assert handler.takes(head, "m.exe") is takes


def test_missing_registration(tmp_path: Path) -> None:
    on = machine(tmp_path)
    finding = only(binfmt.registration, on)
    assert finding.state == "note"
    assert commands(finding.mend)[0] == "sh ./m.llamafile"
    loader = program(tmp_path / "bin/ape", "")
    lines = commands(only(binfmt.registration, on).mend)
    assert f"echo ':APE:M::MZqFpD::{loader}:' | sudo tee /{BINFMT}/register" in lines
    assert f"echo ':APE-jart:M::jartsr::{loader}:' | sudo tee /{BINFMT}/register" in lines
    register(on, "APE", str(loader), "offset 0", "magic 4d5a71467044")
    lines = commands(only(binfmt.registration, on).mend)
    assert not [line for line in lines if "MZqFpD" in line]
    assert only(binfmt.registration, on, bundle(tmp_path / "m", MZ_HEAD)).state == "ok"
    assert only(binfmt.registration, on, bundle(tmp_path / "m", UNIX_HEAD)).state == "note"
    register(on, "APE-jart", str(loader), "offset 0", "magic 6a6172747372")
    assert only(binfmt.registration, on).state == "ok"


def test_binfmt_misc_that_is_not_mounted(tmp_path: Path) -> None:
    on = machine(tmp_path)
    for file in (on.root / BINFMT).iterdir():
        file.unlink()
    assert f"sudo mount -t binfmt_misc binfmt_misc /{BINFMT}" in commands(
        only(binfmt.registration, on).mend
    )


@pytest.mark.parametrize("place", ["home/.ape-1.10", "root/opt/cosmo/bin/ape"])
def test_loaders_in_their_usual_places(place: str, tmp_path: Path) -> None:
    on = machine(tmp_path)
    assert binfmt.find_loader(on) is None
    program(tmp_path / place, "")
    assert str(binfmt.find_loader(on)).endswith(place.removeprefix("root"))


_MOUNT = f"mount -t binfmt_misc none /{BINFMT} || exit 77\n"


def test_a_real_taker_and_its_mends(tmp_path: Path) -> None:
    """The kernel gives the file to it, doctor sees it, and what doctor says mends it."""
    file = bundle(tmp_path / "m.llamafile", MZ_HEAD)
    wine, mono = (program(tmp_path / name, f"echo {name} got it") for name in ("wine", "mono"))
    script = (
        _MOUNT
        + f"""
    printf %s ':zz:M::MZ::{wine}:' >/{BINFMT}/register
    printf %s ':aa:M::MZ::{mono}:' >/{BINFMT}/register
    {file}
    doctor {file} >sick.json && exit 1
    echo '--'
    """
    )
    sick = in_private_mounts(tmp_path, script)
    assert sick == "mono got it\n--\n"
    [finding] = [f for f in json.loads((tmp_path / "sick.json").read_text()) if f["state"] != "ok"
                 and f["check"] == "binfmt"]  # fmt: skip
    assert finding["state"] == "problem"
    # The newest registration stands first.
    assert finding["what"].index("aa (") < finding["what"].index("zz (")
    mends = commands(finding["mend"])
    assert mends[0] == f"sh {file}"
    mended = in_private_mounts(
        tmp_path, f"{script}\n{mends[0]}\n{mends[1]}\n{file}\n{mends[2]}\n{file}\ndoctor {file}"
    )
    _, _, after = mended.partition("--\n")
    lines, _, report = after.partition("[")
    assert lines.splitlines() == [
        "started by a shell", "-1", "wine got it", "-1", "started by a shell",
    ]  # fmt: skip
    states = {f["check"]: f["state"] for f in json.loads("[" + report)}
    assert states["binfmt"] == "ok"


def test_a_real_registration_by_the_lines_that_it_prints(tmp_path: Path) -> None:
    file = bundle(tmp_path / "m.llamafile", MZ_HEAD)
    program(tmp_path / "tools/ape", 'echo "ape got $1"')
    wine = program(tmp_path / "wine", "echo wine got it")
    script = _MOUNT + f"printf %s ':wine:M::MZ::{wine}:' >/{BINFMT}/register\ndoctor {file}"
    report = in_private_mounts(tmp_path, script + " || true")
    [finding] = [f for f in json.loads(report) if f["check"] == "ape"]
    [line] = [line for line in commands(finding["mend"]) if line.endswith("/register")]
    execve = shlex.quote("import os, sys; os.execv(sys.argv[1], sys.argv[1:])")
    mended = in_private_mounts(
        tmp_path,
        f"{script} >out || true\n{line} >out\npython3 -c {execve} {file}\ndoctor {file}",
    )
    first, _, report = mended.partition("\n")
    assert first == f"ape got {file}"
    states = {f["check"]: f["state"] for f in json.loads(report)}
    assert (states["binfmt"], states["ape"]) == ("ok", "ok")


@pytest.mark.parametrize("version", ["5.8", "5.8.1", "5.4.2", "4.3.17"])
def test_old_zsh(version: str, tmp_path: Path) -> None:
    on, file = machine(tmp_path), bundle(tmp_path / "m.llamafile")
    program(tmp_path / "bin/zsh", f"echo 'zsh {version} (x86_64-pc-linux-gnu)'")
    finding = only(host.old_zsh, on, file)
    assert finding.state == "problem"
    assert f"version {version}" in finding.what
    assert f"sh {file}" in commands(finding.mend)
    for magic in "4d5a71467044", "6a6172747372":
        register(on, magic, "/usr/bin/ape", "offset 0", f"magic {magic}")
    assert only(host.old_zsh, on, file).state == "ok"


def test_the_shell_of_the_user_is_asked_too(tmp_path: Path) -> None:
    own = program(tmp_path / "own/zsh", "echo zsh 5.8")
    on = machine(tmp_path, SHELL=str(own))
    program(tmp_path / "bin/zsh", "echo zsh 5.9.0.1-dev")
    assert [f.state for f in found(host.old_zsh, on)] == ["problem", "ok"]


@pytest.mark.parametrize("script", ["echo zsh 5.9", "echo zsh 5.10", "echo zsh 6.0"])
def test_newer_zsh(script: str, tmp_path: Path) -> None:
    program(tmp_path / "bin/zsh", script)
    assert only(host.old_zsh, machine(tmp_path)).state == "ok"


@pytest.mark.parametrize("script", [None, "exit 1", "echo nothing"])
def test_no_zsh(script: str | None, tmp_path: Path) -> None:
    if script:
        program(tmp_path / "bin/zsh", script)
    assert found(host.old_zsh, machine(tmp_path)) == []


@pytest.mark.parametrize("shell", ["ksh", "ksh93", "mksh", "yash"])
def test_shells_that_read_no_file_for_windows(shell: str, tmp_path: Path) -> None:
    on = machine(tmp_path, SHELL=f"/usr/bin/{shell}")
    file = bundle(tmp_path / "m.llamafile", MZ_HEAD)
    finding = only(host.windows_head, on, file)
    assert (finding.check, finding.state) == (shell, "problem")
    assert commands(finding.mend) == [f"sh {file}"]
    assert found(host.windows_head, on) == []
    assert found(host.windows_head, on, bundle(tmp_path / "unix", UNIX_HEAD)) == []
    bash = dataclasses.replace(on, env={**on.env, "SHELL": "/bin/bash"})
    assert found(host.windows_head, bash, file) == []
    register(on, "APE", "/usr/bin/ape", "offset 0", "magic 4d5a71467044")
    assert only(host.windows_head, on, file).state == "ok"


def test_openbsds_shell_reads_no_file_for_windows(tmp_path: Path) -> None:
    on, file = machine(tmp_path, "openbsd-x86_64"), bundle(tmp_path / "m.llamafile", MZ_HEAD)
    finding = only(host.windows_head, on, file)
    assert finding.state == "problem"
    assert commands(finding.mend)[0] == f"bash {file}"
    assert only(host.windows_head, on).state == "note"
    assert found(host.windows_head, on, bundle(tmp_path / "unix", UNIX_HEAD)) == []


@pytest.mark.parametrize("shell", ["ksh93", "mksh", "yash"])
def test_those_shells_do_fail(shell: str, tmp_path: Path) -> None:
    """What doctor says of them is so, with a head as `pack` writes it."""
    path = shutil.which(shell)
    if not path:
        pytest.skip(f"this machine has no {shell}")
    file = bundle(tmp_path / "m.llamafile", MZ_HEAD[:8] + b"\n" + bytes(2) + b"\n" + MZ_HEAD[8:])
    assert subprocess.run([path, "-c", file], capture_output=True, check=False).returncode != 0
    [mend] = commands(only(host.windows_head, machine(tmp_path, SHELL=path), file).mend)
    done = subprocess.run(["sh", "-c", mend], capture_output=True, text=True, check=False)
    assert done.stdout == "started by a shell\n"
