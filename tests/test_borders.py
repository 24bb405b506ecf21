"""The layers in `pyproject.toml`: `lint-imports` checks them, and finds an import against them."""

from __future__ import annotations

import ast
import functools
import re
import shutil
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path

import pytest
from helpers.repository import REPOSITORY

PACKAGES = ("ci", "packer", "runtime")
_LINT = "from importlinter.cli import lint_imports_command as lint; lint()"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    shutil.copy(REPOSITORY / "pyproject.toml", tmp_path)
    for name in PACKAGES:
        unwanted = shutil.ignore_patterns("__pycache__")
        shutil.copytree(REPOSITORY / name, tmp_path / name, ignore=unwanted)
    return tmp_path


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-c", _LINT, "--no-logo", "--no-cache"]
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)


def test_the_layers_are_kept() -> None:
    done = lint(REPOSITORY)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("importer", "imported", "contract"),
    [
        ("runtime.errors", "packer.io.console", "ci uses packer, packer uses runtime"),
        ("packer.engines.build", "packer.bundle.manifest", "layers of packer"),
        ("runtime.machine.machine", "runtime.launch.plan", "layers of runtime"),
    ],
)
def test_an_import_against_the_layers_fails(
    copy: Path, importer: str, imported: str, contract: str
) -> None:
    with (copy / f"{importer.replace('.', '/')}.py").open("a") as file:
        file.write(f"\n\ndef late() -> None:\n    import {imported}\n")
    done = lint(copy)
    assert done.returncode == 1, done.stdout + done.stderr
    assert f"{contract} BROKEN" in done.stdout
    assert f"{importer} -> {imported}" in done.stdout


def test_a_new_module_has_to_be_given_a_place(copy: Path) -> None:
    (copy / "packer" / "elsewhere.py").touch()
    done = lint(copy)
    assert done.returncode == 1
    assert "elsewhere" in done.stdout + done.stderr


@functools.cache
def parsed(root: Path) -> dict[str, ast.Module]:
    """All modules under their dotted names; packages end in `.`."""
    found = {}
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            name = ".".join(path.relative_to(root).with_suffix("").parts)
            tree = ast.parse(path.read_text(encoding="utf-8"))
            found[name.removesuffix("__init__")] = tree
    return found


def faces(modules: dict[str, ast.Module]) -> dict[str, set[str]]:
    """The names in `__all__` of each package that has one."""
    found = {}
    for name, tree in modules.items():
        for node in tree.body if name.endswith(".") else ():
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
                found[name] = set(ast.literal_eval(node.value))
    return found


def past_faces(root: Path) -> list[str]:
    """Imports of what a package does not show to others."""
    modules = parsed(root)
    shown = faces(modules)
    problems = []
    for name, tree in modules.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module:
                wanted = [f"{node.module}.{one.name}" for one in node.names]
            elif isinstance(node, ast.Import):
                wanted = [one.name for one in node.names]
            else:
                continue
            for one in wanted:
                words = one.split(".")
                for at in range(1, len(words)):
                    package = ".".join(words[:at]) + "."
                    inside = name.startswith(package)
                    if package in shown and not inside and words[at] not in shown[package]:
                        problems.append(f"{name}: {one}")
    return problems


def test_imports_go_through_faces() -> None:
    assert past_faces(REPOSITORY) == []


def test_every_package_has_a_face_of_what_there_is() -> None:
    modules = parsed(REPOSITORY)
    shown = faces(modules)
    without = {"ci.bench.", "packer.", "packer.commands.", "runtime."}
    packages = {name for name in modules if name.endswith(".") and not name.startswith("ci.")}
    assert packages - shown.keys() <= without
    for package, names in shown.items():
        body = ast.unparse(modules[package])
        for name in names:
            is_module = f"{package}{name}" in modules or f"{package}{name}." in modules
            assert is_module or re.search(rf"\b{name}\b", body.replace(f"'{name}'", ""))


def test_an_import_past_a_face_is_found(copy: Path) -> None:
    with (copy / "packer" / "commands" / "pack.py").open("a") as file:
        file.write("\n\ndef late() -> None:\n    from packer.edit.moves import Move\n")
    assert past_faces(copy) == ["packer.commands.pack: packer.edit.moves.Move"]


@pytest.mark.parametrize("package", ["packer", "runtime"])
def test_the_drawn_layers_are_those_of_the_contract(package: str) -> None:
    text = (REPOSITORY / "docs" / "architecture.md").read_text(encoding="utf-8")
    block = re.search(rf"^{package}\n((?:  .*\n)+)", text, re.M)
    assert block
    drawn = [
        set(re.split(r"  ", re.split(r" {3,}", line.strip())[0])) for line in block[1].splitlines()
    ]
    pyproject = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = pyproject["tool"]["importlinter"]["contracts"]
    (rows,) = (one["layers"] for one in contracts if one["name"] == f"layers of {package}")
    layers = [set(row.split(" | ")) for row in rows]
    places = [next((at for at, row in enumerate(layers) if names <= row), -1) for names in drawn]
    assert -1 not in places, [names for names, at in zip(drawn, places, strict=True) if at < 0]
    assert places == sorted(set(places))


def test_no_class_name_is_used_twice() -> None:
    """So that a search for one gives one definition."""
    names = Counter(
        node.name
        for module, tree in parsed(REPOSITORY).items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and not module.startswith("ci.")
    )
    assert {name for name, count in names.items() if count > 1} == set()
