"""The head that Windows' cmd.exe reads: its bytes, and Wine's cmd.exe with a stand-in for tar.exe.

Wine's cmd.exe expands a `%` in the path of the file once more, which Windows' own does not: such
paths cannot be shown here.
"""

from __future__ import annotations

import os
import shutil
import zipfile
from pathlib import Path

import pytest
from helpers.windows_tar import tar_stand_in
from small_bundle import broken_rules, needs, write_bundle
from stub_under_wine import TARGET, Windows, windows_path

from packer.head.head import CMD_END, HEAD_SIZE, build_head
from runtime.machine.head import Kind, kind_of

ARM = "windows-aarch64"


@pytest.fixture(scope="session")
def cmd_head(stubs: dict[str, bytes]) -> bytes:
    return build_head({**stubs, TARGET: b"MZ stub", ARM: b"MZ arm"}, cmd=True)


def test_what_cmd_exe_and_shells_read(cmd_head: bytes, stubs: dict[str, bytes]) -> None:
    """For cmd.exe lines with CR up to `exit`; for shells one quoted text, and nothing odd."""
    ours = cmd_head[: cmd_head.index(b"\r\n'\n") + 2]
    assert ours.startswith(b"jartsr=' 2>nul\r\n@echo off\r\n")
    assert ours.endswith(b"\r\nexit /b %e%\r\n")
    assert ours.count(b"'") == 1
    assert ours.count(b"\n") == ours.count(b"\r\n") > 30
    assert b"goto" not in ours.lower()
    parsed = cmd_head[: cmd_head.rindex(b"\nexit 1\n", 0, CMD_END)]
    assert all(byte in b"\r\n\t" or 0x20 <= byte < 0x7F for byte in parsed)
    assert b"\r" not in parsed[len(ours) :]
    assert b"in .cmd." in parsed
    # The stubs for Windows are members, not part of the head.
    assert len(cmd_head) == HEAD_SIZE * (1 + len(stubs))


def test_rules_hold_and_the_kind_is_named(cmd_head: bytes, tmp_path: Path) -> None:
    assert broken_rules(tmp_path, cmd_head) == []
    assert kind_of(cmd_head) is Kind.APE_CMD


@pytest.fixture(scope="session")
def tar(prefix: Path, request: pytest.FixtureRequest) -> Path:
    """The stand-in, to be put where Windows has its own."""
    return tar_stand_in(request.config)


@pytest.fixture
def windows(
    prefix: Path, parts: dict[str, Path], stubs: dict[str, bytes], tar: Path, tmp_path: Path
) -> Windows:
    needs("wine")
    folder = tmp_path / "a b! & (1) é 日本 ^"
    folder.mkdir()
    cache = tmp_path / "cache & ü!"
    env = {
        "HOME": str(tmp_path), "PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "DISPLAY": "",
        "WINEPREFIX": str(prefix), "WINEDEBUG": "-all", "LLAMAPACK_CACHE": windows_path(cache),
    }  # fmt: skip
    windows = Windows(folder / "mö del!.cmd", prefix, parts["runner"], cache, env)
    stub = parts["stub"].read_bytes()
    files = {"llamapack-engine.exe": parts["engine"].read_bytes()}
    head = build_head({**stubs, TARGET: stub}, cmd=True)
    write_bundle(windows.bundle, head, {TARGET: files})
    with zipfile.ZipFile(windows.bundle, "a") as archive:
        archive.writestr(f"start/{TARGET}.exe", stub, compress_type=zipfile.ZIP_DEFLATED)
    shutil.copy(tar, system_tar(windows))
    return windows


def system_tar(windows: Windows) -> Path:
    return windows.prefix / "drive_c" / "windows" / "system32" / "tar.exe"


def start(windows: Windows, tail: str = "", **env: str) -> tuple[dict[str, str], str]:
    """As Explorer and other programs start it: Windows puts cmd.exe in front."""
    return windows.run(f'"{windows_path(windows.bundle)}"{tail}', **env)


