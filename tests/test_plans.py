"""Which files one packing makes, and what `pack` says of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from helpers.stand_ins import write_engine

from packer.bundle.pack import BundlePlan
from packer.engines import front
from packer.engines.deflated import packed_engine
from packer.engines.front import APE, EXE, Front
from packer.head import windows_exe
from packer.io.sources import BytesSource
from packer.packing.plans import planned, report
from runtime.errors import InputError

LIMIT = windows_exe.LIMIT
BOTH = ["linux-x86_64", "windows-x86_64"]


@pytest.mark.parametrize(
    ("choice", "size", "inside", "beside"),
    [
        ("auto", LIMIT - 1, BOTH, []),
        ("auto", LIMIT, BOTH[:1], BOTH[1:]),
        ("external", 1, BOTH[:1], BOTH[1:]),
        ("none", LIMIT, BOTH[:1], []),
        ("none", 1, BOTH[:1], []),
    ],
)
def test_where_the_engines_for_windows_go(
    choice: str, size: int, inside: list[str], beside: list[str]
) -> None:
    assert windows_exe.divided(choice, BOTH[::-1], size) == (inside, beside)


@pytest.fixture
def plan_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PlanFor]:
    monkeypatch.setenv("LLAMAPACK_BUILD_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(front, "polyglot", lambda targets, cmd=False: Front(b"head"))
    monkeypatch.setattr(front, "native", lambda kind, engines: Front(b"MZ", "windows-x86_64"))
    with ExitStack() as stack:
        yield PlanFor(tmp_path, stack)


class PlanFor:
    """Makes plans with small engines."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder, self._stack = folder, stack

    def __call__(self, *targets: str) -> tuple[BundlePlan, dict[str, Path]]:
        folders = {target: write_engine(self._folder / target) for target in targets}
        engines = [self._stack.enter_context(packed_engine(*one)) for one in folders.items()]
        plan = BundlePlan(
            name="m", front=Front(b""), engines=engines, gpu_modules=(), shared=(),
            weights={}, models=(), chat_template=None, args="", epoch=0,
        )  # fmt: skip
        return plan, folders


def test_what_would_reach_the_limit_gets_an_exe(
    plan_for: PlanFor, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, folders = plan_for(*BOTH)
    whole = planned(plan, folders, Path("m.llamafile"), kind=APE, windows=None)
    assert {path.name: one.targets for path, one in whole.items()} == {"m.llamafile": BOTH}
    monkeypatch.setattr(windows_exe, "LIMIT", plan.size_limit)
    divided = planned(plan, folders, Path("m.llamafile"), kind=APE, windows=None)
    assert {path.name: one.targets for path, one in divided.items()} == {
        "m.llamafile": BOTH[:1],
        "m.exe": BOTH[1:],
    }


@pytest.mark.parametrize("kind", [APE, EXE])
def test_large_weights_for_windows_alone(
    plan_for: PlanFor, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """The way out is not what was just refused."""
    plan, folders = plan_for("windows-x86_64")
    monkeypatch.setattr(windows_exe, "LIMIT", plan.size_limit)
    with pytest.raises(InputError) as refusal:
        planned(plan, folders, Path("m"), kind=kind, windows=None)
    assert "--format ape --targets linux-x86_64,windows-x86_64" in refusal.value.tip


@pytest.mark.parametrize(
    ("targets", "said"),
    [
        (["openbsd-x86_64", "windows-x86_64"], True),
        (["openbsd-aarch64", "linux-x86_64"], False),
        (BOTH, False),
    ],
)
def test_openbsds_shell_is_told_of(
    plan_for: PlanFor,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    targets: Sequence[str],
    said: bool,
) -> None:
    plan, folders = plan_for(*targets)
    file = tmp_path / "m.llamafile"
    file.touch()
    plan = replace(plan, weights={"m.gguf": BytesSource(b"GGUF")})
    [plan] = planned(plan, folders, file, kind=APE, windows=None).values()
    report({file: plan}, {file: [file]})
    assert ("`bash FILE`" in capsys.readouterr().err) is said
