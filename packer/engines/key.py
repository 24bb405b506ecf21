"""The key of an engine: the CMake settings and everything else that decides its bytes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from packer.engines.pins import Pins
from packer.engines.targets import Target


def settings(target: Target, pins: Pins) -> dict[str, str]:
    """The CMake variables of a build, without paths of this machine."""
    return {
        "CMAKE_BUILD_TYPE": "Release",
        "LLAMAPACK_TARGET": target.name,
        "LLAMAPACK_ZIG_TARGET": target.zig,
        "LLAMAPACK_STATIC": "ON" if target.static else "OFF",
        # Otherwise upstream asks git, and the answer depends on how the sources were fetched.
        "LLAMA_BUILD_NUMBER": str(pins.build_number),
        "LLAMA_BUILD_COMMIT": pins.revision,
    }


def base_key(target: Target, pins: Pins) -> str:
    """SHA-256 (hexadecimal) of everything that upstream's compiled objects depend on.

    Builds with the same base key share a build folder.
    """
    return _digest(_upstream_parts(target, pins))


def engine_key(target: Target, pins: Pins, sources: Mapping[str, str]) -> str:
    """SHA-256 (hexadecimal) of everything that decides the bytes of an engine.

    cmake, ninja and Node.js do not count: `engine.json` names their versions, but upgrading them
    makes no engine stale. So `llamapack pack` finds an engine where no tool is installed.

    Args:
        sources: the result of `native.digests`. It is slow to compute and the same for all targets.
    """
    return _digest(_upstream_parts(target, pins) | {"sources": dict(sources)})


def _upstream_parts(target: Target, pins: Pins) -> dict[str, Any]:
    return {
        "pins": pins.facts,
        "settings": settings(target, pins),
        "target": [target.name, target.zig, target.static],
    }


def _digest(parts: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