def test_words_and_status_pass(windows: Windows) -> None:
    tail = ' "t wo & ^ !" é日本 -x=1 "" end'
    for _ in "cold", "warm":
        said, errors = start(windows, tail, FAKE_STATUS="0x1234")
        assert errors == ""
        assert said["bundle"] == windows_path(windows.bundle)
        assert said["line"].endswith(tail)
        assert said["status"] == "0x1234"
    assert len(windows.engines) == 1


def test_it_is_unpacked_once_and_mended(windows: Windows, parts: dict[str, Path]) -> None:
    start(windows)
    [stub] = (windows.cache / "stubs").iterdir()
    before = stub.stat().st_mtime_ns
    tar = system_tar(windows).rename(windows.bundle.parent / "tar.exe")
    assert start(windows)[0]["status"] == "0x7"
    assert stub.stat().st_mtime_ns == before
    os.truncate(stub, 100)
    tar.rename(system_tar(windows))
    assert start(windows)[0]["status"] == "0x7"
    assert stub.read_bytes() == parts["stub"].read_bytes()
    assert [*stub.parent.iterdir()] == [stub]


def refused(windows: Windows, text: str, said: dict[str, str], errors: str) -> None:
    """In words, and without a half of anything in the cache."""
    first, second = errors.splitlines()[-2:]
    assert first.startswith('ERROR "Z:')
    assert text in first
    assert second.startswith("TIP ")
    assert said["status"] == "0x1"
    stubs = windows.cache / "stubs"
    assert not stubs.is_dir() or not [*stubs.iterdir()]


def test_a_windows_without_tar(windows: Windows) -> None:
    system_tar(windows).unlink()
    refused(windows, 'there is no "C:\\windows\\System32\\tar.exe"', *start(windows))


def test_no_place_for_it(windows: Windows) -> None:
    windows.cache.write_bytes(b"not a folder")
    refused(windows, "cannot be unpacked into", *start(windows))


@pytest.mark.parametrize("damage", ["cut", "changed"])
def test_a_damaged_file(windows: Windows, damage: str) -> None:
    if damage == "cut":
        os.truncate(windows.bundle, windows.bundle.stat().st_size - 100)
    else:
        data = bytearray(windows.bundle.read_bytes())
        data[data.index(f"start/{TARGET}.exe".encode()) + 100] ^= 0x55
        windows.bundle.write_bytes(data)
    refused(windows, "cannot be unpacked into", *start(windows))


@pytest.mark.parametrize("command", ['cmd.exe /c ""C:\\m & n.cmd" "', 'cmd.exe /c ""C:\\m.cmd""'])
def test_errors_stay_on_screen_where_the_window_would_close(windows: Windows, command: str) -> None:
    """Only Explorer leaves a blank behind the path; Wine lacks the variable that tells."""
    done = windows.wine(windows.runner, windows.line(f'"{windows_path(windows.bundle)}"'),
                        CMDCMDLINE=command)  # fmt: skip
    assert ("Press any key" in done.stdout) is command.endswith(' "')
    assert "status 0x7" in done.stdout


def test_on_arm(windows: Windows, parts: dict[str, Path], stubs: dict[str, bytes]) -> None:
    """Which stub is taken; what stands in for the one for Arm is a program for x86-64."""
    arm = parts["stub"].read_bytes() + b"for Arm"
    x86_64 = parts["stub"].read_bytes()
    files = {"llamapack-engine.exe": parts["engine"].read_bytes()}
    head = build_head({**stubs, TARGET: x86_64, ARM: arm}, cmd=True)
    write_bundle(windows.bundle, head, {TARGET: files})
    with zipfile.ZipFile(windows.bundle, "a") as archive:
        archive.writestr(f"start/{TARGET}.exe", x86_64)
        archive.writestr(f"start/{ARM}.exe", arm)
    # Wine itself sets the variable for the first program.
    windows.bundle.rename(windows.bundle.parent.parent / "m.cmd")
    outer = windows.bundle.parent.parent / "outer.cmd"
    outer.write_bytes(b"@set PROCESSOR_ARCHITECTURE=ARM64\r\n@%~dp0m.cmd\r\n")
    assert windows.wine("cmd", "/c", outer).returncode == 7
    [stub] = (windows.cache / "stubs").iterdir()
    assert stub.read_bytes() == arm
