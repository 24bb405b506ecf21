"""`llamapack engine build --toolchain cosmo` with stand-ins for Cosmopolitan's tools."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from cosmo_place import Place, make


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return make(tmp_path)


@pytest.fixture(scope="session")
def done_place(tmp_path_factory: pytest.TempPathFactory) -> tuple[Place, Path]:
    """Where a runtime is built already, and its program; not to be changed."""
    place = make(tmp_path_factory.mktemp("cosmo"))
    return place, place.built()


@pytest.fixture
def failed(place: Place) -> Callable[..., tuple[str, str]]:
    """Checks that a build ends as every refusal does; its message and its tip."""

    def check(*words: str | Path, **environment: str) -> tuple[str, str]:
        done = place.build(*words, **environment)
        assert done.returncode == 1, done
        *notes, error, tip = done.stderr.splitlines()
        assert error.startswith("ERROR "), done.stderr
        assert tip.startswith("TIP "), done.stderr
        assert not [line for line in notes if "Traceback" in line]
        assert not done.stdout
        assert not list(place.cache.glob("engines/*"))
        return error, tip

    return check
