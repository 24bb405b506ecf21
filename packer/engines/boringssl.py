"""BoringSSL, which gives engines TLS: two static libraries and their headers for each target.

They have a key of their own, so neither a change of llama.cpp nor one of the engine compiles them
again.
"""

from __future__ import annotations

import ast
import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from packer.engines import layout, pypi
from packer.engines.cmake import Project, compile_project
from packer.engines.layout import locked
from packer.engines.pins import Pins, Sdist
from packer.engines.targets import Target
from packer.engines.toolchain import Toolchain
from packer.io.console import note
from runtime.errors import InputError

_GOAL = "boringssl-libraries"
_LIST = "src/python/grpcio/grpc_core_dependencies.py"
"""Names the files that grpcio's own build compiles."""
_LIBRARIES = ("libcrypto.a", "libssl.a")
_RULE = "\n-----"
"""Ends the licence that BoringSSL shares with grpcio; those of other files follow."""


def archive(pin: Sdist) -> Path:
    """The downloaded source distribution."""
    return layout.source() / f"{pin.package}-{pin.version}.tar.gz"


def folder(target: Target, pin: Sdist, zig: str, native: Path) -> Path:
    """The folder for the libraries of one target."""
    parts = [asdict(pin), zig, target.zig]
    for name in ("boringssl/CMakeLists.txt", "cmake/zig-toolchain.cmake"):
        parts.append((native / name).read_text(encoding="utf-8"))
    key = hashlib.sha256(json.dumps(parts).encode()).hexdigest()
    return layout.boringssl() / f"{target.name}-{key[:16]}"


def ready(
    target: Target, pins: Pins, native: Path, *, tools: Toolchain, log: Path, jobs: int
) -> Path:
    """The folder of the libraries, with `include` and `LICENSE`; compiled if they are not there.

    Raises:
        InputError: the sources cannot be had, or a step fails; the message names the log.
    """
    assert pins.boringssl
    place = folder(target, pins.boringssl, pins.zig, native)
    if place.is_dir():
        return place
    sdist = _downloaded(pins.boringssl)
    note(f"compiling BoringSSL for {target.name} (log: {log})")
    with layout.unfinished(layout.boringssl()) as scratch:
        source, out, made = scratch / "source", scratch / "out", scratch / "made"
        pypi.unpack(sdist, "", source)
        listed = scratch / "list"
        listed.write_text("\n".join(_compiled(source, pins.boringssl)), encoding="utf-8")
        definitions = {
            "BORINGSSL_LIST": str(listed),
            "BORINGSSL_SOURCE": str(source),
            "CMAKE_BUILD_TYPE": "Release",
            "LLAMAPACK_ZIG_TARGET": target.zig,
        }
        project = Project(f"BoringSSL for {target.name}", native / "boringssl", native, out, log)
        compile_project(project, definitions, _GOAL, jobs, tools=tools, pins=pins)
        made.mkdir()
        (source / pins.boringssl.folder / "include").rename(made / "include")
        for name in _LIBRARIES:
            (out / name).rename(made / name)
        text = (source / "LICENSE").read_text(encoding="utf-8").split(_RULE, 1)[0]
        (made / "LICENSE").write_text(text, encoding="utf-8")
        made.rename(place)
    return place


def _downloaded(pin: Sdist) -> Path:
    place = archive(pin)
    with locked(layout.lock("source")):
        if not place.is_file():
            note(f"fetching BoringSSL ({pin.title})")
            with layout.unfinished(layout.source()) as scratch:
                found = pypi.download(pin.package, pin.version, scratch)
                pypi.check_sha256(found, pin.sha256)
                found.rename(place)
        pypi.check_sha256(place, pin.sha256)
    return place


def _compiled(source: Path, pin: Sdist) -> list[str]:
    """The files of BoringSSL that are compiled, as grpcio lists them. The assembler files choose
    their system by the preprocessor.

    Raises:
        InputError: the list is missing.
    """
    values: dict[str, Any] = {}
    for statement in ast.parse((source / _LIST).read_text(encoding="utf-8")).body:
        if isinstance(statement, ast.Assign) and isinstance(name := statement.targets[0], ast.Name):
            values[name.id] = ast.literal_eval(statement.value)
    listed = values.get("CORE_SOURCE_FILES", [])
    assembled = values.get("ASM_SOURCE_FILES", {}).get("crypto_asm", [])
    files = [
        file
        for file in (*listed, *assembled)
        if file.startswith(pin.folder) and "/test_support/" not in file
    ]
    if not files:
        raise InputError(f"{pin.title}: {_LIST} lists no file of {pin.folder}")
    return files
