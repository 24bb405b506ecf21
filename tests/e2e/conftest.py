"""Real bundles of the demo model, with the real engine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers import real_models
from helpers.repository import DEMO
from helpers.running import ENGINES, Server, answer, pack, serving
from wine import Wine

from packer.convert.converter import find_python
from packer.engines import cache
from runtime.errors import InputError


@pytest.fixture(scope="session")
def engines() -> dict[str, Path]:
    """The engines that run here, or in Wine and qemu; tests do not build them: it takes minutes."""
    found = {name: cache.find(name) for name in ENGINES}
    missing = [name for name, path in found.items() if path is None]
    if missing:
        pytest.fail(f"engines are missing; run `llamapack engine build {' '.join(missing)}`")
    return {name: path for name, path in found.items() if path}


@pytest.fixture(scope="session")
def smollm2(engines: object, models: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model that chats; not to be changed."""
    output = tmp_path_factory.mktemp("smollm2") / "smollm2.llamafile"
    return pack(real_models.SMOLLM2, "--targets", "linux-x86_64", output=output)


@pytest.fixture(scope="session")
def mini_bundle(engines: object, models: object, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that embeds, converted from its folder; not to be changed."""
    output = tmp_path_factory.mktemp("mini") / "mini.llamafile"
    return pack(real_models.MINILM, "--targets", "linux-x86_64", output=output)


@pytest.fixture(scope="session")
def python_with_torch() -> Path:
    try:
        return find_python()
    except InputError as problem:
        pytest.skip(f"{problem.message}: {problem.tip}")


@pytest.fixture(scope="session")
def demo_bundle(engines: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One file for all of them; not to be changed."""
    output = tmp_path_factory.mktemp("demo") / "demo.llamafile"
    return pack(DEMO, "--targets", ",".join(engines), output=output)


@pytest.fixture(scope="session")
def linux_bundle(engines: object, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that is not a Windows program: shells that refuse those take this one."""
    output = tmp_path_factory.mktemp("linux") / "demo.llamafile"
    pack(DEMO, "--targets", "linux-x86_64,linux-x86_64-static", output=output)
    assert output.read_bytes()[:8] == b"jartsr='"
    return output


@pytest.fixture(scope="session")
def expected(demo_bundle: Path, engine_cache: Path) -> bytes:
    """What the demo answers to the question."""
    return answer(demo_bundle, LLAMAPACK_CACHE=str(engine_cache))


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


@pytest.fixture(scope="module")
def server(demo_bundle: Path) -> Iterator[Server]:
    """One for the tests of a file."""
    with serving(demo_bundle, "-t", "1") as started:
        yield started


@pytest.fixture(scope="module")
def wine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wine]:
    """A Windows of its own for the tests of one file."""
    windows = Wine(tmp_path_factory.mktemp("windows") / "prefix")
    yield windows
    windows.stop()
