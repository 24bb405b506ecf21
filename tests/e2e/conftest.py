"""Real bundles of the demo model, with the real engine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from running import DEMO, pack

from packer.engine import cache


@pytest.fixture(scope="session")
def engines() -> dict[str, Path]:
    """The engines of this machine; tests do not build them, since that takes minutes."""
    found = {name: cache.find(name) for name in ("linux-x86_64", "linux-x86_64-static")}
    missing = [name for name, path in found.items() if path is None]
    if missing:
        pytest.fail(f"no engine for {', '.join(missing)}; run `llamapack engine build`")
    return {name: path for name, path in found.items() if path}


@pytest.fixture(scope="session")
def demo_bundle(engines: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pack(DEMO, output=tmp_path_factory.mktemp("demo") / "demo.llamafile")


@pytest.fixture(scope="session", autouse=True)
def engine_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One cache of unpacked engines for all these tests, apart from the user's own."""
    folder = tmp_path_factory.mktemp("cache")
    folder.chmod(0o700)
    before = os.environ.get("LLAMAPACK_CACHE")
    os.environ["LLAMAPACK_CACHE"] = str(folder)
    yield folder
    if before is None:
        del os.environ["LLAMAPACK_CACHE"]
    else:
        os.environ["LLAMAPACK_CACHE"] = before
