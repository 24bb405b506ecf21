"""The prebuilt GPU modules: pinned, checked when they are fetched, and fitting our engines."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import lief
import pytest
from small_release import integrity, pack
from structure_samples import Files

from packer.checks import check_module
from packer.checks.systems import system
from packer.cli import main
from packer.engines import cache, native, npm
from packer.engines.gpu import modules, pins
from packer.engines.gpu.chosen import chosen
from packer.engines.gpu.pins import Module
from packer.engines.targets import TARGETS
from runtime.errors import InputError

PINNED = pins.load()


def test_every_pin_names_a_target_and_a_hash() -> None:
    for module in PINNED:
        assert module.target in TARGETS
        assert module.kind in ("cuda", "metal", "vulkan")
        assert module.integrity.startswith("sha512-")
        assert module.kind in module.name
        assert module.needs


def test_modules_of_another_release_are_not_taken(tmp_path: Path) -> None:
    (tmp_path / "gpu").mkdir()
    text = (native.directory() / "gpu" / "modules.toml").read_text()
    (tmp_path / "gpu" / "modules.toml").write_text(text.replace('release = "v', 'release = "v9'))
    (tmp_path / "pins.toml").write_text((native.directory() / "pins.toml").read_text())
    assert pins.load(tmp_path) == []


@pytest.mark.parametrize("module", PINNED, ids=lambda module: module.title)
def test_every_symbol_that_it_imports_is_exported_by_our_ggml(module: Module) -> None:
    folder = modules.find(module)
    if folder is None:
        pytest.fail(f"run `llamapack engine add-gpu {module.kind}`")
    data = (folder / module.name).read_bytes()
    engine = cache.find(module.target)
    if engine:
        base = (engine / system(module.target).base).read_bytes()
        assert check_module(module.target, module.name, data, base) == []
        return
    # No engine for it is built here; ggml exports the same functions everywhere.
    ours = cache.find("linux-x86_64")
    assert ours, "run `llamapack engine build`"
    exports = _exports((ours / "libggml-base.so").read_bytes())
    wanted = {name for name in _imports(data) if name.startswith(("ggml_", "gguf_"))}
    assert len(wanted) > 20
    assert wanted <= exports


def _exports(data: bytes) -> set[str]:
    parsed = lief.parse(data)
    assert parsed
    return {str(symbol.name) for symbol in parsed.exported_symbols}


def _imports(data: bytes) -> set[str]:
    parsed = lief.parse(data)
    assert parsed
    return {str(symbol.name).removeprefix("_") for symbol in parsed.imported_symbols}


@pytest.fixture
def small_module(
    tmp_path: Path,
    cache_root: Path,
    engines: Callable[[str], Files],
    monkeypatch: pytest.MonkeyPatch,
) -> Module:
    """A module of its own in a package that npm seems to have."""
    tarball = tmp_path / "module-1.tgz"
    pack(tarball, {"package/libggml-vulkan.so": engines("linux-x86_64")["libggml-cpu.so"]})
    module = Module(
        "vulkan", "linux-x86_64", "small", "1", integrity(tarball), "package/libggml-vulkan.so", "-"
    )

    def download(package: str, version: str, node: str, folder: Path, log: Path) -> Path:
        copy = folder / tarball.name
        copy.write_bytes(tarball.read_bytes())
        return copy

    monkeypatch.setattr(npm, "download", download)
    monkeypatch.setattr(pins, "load", lambda sources=None: [module])
    return module


def test_it_is_fetched_once_and_found(small_module: Module) -> None:
    assert modules.find(small_module) is None
    place = modules.add(small_module)
    assert modules.find(small_module) == modules.add(small_module) == place
    assert sorted(path.name for path in place.iterdir()) == ["SHA256SUMS", "libggml-vulkan.so"]


def test_only_what_it_is_made_of_makes_another_one(small_module: Module) -> None:
    """Neither a word for people nor another address fetches 150 MB again."""
    place = modules.folder_of(small_module)
    assert modules.folder_of(replace(small_module, needs="more", package="moved")) == place
    for other in (
        replace(small_module, integrity="sha512-other"),
        replace(small_module, file="package/libggml-vulkan-other.so"),
        replace(small_module, target="linux-aarch64"),
    ):
        assert modules.folder_of(other) != place


def test_another_tarball_is_refused(
    small_module: Module, cache_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def download(package: str, version: str, node: str, folder: Path, log: Path) -> Path:
        (folder / "module-1.tgz").write_bytes(gzip.compress(b"something else"))
        return folder / "module-1.tgz"

    monkeypatch.setattr(npm, "download", download)
    with pytest.raises(InputError, match="differs from the pinned file"):
        modules.add(small_module)
    assert list((cache_root / "gpu").iterdir()) == []


def test_what_goes_into_a_bundle(small_module: Module) -> None:
    assert chosen(None, ["linux-x86_64"]) == []
    with pytest.raises(InputError, match="is missing") as why:
        chosen("vulkan", ["linux-x86_64"])
    assert "llamapack engine add-gpu vulkan" in why.value.tip
    place = modules.add(small_module)
    assert chosen(None, ["linux-x86_64"]) == [(small_module, place)]
    assert chosen("vulkan", ["linux-x86_64", "macos-x86_64"]) == [(small_module, place)]
    assert chosen("none", ["linux-x86_64"]) == []
    assert chosen(None, ["macos-x86_64"]) == []
    with pytest.raises(InputError, match="there is no GPU module `voodoo`"):
        chosen("voodoo", ["linux-x86_64"])
    with pytest.raises(InputError, match="there is no module for macos-x86_64"):
        chosen("vulkan", ["macos-x86_64"])


def test_an_unknown_kind_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["engine", "add-gpu", "voodoo"]) == 1
    assert "The kinds are: cuda, metal, vulkan" in capsys.readouterr().err


def test_targets_without_such_a_module_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["engine", "add-gpu", "cuda,metal", "--targets", "linux-aarch64"]) == 1
    said = capsys.readouterr().err
    assert "there is no GPU module cuda,metal for linux-aarch64" in said
    assert "There are modules for linux-x86_64, macos-aarch64, windows-x86_64" in said
