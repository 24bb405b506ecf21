"""The GPU modules: made once, fitting our engines, wanting no more than is stated."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import lief
import pytest
from structure_samples import Files

from packer.checks import check_module
from packer.checks.systems import system
from packer.cli import main
from packer.engines import cache, native, toolchain
from packer.engines import pins as engine_pins
from packer.engines import source as llama_cpp
from packer.engines.gpu import metal, modules, pins
from packer.engines.gpu.chosen import chosen
from packer.engines.gpu.pins import Module, Wheel
from packer.engines.targets import TARGETS
from runtime.errors import InputError

PINNED = pins.load()
MADE = [
    one
    for one in PINNED
    if modules.find(one)
    or one.kind == "metal"
    or (one.kind == "vulkan" and one.target.endswith("-x86_64"))
]
"""Those that `ci/test` makes, and others that are here."""


def test_every_pin_names_a_target() -> None:
    assert {module.kind for module in PINNED} == {"cuda", "metal", "vulkan"}
    for module in PINNED:
        assert module.target in TARGETS
        assert module.kind in module.name
        assert module.needs
        assert len(module.key) == 64


def test_a_prebuilt_module_of_another_release_is_not_taken(tmp_path: Path) -> None:
    for name in (*pins.SOURCES, "gpu/recipes/cuda.json", "gpu/modules.toml", "pins.toml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes((native.directory() / name).read_bytes())
    assert pins.load(tmp_path) == PINNED
    text = (tmp_path / "gpu" / "modules.toml").read_text()
    (tmp_path / "gpu" / "modules.toml").write_text(text.replace('release = "v', 'release = "v9'))
    assert pins.load(tmp_path) == [one for one in PINNED if one.wheel is None]


@pytest.mark.parametrize("name", [*pins.SOURCES, "pins.toml"])
def test_another_source_makes_another_vulkan_module(tmp_path: Path, name: str) -> None:
    for one in (*pins.SOURCES, "gpu/recipes/cuda.json", "gpu/modules.toml", "pins.toml"):
        (tmp_path / one).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / one).write_bytes((native.directory() / one).read_bytes())
    before = pins.load_all(tmp_path)
    text = (tmp_path / name).read_text()
    changed = text.replace("0.17.0", "0.17.1") if name == "pins.toml" else f"{text}\n#"
    (tmp_path / name).write_text(changed)
    after = pins.load_all(tmp_path)
    keys = [[m.key for m in found.modules if m.kind == "vulkan"] for found in (before, after)]
    assert set(keys[0]).isdisjoint(keys[1])
    in_shaders = name in ("pins.toml", *pins.SHADER_SOURCES)
    assert (before.shaders != after.shaders) == in_shaders


@pytest.mark.parametrize("module", MADE, ids=lambda module: module.title)
def test_every_symbol_that_it_imports_is_exported_by_our_ggml(module: Module) -> None:
    data = _library(module).read_bytes()
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


@pytest.mark.parametrize(
    "module", [one for one in MADE if one.kind == "vulkan"], ids=lambda module: module.title
)
def test_vulkan_wants_nothing_but_the_loader_and_an_old_c_library(module: Module) -> None:
    parsed = lief.parse(_library(module).read_bytes())
    if isinstance(parsed, lief.PE.Binary):
        wanted = {str(one.name).lower() for one in parsed.imports}
        assert {"vulkan-1.dll", "ggml-base.dll"} <= wanted
        system_s = re.compile(r"api-ms-win-crt-[a-z-]+-l1-1-0\.dll|kernel32\.dll|ntdll\.dll")
        own = ("vulkan-1.dll", "ggml-base.dll")
        assert [one for one in wanted if one not in own and not system_s.fullmatch(one)] == []
        return
    done = subprocess.run(
        ["objdump", "-pT", _library(module)], capture_output=True, text=True, check=True
    )
    versions = {
        tuple(int(number) for number in version.split("."))
        for version in re.findall(r"GLIBC_([\d.]+)", done.stdout)
    }
    assert max(versions) <= (2, 17)
    needed = set(re.findall(r"NEEDED +(\S+)", done.stdout))
    assert {"libggml-base.so", "libvulkan.so.1"} <= needed
    glibc = re.compile(r"lib(c|m|dl|rt|pthread)\.so\.\d|ld-linux-(x86-64|aarch64)\.so\.\d")
    own = ("libggml-base.so", "libvulkan.so.1")
    assert [one for one in needed if one not in own and not glibc.fullmatch(one)] == []


@pytest.mark.parametrize(
    "module", [one for one in MADE if one.kind == "metal"], ids=lambda module: module.title
)
def test_metal_is_what_our_loader_can_register(module: Module) -> None:
    parsed = lief.parse(_library(module).read_bytes())
    assert isinstance(parsed, lief.MachO.Binary)
    assert "_ggml_backend_metal_reg" in {str(symbol.name) for symbol in parsed.exported_symbols}
    wanted = [str(one.name) for one in parsed.libraries]
    assert "@rpath/libggml-base.dylib" in wanted
    assert all(one.startswith(("/usr/lib/", "/System/Library/", "@")) for one in wanted)
    assert parsed.build_version
    assert list(parsed.build_version.minos) == [14, 0, 0]
    assert not any("/Users/" in str(one.path) for one in parsed.rpaths)


def _library(module: Module) -> Path:
    folder = modules.find(module)
    if folder is None:
        pytest.fail(f"run `llamapack engine add-gpu {module.kind}`")
    return folder / module.name


def _exports(data: bytes) -> set[str]:
    parsed = lief.parse(data)
    assert parsed
    return {str(symbol.name) for symbol in parsed.exported_symbols}


def _imports(data: bytes) -> set[str]:
    parsed = lief.parse(data)
    assert parsed
    if isinstance(parsed, lief.PE.Binary):
        return {str(entry.name) for library in parsed.imports for entry in library.entries}
    return {str(symbol.name).removeprefix("_") for symbol in parsed.imported_symbols}


@pytest.fixture(scope="module")
def dylibs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small Metal backend, linked as upstream links its own."""
    folder = tmp_path_factory.mktemp("dylibs")
    (folder / "base.c").write_text("int ggml_one(void) { return 1; }\n")
    (folder / "metal.c").write_text(
        "int ggml_one(void);\nint ggml_backend_metal_reg(void) { return ggml_one(); }\n"
    )
    words = [toolchain._zig(), "cc", "-target", "aarch64-macos.14.0", "-shared", "-s"]
    base = ["-install_name", "@loader_path/libggml-base.0.dylib", "base.c", "-o", "libbase.dylib"]
    subprocess.run([*words, *base], cwd=folder, check=True)
    rpath = ["-Wl,-rpath,/Users/runner/work/build/bin", "-Wl,-headerpad,100"]
    linked = [*rpath, "metal.c", "libbase.dylib", "-o", "libmetal.dylib"]
    subprocess.run([*words, *linked], cwd=folder, check=True)
    return folder


