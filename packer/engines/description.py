"""What an engine is made of, as CMake settings and as the key that names the result."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from packer.engines.pins import Pins
from packer.engines.targets import Target


def settings(target: Target, pins: Pins) -> dict[str, str]:
    """The CMake variables of a build, without paths of this machine."""
    return {
        "CMAKE_BUILD_TYPE": "Release",
        "LLAMAPACK_TARGET": target.name,
        "LLAMAPACK_ZIG_TARGET": target.zig,
        "LLAMAPACK_STATIC": "ON" if target.static else "OFF",
        # Else upstream would ask git, and the answer would depend on how the sources were got.
        "LLAMA_BUILD_NUMBER": str(pins.build_number),
        "LLAMA_BUILD_COMMIT": pins.revision,
    }


def base_key(target: Target, pins: Pins) -> str:
    """SHA-256 (hexadecimal) over what the compiled objects of upstream's sources depend on.

    Builds with the same one share a folder; see `packer.engines.build`.
    """
    parts = {
        "pins": pins.facts,
        "settings": settings(target, pins),
        "target": [target.name, target.zig, target.static],
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def key(target: Target, pins: Pins, sources: Mapping[str, str]) -> str:
    """SHA-256 (hexadecimal) over everything that decides the bytes of an engine.

    That is: the pins (llama.cpp, zig), the target's row, the CMake settings and the contents of
    the native sources. cmake, ninja and Node.js only carry these out; their versions are noted in
    `engine.json`, but an upgrade of them makes no engine stale. So the key needs no tool at all,
    and `llamapack pack` finds an engine where none is installed.

    Args:
        sources: `native.digests`; they take longer than all else, and serve every target.
    """
    parts = {
        "pins": pins.facts,
        "settings": settings(target, pins),
        "sources": dict(sources),
        "target": [target.name, target.zig, target.static],
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
