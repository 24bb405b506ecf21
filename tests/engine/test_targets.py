"""native/targets.toml and the tables that are made of it; which targets are this machine's."""

from __future__ import annotations

import pytest
from helpers.repository import REPOSITORY

from ci.targets import made
from packer.engines.targets import for_this_machine


def test_the_tables_are_current() -> None:
    for path, text in made(REPOSITORY / "native").items():
        assert path.read_text() == text, f"{path}: run `python -m ci.targets`"


@pytest.mark.parametrize(
    ("system", "machine", "names"),
    [
        ("Linux", "x86_64", ["linux-x86_64", "linux-x86_64-static"]),
        ("Darwin", "arm64", ["macos-aarch64"]),
        ("Windows", "AMD64", ["windows-x86_64"]),
        ("Windows", "ARM64", ["windows-aarch64"]),
        ("FreeBSD", "amd64", ["freebsd-x86_64"]),
        ("OpenBSD", "arm64", ["openbsd-aarch64"]),
        ("NetBSD", "evbarm", ["netbsd-aarch64"]),
    ],
)
def test_this_machine(
    system: str, machine: str, names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.system", lambda: system)
    monkeypatch.setattr("platform.machine", lambda: machine)
    assert [target.name for target in for_this_machine()] == names
