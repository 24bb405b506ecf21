"""The stub for Windows, under Wine, with a stand-in engine.

Wine shows the stub's own logic; it is no proof of how Windows itself behaves.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pexpect
import pytest
from small_bundle import write_bundle
from stub_under_wine import TARGET, Windows, windows_path

LIBRARY = b"MZ not really" + bytes(range(256)) * 700

pytestmark = pytest.mark.skipif(
    not shutil.which("wine"), reason="this machine has no wine: the Windows stub was NOT tried"
)


@pytest.fixture
def windows(prefix: Path, parts: dict[str, Path], tmp_path: Path) -> Windows:
    folder = tmp_path / "a b é 日本"
    folder.mkdir()
    cache = tmp_path / "cache ü"
    env = {
        "HOME": str(tmp_path), "PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "DISPLAY": "",
        "WINEPREFIX": str(prefix), "WINEDEBUG": "-all", "LLAMAPACK_CACHE": windows_path(cache),
    }  # fmt: skip
    windows = Windows(folder / "möd el.exe", prefix, parts["runner"], cache, env)
    fill(windows, parts, "engine")
    return windows


def fill(windows: Windows, parts: dict[str, Path], engine: str) -> None:
    files = {"ggml.dll": LIBRARY, "llamapack-engine.exe": parts[engine].read_bytes()}
    write_bundle(windows.bundle, parts["stub"].read_bytes(), {TARGET: files})


@pytest.mark.parametrize(
    ("program", "tail"),
    [
        ("x", ""),
        ("x", "\tone"),
        ('"a b"', ' "t wo" a"b c"d  ""   trailing  '),
        ('a" "b', r' c\ "d\\" \"e\" "f\"g"'),
        ("é", " é 日本 \U0001f999 %PATH% ^& *"),
    ],
)
def test_command_line_arrives_as_it_was_written(windows: Windows, program: str, tail: str) -> None:
    said, errors = windows.run(program + tail)
    assert errors == ""
    assert said["line"] == f'"{windows_path(windows.bundle)}"{tail}'
    assert said["bundle"] == windows_path(windows.bundle)


@pytest.mark.parametrize("status", ["0x0", "0x3", "0x100", "0xC0000005", "0xFFFFFFFF"])
def test_exit_status(windows: Windows, status: str) -> None:
    said, _ = windows.run("x", FAKE_STATUS=status)
    assert said["status"] == status


def test_cache_is_filled_once(windows: Windows) -> None:
    said, _ = windows.run("x")
    [folder] = windows.engines
    assert folder.name.startswith(f"{TARGET}-")
    assert len(folder.name) == len(TARGET) + 33
    assert {p.name: p.stat().st_size for p in folder.iterdir()} == {
        "ggml.dll": len(LIBRARY),
        "llamapack-engine.exe": (folder / "llamapack-engine.exe").stat().st_size,
    }
    assert said["program"].replace("/", "\\") == windows_path(folder / "llamapack-engine.exe")
    before = {p: p.stat().st_ctime_ns for p in windows.cache.rglob("*")}
    assert windows.run("x")[0]["status"] == "0x7"
    assert {p: p.stat().st_ctime_ns for p in windows.cache.rglob("*")} == before


@pytest.mark.parametrize("damage", ["cut", "gone"])
def test_damaged_cache_is_mended(windows: Windows, damage: str) -> None:
    windows.run("x")
    library = windows.engines[0] / "ggml.dll"
    if damage == "cut":
        os.truncate(library, 100)
    else:
        library.unlink()
    assert windows.run("x")[0]["status"] == "0x7"
    assert library.read_bytes() == LIBRARY
    assert len(windows.engines) == 1


def test_default_cache(windows: Windows) -> None:
    del windows.env["LLAMAPACK_CACHE"]
    said, _ = windows.run("x")
    assert "\\AppData\\Local\\llamapack\\engines\\" in said["program"]


def test_long_paths(windows: Windows, parts: dict[str, Path]) -> None:
    """Of all but the engine's executable, which Wine itself cannot start then."""
    library = f"{'x' * 60}.dll"
    program = parts["engine"].read_bytes()
    files = {library: LIBRARY, "llamapack-engine.exe": program}
    write_bundle(windows.bundle, parts["stub"].read_bytes(), {TARGET: files})
    below = f"\\engines\\.{TARGET}-{'0' * 32}-XXXXXX\\llamapack-engine.exe"
    room = 255 - len(windows_path(windows.cache / "x") + below)
    windows.cache = windows.cache / ("x" * room)
    for _ in "cold", "warm":
        said, errors = windows.run("x y", LLAMAPACK_CACHE=windows_path(windows.cache))
        assert errors == ""
        assert said["line"].endswith(" y")
    assert (windows.engines[0] / library).read_bytes() == LIBRARY
    assert len(windows_path(windows.engines[0] / library)) > 260


