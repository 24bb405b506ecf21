"""GPU modules that a start has compiled on this machine, and what compiles them.

Names in the cache: docs/bundle-format.md, "Engines and the cache"; recipes: "Members".
"""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from runtime.doctor.subject import Subject
from runtime.formats.json_input import MALFORMED, parse_json
from runtime.machine.cache_places import places
from runtime.machine.machine import Machine

_FOLDERS = {
    "nvcc": ("/usr/local/cuda/bin", "/opt/cuda/bin", "${CUDA_PATH}/bin"),
    "hipcc": ("${ROCM_PATH}/bin", "/opt/rocm/bin", "${HIP_PATH}/bin"),
}
"""Where engines look behind PATH: `folders` of the recipes, for where there is no bundle."""


def recompiled(machine: Machine, subject: Subject, kind: str) -> Path | None:
    """The module of that kind that was compiled here from the bundle's sources, if one was."""
    recipe = subject.gpu_recipes.get(f"{machine.system}/{kind}")
    if recipe is None:
        return None
    key = hashlib.sha256(recipe).hexdigest()[:32]
    try:
        library = str(parse_json(recipe)["library"])
    except MALFORMED:
        return None
    for place in places(machine):
        folder = place.path / "gpu"
        note = folder / f"{machine.target}-{kind}-{key}.recompiled"
        try:
            # Opening a FIFO would wait for a writer.
            name = note.read_text("utf-8") if note.is_file() else ""
            path = folder / name.rstrip("\n") / library
            if name and path.is_file():
                return path
        except (OSError, ValueError):
            continue
    return None


def compiler(machine: Machine, name: str) -> Path | None:
    """The compiler of that name that an engine would take."""
    if found := machine.program(name):
        return found
    for folder in _FOLDERS.get(name, ()):
        place = machine.path(folder)
        if folder.startswith("${"):
            variable, _, below = folder.removeprefix("${").partition("}")
            if not machine.env.get(variable):
                continue
            place = Path(machine.env[variable] + below)
        if program := shutil.which(name, path=str(place)):
            return Path(program)
    return None
