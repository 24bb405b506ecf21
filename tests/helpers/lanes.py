"""Lanes of tests, and the skips that each may have where all that can be installed is there."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
LANES = ("unit", "native", "e2e", "kill")

slow = pytest.mark.skipif("LLAMAPACK_SLOW_TESTS" not in os.environ, reason="LLAMAPACK_SLOW_TESTS=1")
"""Takes many seconds: `sh ci/test` runs it, `pytest` alone does not."""

_FOLDERS = {"e2e": "e2e", "cosmo": "native", "native": "native", "polyglot": "native"}
_FILES = {
    "ape/test_ape_command.py": "native",
    "engine/test_engine_web_ui.py": "native",  # and npm
    "release/test_installed.py": "e2e",
    "release/test_wheels.py": "e2e",
    "engine/test_gpu_cuda.py": "native",
    "engine/test_gpu_recipes.py": "native",
    "engine/test_structure_bundle.py": "native",
    "fit/test_against_engine.py": "e2e",
    "fuzzing/test_elements.py": "native",
    "test_demo_model.py": "e2e",
}
_FIXTURES = {
    **dict.fromkeys(("ape/head", "ape/ape", "ape/reader"), "native"),
    **dict.fromkeys(("engine/engines", "engine/small_native", "engine/small_tools"), "native"),
    **dict.fromkeys(("engine/dylibs", "engine/no_tools"), "native"),
    **dict.fromkeys(("release/release", "release/wheel"), "e2e"),
}


def lane(item: pytest.Item) -> str:
    """The lane of a test: `kill` by what its file imports, others by folder, file or fixtures."""
    place = item.path.relative_to(TESTS)
    folder = place.parts[0]
    names = vars(getattr(item, "module", None) or object).values()
    if any(getattr(value, "__module__", None) == "helpers.killing" for value in names):
        return "kill"
    if found := _FOLDERS.get(folder) or _FILES.get(place.as_posix()):
        return found
    wanted = (f"{folder}/{name}" for name in getattr(item, "fixturenames", ()))
    return max((_FIXTURES.get(name, "unit") for name in wanted), key=LANES.index, default="unit")


# What no package brings: the kernel's, the file system's or the processor's. Programs and Python
# packages are installed by `ci/setup` and `ci/test-programs`, and their lack is an error.
_MACHINE = (
    "private mounts",
    "this machine cannot",
    "mount anything in a namespace",
    "loop devices",
    "no unshare",
    "is not on ext4 or xfs",
    "no second file system",
    "no sparse file of",
    "has no O_DIRECT",
    "no attributes here",
    "has no immutable files",
    "no private binfmt_misc",
    "no network of its own",
    "keeps the file in its page cache",
)
ALLOWED_SKIPS = {
    "unit": _MACHINE,
    "native": (*_MACHINE, "there is no Node.js", "no nvcc here"),
    "e2e": (*_MACHINE, "no nvcc here"),
    "kill": _MACHINE,
}


def is_allowed(lane: str, reason: str) -> bool:
    return any(re.search(allowed, reason) for allowed in ALLOWED_SKIPS[lane])
