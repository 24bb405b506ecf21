from __future__ import annotations

import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from packer.engines import boringssl, layout, native, pins, pypi
from packer.engines.boringssl import folder, ready
from packer.engines.cmake import Project
from packer.engines.pins import Pins, Sdist
from packer.engines.targets import TARGETS
from packer.engines.toolchain import Toolchain
from runtime.errors import InputError
from runtime.formats.sha256_file import file_sha256

LINUX = TARGETS["linux-x86_64"]
PLACE = "third_party/boringssl-with-bazel"
LISTING = f"""
CORE_SOURCE_FILES = ['src/core/x.cc', '{PLACE}/ssl/ssl.cc', '{PLACE}/crypto/mem.cc']
ASM_SOURCE_FILES = {{
    'crypto_asm': ['{PLACE}/gen/a-linux.S', '{PLACE}/gen/test_support/t.S'],
    'crypto_nasm': ['{PLACE}/gen/a-win.asm'],
}}
"""


@pytest.fixture
def pinned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache_root: Path) -> Pins:
    """Pins of a small source distribution, which the package index has."""
    source = tmp_path / "grpcio-1"
    for name, text in {
        "LICENSE": "Apache\n\n-----------\nOf other files\n",
        "src/python/grpcio/grpc_core_dependencies.py": LISTING,
        f"{PLACE}/include/openssl/ssl.h": "// ssl\n",
    }.items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text(text)
    archive = tmp_path / "grpcio-1.tar.gz"
    with tarfile.open(archive, "w:gz") as made:
        made.add(source, "grpcio-1")

    def download(package: str, version: str, place: Path) -> Path:
        copy = place / f"{package}-{version}.tar.gz"
        copy.write_bytes(archive.read_bytes())
        return copy

    monkeypatch.setattr(pypi, "download", download)
    pin = Sdist("grpcio", "1", file_sha256(archive), PLACE)
    return replace(pins.load(native.directory()), boringssl=pin)


def made(pinned: Pins, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, list[str]]:
    """The folder of the libraries, and what was compiled for it."""
    compiled: list[str] = []

    def compile_project(
        project: Project, definitions: dict[str, str], *_: object, **__: object
    ) -> None:
        compiled.extend(Path(definitions["BORINGSSL_LIST"]).read_text().split())
        project.out.mkdir()
        for name in ("libssl.a", "libcrypto.a"):
            (project.out / name).write_text(name)

    monkeypatch.setattr(boringssl, "compile_project", compile_project)
    tools = Toolchain(tmp_path, tmp_path, tmp_path)
    log = layout.log("x")
    return ready(LINUX, pinned, native.directory(), tools=tools, log=log, jobs=1), compiled


def test_what_grpcio_lists_is_compiled_once(
    pinned: Pins, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, compiled = made(pinned, tmp_path, monkeypatch)
    assert compiled == [
        f"{PLACE}/{name}" for name in ("ssl/ssl.cc", "crypto/mem.cc", "gen/a-linux.S")
    ]
    assert sorted(path.name for path in place.iterdir()) == [
        *("LICENSE", "include", "libcrypto.a", "libssl.a")
    ]
    assert (place / "LICENSE").read_text() == "Apache\n"
    assert (place / "include/openssl/ssl.h").is_file()
    assert made(pinned, tmp_path, monkeypatch) == (place, [])


def test_another_archive_is_refused(
    pinned: Pins, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert pinned.boringssl
    wrong = replace(pinned, boringssl=replace(pinned.boringssl, sha256="0" * 64))
    with pytest.raises(InputError, match="differs from the pinned file"):
        made(wrong, tmp_path, monkeypatch)


def test_the_key_is_its_own(small_native: Path, cache_root: Path) -> None:
    (small_native / "boringssl").mkdir()
    (small_native / "boringssl" / "CMakeLists.txt").write_text("project(boringssl)\n")
    pin = Sdist("grpcio", "1", "0" * 64, PLACE)

    def place(target: str = "linux-x86_64", pin: Sdist = pin, zig: str = "0.17.0") -> Path:
        return folder(TARGETS[target], pin, zig, small_native)

    first = place()
    (small_native / "engine" / "main.cpp").write_text("int main() { return 1; }\n")
    assert place() == first
    others = {place("windows-x86_64"), place(pin=replace(pin, version="2")), place(zig="0.18.0")}
    (small_native / "boringssl" / "CMakeLists.txt").write_text("project(other)\n")
    assert len(others | {first, place()}) == 5
