"""Real bundles of the demo model, with the real engine."""

from __future__ import annotations

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


@pytest.fixture(scope="session")
def engine_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache of unpacked engines for all these tests, apart from the user's own."""
    folder = tmp_path_factory.mktemp("cache")
    folder.chmod(0o700)
    return folder


@pytest.fixture(scope="module", autouse=True)
def engine_cache_in_use(engine_cache: Path) -> Iterator[None]:
    """Before anything else of a module, and no longer than for it: other tests look at where the
    cache is when nobody says so."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LLAMAPACK_CACHE", str(engine_cache))
        yield
