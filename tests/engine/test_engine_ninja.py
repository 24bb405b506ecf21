from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from packer.engines import toolchain


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


def test_a_pipe_gets_a_line_at_each_quarter(capsys: pytest.CaptureFixture[str]) -> None:
    with toolchain.ninja_progress("linux-x86_64") as on_line:
        for n in range(1, 101):
            on_line(f"[{n}/100] step\n")
    assert capsys.readouterr().err.splitlines() == [
        f"linux-x86_64: {n} % ({n} of 100 steps)" for n in (25, 50, 75)
    ]


def test_a_terminal_gets_a_bar_of_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[object] = []

    @contextmanager
    def progress(label: str, total: int, unit: str) -> Iterator[object]:
        seen.append((label, total, unit))
        yield seen.append

    monkeypatch.setattr(toolchain, "progress", progress)
    monkeypatch.setattr(toolchain.sys.stderr, "isatty", lambda: True, raising=False)
    with toolchain.ninja_progress("x") as on_line:
        for line in ("[1/2] plan", "[1/9] a", "noise", "[4/9] b", "[2/3] nested", "[9/9] c"):
            on_line(line)
    assert seen == [("x", 9, "step"), 1, 3, 5]
