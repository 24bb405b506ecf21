"""The version is stated in `pyproject.toml`, and nowhere else."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

from helpers.repository import REPOSITORY

PYPROJECT = REPOSITORY / "pyproject.toml"
STATED = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]["version"]


def version(folder: Path) -> str:
    """What the packer in a folder says."""
    words = [sys.executable, "-m", "packer", "--version"]
    # Installed packages stay visible, and behind the folder: llamapack itself is among them.
    environment = os.environ | {"PYTHONPATH": str(folder)}
    done = subprocess.run(
        words, cwd=folder, env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout


def copied(folder: Path) -> Path:
    for name in ("packer", "runtime"):
        unwanted = shutil.ignore_patterns("__pycache__", "demo_model")
        shutil.copytree(REPOSITORY / name, folder / name, ignore=unwanted)
    return folder


def test_a_checkout_says_what_its_project_file_states(tmp_path: Path) -> None:
    assert version(REPOSITORY) == f"llamapack {STATED}\n"
    bumped = PYPROJECT.read_text(encoding="utf-8").replace(f'"{STATED}"', '"98.7.6"', 1)
    (copied(tmp_path) / "pyproject.toml").write_text(bumped, encoding="utf-8")
    assert version(tmp_path) == "llamapack 98.7.6\n"


def test_an_installed_packer_says_what_its_metadata_state(tmp_path: Path) -> None:
    metadata = copied(tmp_path) / "llamapack-12.3.4.dist-info" / "METADATA"
    metadata.parent.mkdir()
    metadata.write_text("Metadata-Version: 2.1\nName: llamapack\nVersion: 12.3.4\n")
    assert version(tmp_path) == "llamapack 12.3.4\n"


def test_it_is_not_looked_for_before_it_is_needed() -> None:
    code = """
import packer
from packer import commands; from packer.packing import make as packing
commands.parser()
assert "__version__" not in vars(packer)
assert packer.__version__ == vars(packer)["__version__"]
"""
    subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, check=True)
