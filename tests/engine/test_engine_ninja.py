from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

import pytest

from packer.engines import toolchain
from packer.io import console


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("[3/214] Building C object a.o\n", (3, 214)),
        ("ninja: Entering directory `out'\n", None),
        ("a.c:[3/4] \n", None),
    ],
)
def test_steps_are_read_from_ninjas_lines(line: str, expected: tuple[int, int] | None) -> None:
    assert toolchain.ninja_step(line) == expected


def test_a_log_gets_a_line_every_ten_seconds(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = count(0, 3)
    monkeypatch.setattr(console.time, "monotonic", lambda: next(clock))
    with toolchain.ninja_progress("linux-x86_64") as on_line:
        for n in range(1, 101):
            on_line(f"[{n}/100] step\n")
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "linux-x86_64: 4 steps of 100 steps, 5 min left"
    assert lines[-1] == "linux-x86_64: 100 steps of 100 steps, 0 s left"
    assert len(lines) == 25


def test_bytes_have_a_rate_and_a_time(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = count(0, 10)
    monkeypatch.setattr(console.time, "monotonic", lambda: next(clock))
    with console.progress("packing", 480_000_000) as advance:
        advance(120_000_000)
    with console.progress("downloading", None) as advance:
        advance(5_000_000)
    assert capsys.readouterr().err.splitlines() == [
        "packing: 120.0 MB of 480.0 MB, 12.0 MB/s, 30 s left",
        "downloading: 5.0 MB, 0.5 MB/s",
    ]


def test_a_terminal_gets_a_bar_of_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[object] = []

    @contextmanager
    def progress(label: str, total: int, unit: str) -> Iterator[object]:
        seen.append((label, total, unit))
        yield seen.append

    monkeypatch.setattr(toolchain, "progress", progress)
    with toolchain.ninja_progress("x") as on_line:
        for line in ("[1/2] plan", "[1/9] a", "noise", "[4/9] b", "[2/3] nested", "[9/9] c"):
            on_line(line)
    assert seen == [("x", 9, "step"), 1, 3, 5]
