"""The table of platforms names the targets, and claims no more than the tests do."""

from __future__ import annotations

import re

import pytest
from helpers.repository import REPOSITORY
from helpers.running import ENGINES

from packer.engines.targets import TARGETS


@pytest.fixture(scope="module")
def rows() -> dict[str, tuple[str, str]]:
    """Oldest system and status of each target."""
    table = (REPOSITORY / "docs" / "platforms.md").read_text().partition("## Targets")[2]
    found = {}
    for line in table.splitlines():
        if line.startswith("| `"):
            names, floor, _, status = (cell.strip() for cell in line.strip("|").split("|"))
            found |= dict.fromkeys(re.findall(r"`([a-z0-9_-]+)`", names), (floor, status))
    return found


def test_every_target_has_its_row(rows: dict[str, tuple[str, str]]) -> None:
    assert set(rows) == set(TARGETS)


@pytest.mark.parametrize("target", TARGETS)
def test_the_oldest_system(rows: dict[str, tuple[str, str]], target: str) -> None:
    assert rows[target][0].startswith(TARGETS[target].floor)


def test_what_was_run(rows: dict[str, tuple[str, str]]) -> None:
    """The engines of the bundle that the end-to-end tests start, and no others."""
    started = {name for name, (_, status) in rows.items() if status.startswith("run in CI")}
    assert started == set(ENGINES)
    assert {status for name, (_, status) in rows.items() if name not in started} == {
        "structure checked"
    }
