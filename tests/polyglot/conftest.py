"""Stubs, stand-in engines and a bundle made of them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from helpers.compiled import folder_of
from small_bundle import HERE, INTERPRETER, WINDOWS, Place, Programs, make_place
from stub_under_wine import TARGET

from packer.engines import stubs as builder
from packer.engines import toolchain
from packer.engines.stubs import STUB_TARGETS, build_stub
from packer.head.head import build_head

LIBRARY = b"\x7fELF not really" + bytes(range(256)) * 700 + os.urandom(16)
"""Never the same, so that no cache of this machine has this engine from before."""


@pytest.fixture(scope="session")
def zig() -> Path:
    return toolchain._zig()


@pytest.fixture(scope="session")
def stubs(zig: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Those of a file for Linux alone."""
    out = tmp_path_factory.mktemp("stubs")
    linux = [target for target in STUB_TARGETS if target.startswith("linux-")]
    return {target: build_stub(target, zig, out).read_bytes() for target in linux}


@pytest.fixture(scope="session")
def new_stubs(stubs: dict[str, bytes]) -> dict[str, bytes]:
    """The same, but in no cache of this machine: that in /tmp counts for all homes."""
    return {target: data + os.urandom(16) for target, data in stubs.items()}


@pytest.fixture(scope="session")
def head(stubs: dict[str, bytes]) -> bytes:
    return build_head(stubs)


@pytest.fixture(scope="session")
def windows_stub(programs: Programs) -> bytes:
    """Not the stub itself, but a program that knows what it needs of its headers."""
    return programs.windows()


@pytest.fixture(scope="session")
def windows_head(stubs: dict[str, bytes], windows_stub: bytes) -> bytes:
    return build_head({**stubs, "windows-x86_64": windows_stub})


@pytest.fixture(scope="session")
def programs(zig: Path, request: pytest.FixtureRequest) -> Programs:
    sources = [*HERE.glob("*.c"), HERE / "small_bundle.py", Path(builder.__file__)]
    return Programs(zig, folder_of(request.config, "polyglot", sources))


@pytest.fixture
def engines(programs: Programs) -> dict[str, dict[str, bytes]]:
    return {
        name: {"libx.so": LIBRARY, "llamapack-engine": programs.engine(name)}
        for name in ("linux-x86_64", "linux-x86_64-static", "linux-aarch64-static")
    }


@pytest.fixture
def place(
    tmp_path: Path, new_stubs: dict[str, bytes], engines: dict[str, dict[str, bytes]]
) -> Place:
    return make_place(tmp_path, build_head(new_stubs), engines)


@pytest.fixture
def windows_place(
    tmp_path: Path,
    new_stubs: dict[str, bytes],
    windows_stub: bytes,
    engines: dict[str, dict[str, bytes]],
) -> Place:
    """A bundle that is a Windows program, too."""
    head = build_head({**new_stubs, "windows-x86_64": windows_stub})
    return make_place(tmp_path, head, engines)


@pytest.fixture
def cmd_place(
    tmp_path: Path, new_stubs: dict[str, bytes], engines: dict[str, dict[str, bytes]]
) -> Place:
    """A bundle that Windows' cmd.exe reads, too."""
    head = build_head({**new_stubs, "windows-x86_64": b"MZ"}, cmd=True)
    return make_place(tmp_path, head, engines)


@pytest.fixture(params=["place", "windows_place", "cmd_place"])
def either_place(request: pytest.FixtureRequest) -> Place:
    """A bundle of each kind of head."""
    found: Place = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def glibc() -> str:
    return "glibc" if INTERPRETER.exists() else "static"


@pytest.fixture
def stub(stubs: dict[str, bytes], tmp_path: Path) -> Path:
    """The stub as the script leaves it in the cache."""
    path = tmp_path / "stub"
    path.write_bytes(stubs["linux-x86_64"])
    path.chmod(0o755)
    return path


@pytest.fixture(scope="session")
def prefix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wine")
    env = {**os.environ, "WINEPREFIX": str(folder), "WINEDEBUG": "-all", "DISPLAY": ""}
    subprocess.run(
        ["wine", "wineboot", "-i"], env=env, check=True, capture_output=True, timeout=300
    )
    return folder


@pytest.fixture(scope="session")
def parts(programs: Programs, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    out = tmp_path_factory.mktemp("windows")
    sources = {
        "engine": ("stub_engine_windows.c",),
        "refuses": ("stub_engine_windows.c", "-DREFUSES"),
        "runner": ("stub_runner_windows.c",),
    }
    made = {
        name: programs.compiled(f"{name}.exe", WINDOWS, "-O1", "-s", *flags, HERE / source)
        for name, (source, *flags) in sources.items()
    }
    return {"stub": build_stub(TARGET, programs.zig, out), **made}
