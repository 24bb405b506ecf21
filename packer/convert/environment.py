"""The Python that upstream's converter runs in: it needs PyTorch, which llamapack does without."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path

from packer.engines import native
from packer.io import build_cache
from runtime.errors import InputError

_NEEDED = ("torch", "transformers", "sentencepiece", "safetensors")
_SCRIPT = Path("ci") / "convert-env"


def python() -> Path:
    """This Python if it has what the converter needs, else the one that `ci/convert-env` made.

    Raises:
        InputError: there is none.
    """
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if not missing:
        return Path(sys.executable)
    made = build_cache.root() / "convert-env"
    program = made / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    if program.exists() and (made / "complete").exists():
        return program
    raise InputError(
        f"converting needs {', '.join(missing)}, which this Python does not have",
        f"Run `{_command()}`.",
    )


def variables() -> dict[str, str]:
    """The environment for it: no network, and nothing written into upstream's sources."""
    own = {"PYTHONDONTWRITEBYTECODE": "1", "HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
    secret = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")
    skipped = (*secret, "NO_LOCAL_GGUF", "PYTHONPATH")
    return {k: v for k, v in os.environ.items() if k not in skipped} | own


def _command() -> str:
    script = native.directory().parent / _SCRIPT
    return f"sh {script}" if script.exists() else "pip install 'llamapack[convert]'"
