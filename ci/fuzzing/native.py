"""The fuzzers of C and C++: compiled by zig, run by libFuzzer with AddressSanitizer.

zig's clang inserts the checks but has no run-time libraries for them; atheris' package has.
"""

from __future__ import annotations

import importlib.util
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from packer.engines import native, pins, source, toolchain
from runtime.errors import InputError

_HARNESS = Path(__file__).with_name("harness")
_INCLUDED = ("bundle", "cosmo", "engine", "engine/hooks", "engine/os", "stub")
_CHECKS = (
    "-O1", "-g", "-D_GNU_SOURCE", "-fsanitize=address,undefined,fuzzer-no-link",
    "-fno-sanitize-recover=all",
)  # fmt: skip
_BUNDLE = ("bundle/crc32.c", "bundle/huffman.c", "bundle/inflate.c")
_ZIP = (*_BUNDLE, "bundle/zip_directory.c", "bundle/zip_extract.c")
_STUB = tuple(
    f"stub/{name}.c"
    for name in ("engine", "find_bundle", "install", "target_choice", "text", "verdict")
)
_HOOKS = tuple(
    f"engine/hooks/{name}.c" for name in ("ggml_fopen", "member_table", "tensor_elements")
)
_GGML = ("gguf.cpp", "ggml.c", "ggml-quants.c", "ggml-threading.cpp")


@dataclass(frozen=True)
class Harness:
    """One program: a file of `harness/` with the code that it tests."""

    sources: Sequence[str]
    """In `native/`, or in upstream's `ggml/src/`."""
    seeds: str
    """Which inputs it begins with."""
    language: str = "c"


HARNESSES = {
    "zip": Harness(_ZIP, "zip"),
    "inflate": Harness(_BUNDLE, "deflate"),
    "stub": Harness((*_ZIP, "bundle/sha256.c", *_STUB), "zip"),
    "zip_args": Harness((*_ZIP, "cosmo/zip_args.c"), "zip"),
    "words": Harness(("engine/words.cpp",), "args", "cpp"),
    "utf8": Harness(("engine/os/utf8.cpp",), "text", "cpp"),
    "gzip": Harness((*_ZIP, "engine/archive.cpp", "engine/gzip_member.cpp"), "zip", "cpp"),
    "json_bounds": Harness(("engine/hooks/json_bounds.cpp",), "json", "cpp"),
    "gguf": Harness((*_HOOKS, *_GGML), "gguf", "cpp"),
}
"""By the name of what they read."""

# Those of ggml as native/cmake/ggml-hooks.cmake has them.
_FLAGS = {
    "ggml.c": ["-Dggml_fopen=ggml_fopen_path"],
    # Upstream reads a type first and judges it then.
    "gguf.cpp": ["-Dggml_nelements=ggml_nelements_saturated", "-fno-sanitize=enum,bool"],
    "zip_args.c": [
        "-Dfopen=input_open",
        "-Dmalloc=input_malloc",
        "-Dzip_extract_alloc=input_extract",
    ],
}


def program(name: str, folder: Path) -> Path:
    """Compile one of `HARNESSES`; the program in `folder`. zig keeps what it has compiled.

    Raises:
        subprocess.CalledProcessError: zig fails; what it says went to stderr.
    """
    harness = HARNESSES[name]
    folder.mkdir(parents=True, exist_ok=True)
    runtime = _runtime()
    own = [_HARNESS / f"{name}.{harness.language}", _HARNESS / "main.c"]
    files = [*own, *map(_located, harness.sources)]
    objects = [_compiled(path, folder / f"{n}.o") for n, path in enumerate(files)]
    command = [*_zig("c++"), *objects, runtime, f"-Wl,-rpath,{runtime.parent}"]
    subprocess.run([*command, "-o", folder / "fuzz"], check=True)
    return folder / "fuzz"


def readers(folder: Path) -> Path:
    """Compile the readers that `agreement` compares with Python's; the library in `folder`.

    Raises:
        subprocess.CalledProcessError: zig fails; what it says went to stderr.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = [_HARNESS / "readers.cpp", *map(_located, (*_ZIP, "engine/words.cpp"))]
    flags = [
        "-O2",
        "-fPIC",
        f"-I{_HARNESS}",
        *(f"-I{native.directory() / one}" for one in _INCLUDED),
    ]
    objects = []
    for number, path in enumerate(files):
        objects.append(folder / f"{number}.o")
        command = [*_zig(_language(path)), *flags, "-c", path, "-o", objects[-1]]
        subprocess.run(command, check=True)
    library = folder / "readers.so"
    subprocess.run([*_zig("c++"), "-shared", *objects, "-o", library], check=True)
    return library


def _language(path: Path) -> str:
    return "c++" if path.suffix == ".cpp" else "cc"


def _compiled(path: Path, target: Path) -> Path:
    folders = [_HARNESS, _ggml() / "src", _ggml() / "include"]
    folders += [native.directory() / folder for folder in _INCLUDED]
    flags = [*_CHECKS, *(f"-I{folder}" for folder in folders)]
    if path.parent != _HARNESS and path.name in _FLAGS:
        flags += _FLAGS[path.name]
    subprocess.run([*_zig(_language(path)), *flags, "-c", path, "-o", target], check=True)
    return target


@cache
def _zig(language: str) -> tuple[str | Path, ...]:
    return toolchain.find(pins.load(native.directory())).zig, language


@cache
def _ggml() -> Path:
    return source.ready(pins.load(native.directory())) / "ggml"


def _located(name: str) -> Path:
    return native.directory() / name if "/" in name else _ggml() / "src" / name


def _runtime() -> Path:
    """libFuzzer and AddressSanitizer in one library."""
    found = importlib.util.find_spec("atheris")
    if found is None or found.origin is None:
        raise InputError("the package `atheris` is missing", "`sh ci/fuzz` installs it.")
    return Path(found.origin).parent.with_name("asan_with_fuzzer.so")
