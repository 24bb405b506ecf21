"""Changes the code in small ways, one at a time, and lists the changes that no test notices.

Usage: python -m ci.mutation [PATH ...] [--count 40] [--modules 10] [--seed 1] [--lane unit]

The tests run in a copy of the tree: first without a change, which gives the time that they may
take, then once for each mutant.
"""

from __future__ import annotations

import argparse
import ast
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
TESTS = {
    "ape": "ape polyglot", "bundle": "bundle pack test_manifest_shapes.py", "checks": "engine",
    "commands": "edit pack parts test_output_place.py", "edit": "edit consume", "engines": "engine",
    "head": "polyglot", "hub": "download", "io": "disk parts", "machine": "launch doctor",
    "inspection": "test_extract.py test_inspect.py test_verify.py", "releases": "release",
    "packing": "pack test_plans.py", "weights": "pack download", "zip": "formats bundle",
}  # fmt: skip
"""What in `tests` is about the modules of a package, where that is not the folder of its name."""

_SWAPS: dict[Any, Any] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq, ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.FloorDiv, ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv, ast.LShift: ast.RShift, ast.RShift: ast.LShift, ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd, ast.And: ast.Or, ast.Or: ast.And, ast.Not: ast.UAdd,
}  # fmt: skip
_REMOVABLE = (ast.AugAssign, ast.Raise, ast.Continue, ast.Break, ast.Delete)
_PASSED_OVER = ("annotation", "returns", "decorator_list", "keys")


def _changed(node: Any, parent: Any) -> Iterator[tuple[str, Any]]:
    """The name of a field of this node, and what it can be changed to."""
    match node:
        case ast.Compare(ops=[op, *more]):
            yield "ops", [_SWAPS[type(op)](), *more]
        case ast.BinOp() | ast.BoolOp() | ast.UnaryOp() | ast.AugAssign():
            if swap := _SWAPS.get(type(node.op)):
                yield "op", swap()
        case ast.If() | ast.While() | ast.IfExp():
            yield "test", ast.UnaryOp(ast.Not(), node.test)
        case ast.Return(value=ast.expr()):
            yield "value", ast.Constant(None)
        case ast.Constant(value=bool(value)):
            yield "value", not value
        case ast.Constant(value=int(value)):
            yield "value", value + 1
        case ast.Constant(value=str(value)) if not isinstance(parent, ast.Expr | ast.JoinedStr):
            if value and " " not in value:  # the others are messages
                yield "value", ""


def mutants(text: str) -> Iterator[tuple[str, str]]:
    """What each mutant of a module changes, and its text."""
    tree = ast.parse(text)
    pending: list[tuple[ast.AST, Any]] = [(tree, tree.body)]
    while pending:
        parent, value = pending.pop()
        for at, node in enumerate(value if isinstance(value, list) else [value]):
            if not isinstance(node, ast.AST) or "__all__" in ast.unparse(node)[:8]:
                continue
            fields = list(ast.iter_fields(node))
            pending += [(node, one) for field, one in fields if field not in _PASSED_OVER]
            line, before = getattr(node, "lineno", 0), ast.unparse(node).partition("\n")[0]
            for field, new in _changed(node, parent):
                old = getattr(node, field)
                setattr(node, field, new)
                after = ast.unparse(ast.fix_missing_locations(node)).partition("\n")[0]
                yield f"{line}: {before} -> {after}", ast.unparse(tree)
                setattr(node, field, old)
            is_call = isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
            if isinstance(value, list) and (is_call or isinstance(node, _REMOVABLE)):
                value[at] = ast.Pass()
                yield f"{line}: removed {before}", ast.unparse(tree)
                value[at] = node


def tests_of(module: str) -> str:
    package = Path(module).parts[1]
    return TESTS.get(package, package)


def passes(copy: Path, tests: str, lane: str, seconds: float) -> bool:
    """Whether tests pass in the copy, within this time."""
    words = [f"tests/{one}" for one in tests.split()]
    pytest = [sys.executable, "-m", "pytest", "-qx", "-n", "0", "-m", lane, *words]
    done = subprocess.run(  # `timeout` also kills what the tests have started
        ["timeout", "-s", "KILL", str(seconds), *pytest],
        cwd=copy, env=os.environ | {"PYTHONPATH": str(copy)}, stdin=subprocess.DEVNULL,
        capture_output=True, check=False,
    )  # fmt: skip
    return done.returncode == 0


def put(copy: Path, module: str, text: str) -> None:
    """Give the copy's module another text."""
    for old in (copy / module).parent.glob(f"__pycache__/{Path(module).stem}.*"):
        old.unlink()  # Python compares size and second only
    (copy / module).write_text(text, encoding="utf-8")


def sample(modules: list[str], count: int, chance: random.Random) -> list[tuple[str, str, str]]:
    """Module, change and text of so many mutants."""
    texts = {module: (ROOT / module).read_text(encoding="utf-8") for module in modules}
    found = [(module, *mutant) for module, text in texts.items() for mutant in mutants(text)]
    return chance.sample(found, min(count, len(found)))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m ci.mutation")
    parser.add_argument("paths", nargs="*", default=["packer", "runtime"], help="modules, folders")
    for option, default in ("count", 40), ("modules", 10), ("seed", 1):
        parser.add_argument(f"--{option}", type=int, default=default, help=f"default: {default}")
    parser.add_argument("--lane", default="unit", help="of tests; default: unit")
    asked = parser.parse_args()
    chance = random.Random(asked.seed)
    paths = [ROOT / path for path in asked.paths]
    files = {file for path in paths for file in ([path] if path.is_file() else path.rglob("*.py"))}
    names = sorted(file.relative_to(ROOT).as_posix() for file in files)
    names = [name for name in names if (ROOT / "tests" / tests_of(name).split()[0]).exists()]
    modules = sorted(chance.sample(names, min(asked.modules, len(names))))
    outcomes: dict[str, Counter[str]] = {module: Counter() for module in [*modules, "all"]}
    limits: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / "tree"
        unwanted = shutil.ignore_patterns(".git", ".venv", "__pycache__", ".*_cache", ".hypothesis")
        shutil.copytree(ROOT, copy, symlinks=True, ignore=unwanted)
        for module, change, text in sample(modules, asked.count, chance):
            tests = tests_of(module)
            if tests not in limits:
                started = time.monotonic()
                if not passes(copy, tests, asked.lane, 3600):
                    raise SystemExit(f"ERROR tests/{tests} fail without a change")
                limits[tests] = 3 * (time.monotonic() - started) + 20
            put(copy, module, text)
            outcome = "survived" if passes(copy, tests, asked.lane, limits[tests]) else "killed"
            put(copy, module, (ROOT / module).read_text(encoding="utf-8"))
            for row in (module, "all"):
                outcomes[row][outcome] += 1
            print(f"{outcome:8} {module}:{change}", flush=True)
    print("\n| module | killed | survived |\n| --- | --- | --- |")
    for row, counts in outcomes.items():
        print(f"| {row} | {counts['killed']} | {counts['survived']} |")


if __name__ == "__main__":
    main()
