"""Which engines the stub tries on each host, and what it says when none starts."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from packer.engines import native, toolchain
from packer.engines.stubs import STUB_TARGETS


@pytest.fixture(scope="module")
def choice(tmp_path_factory: pytest.TempPathFactory) -> Path:
    program = tmp_path_factory.mktemp("choice") / "choice"
    stub = native.directory() / "stub"
    subprocess.run(
        [
            toolchain._zig(), "cc", "-std=c11", "-g", "-O1", "-Wall", "-Wextra", "-Werror",
            f"-I{stub}", Path(__file__).with_name("stub_choice.c"), stub / "target_choice.c",
            stub / "text.c", "-o", program,
        ],
        check=True,
    )  # fmt: skip
    return program


def ask(choice: Path, system: str, machine: str) -> tuple[list[str], str]:
    done = subprocess.run([choice, system, machine], check=True, capture_output=True, text=True)
    *candidates, floor = done.stdout.splitlines()
    return candidates, floor


@pytest.mark.parametrize(
    ("system", "machine", "want"),
    [
        (
            "linux", "x86_64",
            ["linux-x86_64 /lib64/ld-linux-x86-64.so.2", "linux-x86_64-static -"],
        ),
        (
            "linux", "aarch64",
            ["linux-aarch64 /lib/ld-linux-aarch64.so.1", "linux-aarch64-static -"],
        ),
        ("windows", "x86_64", ["windows-x86_64 -"]),
        ("windows", "aarch64", ["windows-aarch64 -", "windows-x86_64 -"]),
        ("macos", "x86_64", ["macos-x86_64 -"]),
        ("macos", "aarch64", ["macos-aarch64 -", "macos-x86_64 -"]),
        ("freebsd", "aarch64", ["freebsd-aarch64 -"]),
        ("netbsd", "x86_64", ["netbsd-x86_64 -"]),
        ("openbsd", "aarch64", ["openbsd-aarch64 -"]),
    ],
)  # fmt: skip
def test_engines_to_try(choice: Path, system: str, machine: str, want: list[str]) -> None:
    assert ask(choice, system, machine)[0] == want


FLOORS = {
    "linux": "glibc 2.17",
    "macos": "macOS 13",
    "windows": "Windows 10",
    "freebsd": "FreeBSD 14.0",
    "netbsd": "NetBSD 10.1",
    "openbsd": "OpenBSD",
}


@pytest.mark.parametrize("target", STUB_TARGETS)
def test_the_oldest_system_is_named(choice: Path, target: str) -> None:
    system, machine = target.split("-")
    assert FLOORS[system] in ask(choice, system, machine)[1]


def test_texts_end_where_their_buffer_does(choice: Path) -> None:
    subprocess.run([choice], check=True)
