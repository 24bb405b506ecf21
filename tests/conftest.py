"""Small models and bundles, the command line, and lanes of tests."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Generator
from pathlib import Path
from unittest import mock

import pytest
from helpers import lanes, real_models
from helpers.stand_ins import CommandLine, Refused, write_gguf
from hypothesis import settings

from packer.engines import toolchain

# A change fails for what it did and not for what chance tried that day; chance has the nights.
settings.register_profile("fixed", derandomize=True, database=None)
settings.register_profile("nightly", max_examples=1000, derandomize=False, deadline=None)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--strict-skips",
        action="store_true",
        help="a skip that its lane does not allow is an error",
    )


@pytest.hookimpl(tryfirst=True)  # before `-m` selects
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        item.add_marker(lanes.lane(item))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """A test of the lane without a compiler fails if it compiles."""
    if not item.get_closest_marker("unit"):
        return (yield)
    problem = AssertionError("a unit test compiles: see tests/helpers/lanes.py")
    with mock.patch.object(toolchain, "_zig", side_effect=problem):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    skipped = report.skipped and not hasattr(report, "wasxfail")
    if skipped and item.config.getoption("--strict-skips"):
        reason = str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)
        if not lanes.is_allowed(lanes.lane(item), reason):
            report.outcome = "failed"
            report.longrepr = f"{item.nodeid} is not allowed to be skipped: {reason}"
    return report


@pytest.fixture
def llamapack(tmp_path: Path) -> CommandLine:
    folder = tmp_path / "llamapack-under-test"
    folder.mkdir()
    return CommandLine(folder)


@pytest.fixture
def gguf(tmp_path: Path) -> Path:
    """A small model in one file."""
    return write_gguf(tmp_path / "tiny.gguf")


@pytest.fixture(scope="session")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of a small model; not to be changed."""
    folder = tmp_path_factory.mktemp("packed")
    path = folder / "tiny.llamafile"
    done = CommandLine(folder)("pack", write_gguf(folder / "tiny.gguf"), "-o", path, "-q")
    assert done.returncode == 0, done.stderr
    return path


@pytest.fixture
def bundle(tmp_path: Path, gguf: Path, packed: Path) -> Path:
    """A bundle of the small model."""
    return shutil.copy(packed, tmp_path / packed.name)


@pytest.fixture
def refused() -> Refused:
    """Checks that a command ended as every refusal does, and gives its ERROR line."""

    def check(done: subprocess.CompletedProcess[str]) -> str:
        lines = done.stderr.splitlines()
        assert done.returncode == 1, done
        assert [line.split()[0] for line in lines] == ["ERROR", "TIP"], done.stderr
        assert not done.stdout
        return lines[0]

    return check


@pytest.fixture(scope="session")
def models() -> None:
    """The real models are there."""
    if not real_models.COMPLETE.exists():
        pytest.fail("the models are missing; run `sh ci/models`")
