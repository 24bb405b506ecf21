"""One whole release of the demo recipe, from the engines that are built here."""

from __future__ import annotations

from pathlib import Path

import pytest
from releases import run_release


@pytest.fixture(scope="session")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run_release(tmp_path_factory.mktemp("release") / "dist", TZ="UTC")


@pytest.fixture(scope="session")
def wheel(release: Path) -> Path:
    (path,) = (release / "assets").glob("*.whl")
    return path