def refused(windows: Windows, errors: str, *texts: str) -> None:
    assert [line.split()[0] for line in errors.splitlines()] == ["ERROR", "TIP"]
    for text in texts:
        assert text in errors
    engines = windows.cache / "engines"
    assert not engines.exists() or not list(engines.iterdir())


def test_damaged_member(windows: Windows) -> None:
    data = bytearray(windows.bundle.read_bytes())
    data[data.index(f"engines/{TARGET}/ggml.dll".encode()) + 100] ^= 0x55
    windows.bundle.write_bytes(data)
    said, errors = windows.run("x")
    assert said == {"status": "0x1"}
    refused(windows, errors, windows_path(windows.bundle), f"engines/{TARGET}/ggml.dll")


def test_cut_off(windows: Windows) -> None:
    os.truncate(windows.bundle, windows.bundle.stat().st_size - 100)
    said, errors = windows.run("x")
    assert said == {"status": "0x1"}
    refused(windows, errors, windows_path(windows.bundle), "not a whole bundle")


def test_an_engine_that_does_not_start(windows: Windows, parts: dict[str, Path]) -> None:
    fill(windows, parts, "refuses")
    _, errors = windows.run("x")
    refused(windows, errors, TARGET, "Windows 10")


def test_no_engine_for_windows(windows: Windows, parts: dict[str, Path]) -> None:
    write_bundle(windows.bundle, parts["stub"].read_bytes(), {"linux-x86_64": {"f": b"x"}})
    _, errors = windows.run("x")
    refused(windows, errors, "linux-x86_64", TARGET)


def test_named_bundle(windows: Windows, parts: dict[str, Path]) -> None:
    """As from a script: the stub is not the bundle."""
    done = windows.wine(parts["stub"], "a b", LLAMAPACK_BUNDLE=windows_path(windows.bundle))
    assert f'line "{windows_path(windows.bundle)}" "a b"' in done.stdout


def test_probe(windows: Windows, parts: dict[str, Path]) -> None:
    done = windows.wine(parts["stub"], LLAMAPACK_PROBE="1")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_engine_goes_when_the_stub_is_killed(windows: Windows) -> None:
    started = windows_path(windows.bundle.parent.parent / "started")
    file = windows.line("x")
    done = windows.wine(windows.runner, file, started, FAKE_STARTED=started)
    assert done.stdout.splitlines()[-1] == "gone"


def test_a_cache_of_another_user_is_not_used(windows: Windows) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give files to others")
    (windows.cache / "engines").mkdir(parents=True)
    os.chown(windows.cache / "engines", 12345, 12345)
    _, errors = windows.run("x")
    refused(windows, errors, "another user")


@pytest.fixture
def console(windows: Windows) -> Callable[..., pexpect.spawn[str]]:
    def start(**env: str) -> pexpect.spawn[str]:
        return pexpect.spawn(
            "wine", [str(windows.bundle)], env={**windows.env, **env}, encoding="utf-8", timeout=60
        )  # fmt: skip

    return start


def test_ctrl_c_is_left_to_the_engine(
    windows: Windows, console: Callable[..., pexpect.spawn[str]]
) -> None:
    started = windows.bundle.parent.parent / "started"
    child = console(FAKE_STARTED=windows_path(started))
    child.expect("program ")
    while not started.exists():
        time.sleep(0.1)
    child.send("\x03")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 42
    assert "Press Enter" not in str(child.before)


def test_errors_of_the_engine_stay_on_screen(console: Callable[..., pexpect.spawn[str]]) -> None:
    child = console(FAKE_STATUS="5")
    child.expect("Press Enter")
    child.send("\r")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 5


def test_errors_stay_on_screen_where_the_window_would_close(
    windows: Windows, console: Callable[..., pexpect.spawn[str]]
) -> None:
    os.truncate(windows.bundle, windows.bundle.stat().st_size - 100)
    child = console()
    child.expect("not a whole bundle")
    child.expect("Press Enter")
    child.send("\r")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 1