def test_a_metal_library_is_linked_with_our_ggml_and_signed(
    dylibs: Path, engines: Callable[[str], Files]
) -> None:
    before = (dylibs / "libmetal.dylib").read_bytes()
    base = engines("macos-aarch64")["libggml-base.dylib"]
    (problem,) = check_module("macos-aarch64", "m.dylib", before, base)
    assert "not for `libggml-base.dylib`" in problem
    after = metal.adapted(before, "m.dylib")
    assert check_module("macos-aarch64", "m.dylib", after, base) == []
    assert b"/Users/" not in after
    parsed = lief.parse(after)
    assert isinstance(parsed, lief.MachO.Binary)
    assert "_ggml_backend_metal_reg" in {str(symbol.name) for symbol in parsed.exported_symbols}


def test_a_library_that_is_not_linked_with_ggml_is_refused(dylibs: Path) -> None:
    with pytest.raises(ValueError, match="linked with 0 libraries named libggml-base"):
        metal.adapted((dylibs / "libbase.dylib").read_bytes(), "m.dylib")
    with pytest.raises(ValueError, match="not a Mach-O file"):
        metal.adapted(b"no", "m.dylib")


@pytest.fixture
def small_module(
    tmp_path: Path, cache_root: Path, dylibs: Path, monkeypatch: pytest.MonkeyPatch
) -> Module:
    """A Metal module in a wheel that pip finds in a folder."""
    library = (dylibs / "libmetal.dylib").read_bytes()
    platform = "macosx_14_0_arm64"
    wheel = tmp_path / "index" / f"small-1-py3-none-{platform}.whl"
    wheel.parent.mkdir()
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("small/libggml-metal.dylib", library)
        archive.writestr(
            "small-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: small\nVersion: 1\n"
        )
        archive.writestr(
            "small-1.dist-info/WHEEL",
            f"Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: py3-none-{platform}\n",
        )
        archive.writestr("small-1.dist-info/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheel.parent))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    stated = hashlib.sha256(wheel.read_bytes()).hexdigest()
    origin = Wheel("small", "1", stated, platform, "small/libggml-metal.dylib")
    module = Module("metal", "macos-aarch64", "libggml-metal.dylib", "-", "89ab" * 16, origin)
    found = replace(pins.load_all(), modules=[module])
    monkeypatch.setattr(pins, "load_all", lambda sources=None: found)
    return module


def test_it_is_fetched_once_and_found(small_module: Module) -> None:
    assert modules.find(small_module) is None
    place = modules.add(small_module)
    assert modules.find(small_module) == modules.add(small_module) == place
    assert sorted(path.name for path in place.iterdir()) == ["SHA256SUMS", "libggml-metal.dylib"]


def test_another_wheel_is_refused(small_module: Module, cache_root: Path) -> None:
    assert small_module.wheel
    other = replace(small_module, wheel=replace(small_module.wheel, sha256="0" * 64))
    with pytest.raises(InputError, match="fetching small 1 failed"):
        modules.add(other)
    assert list((cache_root / "gpu").iterdir()) == []
    assert "hash" in (cache_root / "logs" / "gpu.log").read_text().lower()


def test_a_wheel_without_the_library_is_refused(small_module: Module, cache_root: Path) -> None:
    assert small_module.wheel
    other = replace(small_module, wheel=replace(small_module.wheel, file="small/other.dylib"))
    with pytest.raises(InputError, match=r"does not contain `small/other.dylib`"):
        modules.add(other)
    assert list((cache_root / "gpu").iterdir()) == []


def test_what_goes_into_a_bundle(small_module: Module) -> None:
    assert chosen(None, ["macos-aarch64"]) == []
    with pytest.raises(InputError, match="is missing") as why:
        chosen("metal", ["macos-aarch64"])
    assert "llamapack engine add-gpu metal" in why.value.tip
    place = modules.add(small_module)
    assert chosen(None, ["macos-aarch64"]) == [(small_module, place)]
    assert chosen("metal", ["linux-x86_64", "macos-aarch64"]) == [(small_module, place)]
    assert chosen("none", ["macos-aarch64"]) == []
    assert chosen(None, ["linux-x86_64"]) == []
    with pytest.raises(InputError, match="there is no GPU module `voodoo`"):
        chosen("voodoo", ["macos-aarch64"])
    with pytest.raises(InputError, match="there is no module for linux-x86_64"):
        chosen("metal", ["linux-x86_64"])


@pytest.fixture
def no_tools(cache_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither glslc nor nvcc; the sources of llama.cpp are where they were."""
    usual = llama_cpp.folder(engine_pins.load(native.directory()))
    monkeypatch.setattr(llama_cpp, "ready", lambda pins: usual)
    monkeypatch.setenv("PATH", "/usr/sbin")


@pytest.mark.usefixtures("no_tools")
@pytest.mark.parametrize(
    ("words", "missing", "script"),
    [
        (["add-gpu", "vulkan", "--targets", "linux-x86_64"], "glslc", "ci/vulkan-tools"),
        (["build-gpu", "vulkan", "--targets", "linux-aarch64"], "glslc", "ci/vulkan-tools"),
    ],
)
def test_a_tool_that_is_missing_is_named_with_a_way_to_it(
    words: list[str], missing: str, script: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["engine", *words]) == 1
    *_, error, tip = capsys.readouterr().err.splitlines()
    assert error.startswith("ERROR ")
    assert missing in error
    found = re.search(r"`sh ([^`]+)`", tip)
    assert found
    assert found[1].endswith(script)
    assert Path(found[1]).is_file()


def test_cuda_is_compiled_only_if_that_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["engine", "add-gpu", "cuda"]) == 1
    assert "llamapack engine build-gpu cuda" in capsys.readouterr().err
    assert main(["engine", "build-gpu", "metal"]) == 1
    assert "llamapack engine add-gpu metal" in capsys.readouterr().err


def test_an_unknown_kind_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["engine", "add-gpu", "voodoo"]) == 1
    assert "The kinds are: cuda, metal, vulkan" in capsys.readouterr().err


def test_targets_without_such_a_module_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["engine", "add-gpu", "cuda,metal", "--targets", "freebsd-x86_64"]) == 1
    said = capsys.readouterr().err
    assert "there is no GPU module cuda,metal for freebsd-x86_64" in said
    assert (
        "There are modules for linux-aarch64, linux-x86_64, macos-aarch64, windows-aarch64" in said
    )
