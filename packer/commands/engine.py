"""`llamapack engine`: builds engines and shows which there are."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from packer.console import note
from packer.engine import cache, targets
from packer.engine.build import build, build_web_ui
from runtime.errors import InputError

if TYPE_CHECKING:
    from packer.commands import Subparsers


def register(verbs: Subparsers) -> None:
    parser = verbs.add_parser("engine", help="build the native engines and show which there are")
    actions = parser.add_subparsers(metavar="ACTION", required=True)

    act = actions.add_parser("build", help="build engines that are missing or stale")
    act.add_argument("targets", nargs="*", metavar="TARGET", help="default: those for this machine")
    act.add_argument("--all", action="store_true", help="for every system and architecture")
    act.add_argument("-j", "--jobs", type=_count, metavar="N", help="compilers at once")
    act.set_defaults(run=_build)

    act = actions.add_parser("add-gpu", help="fetch prebuilt GPU modules of the engines' release")
    act.add_argument("kinds", metavar="KINDS", help="with commas between them: vulkan,metal,cuda")
    act.add_argument(
        "--targets", metavar="T,T…", help="default: all targets that have such a module"
    )
    act.set_defaults(run=_add_gpu)

    act = actions.add_parser("list", help="show all targets and their engines")
    act.add_argument("--json", action="store_true", help="as JSON")
    act.set_defaults(run=_list)

    act = actions.add_parser("path", help="print the folder of an engine")
    act.add_argument("target", metavar="TARGET")
    act.set_defaults(run=_path)

    act = actions.add_parser("clean", help="remove stale engines and what builds left behind")
    act.add_argument(
        "--all", action="store_true", help="also current engines, llama.cpp's sources and web UI"
    )
    act.set_defaults(run=_clean)


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"`{text}` is not a number from 1 up")
    return int(text)


def _build(args: argparse.Namespace) -> None:
    # Told to end, as by `timeout` or a CI runner, it must not leave compilers behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    rows = [targets.named(name) for name in args.targets]
    if args.all:
        rows = list(targets.TARGETS.values())
    build_web_ui()
    failed = []
    for row in rows or targets.for_this_machine():
        try:
            print(f"{row.name} {build(row, args.jobs)}", flush=True)
        except InputError as problem:
            if len(rows) <= 1:
                raise
            # Each takes minutes: what the others need is not wasted.
            note(f"{row.name}: {problem.message}; going on with the others")
            failed.append(row.name)
    if failed:
        raise InputError(
            f"no engine could be built for {', '.join(failed)}",
            f"`llamapack engine build {failed[0]}` says why",
        )


def _add_gpu(args: argparse.Namespace) -> None:
    from packer.gpu import modules, pins

    known = pins.load()
    wanted = {targets.named(name.strip()).name for name in (args.targets or "").split(",") if name}
    for kind in dict.fromkeys(word.strip() for word in args.kinds.split(",")):
        fitting = [module for module in known if module.kind == kind]
        if not fitting:
            raise InputError(
                f"there is no GPU module `{kind}`",
                f"the kinds are: {', '.join(pins.kinds(known))}",
            )
        if wanted:
            fitting = [module for module in fitting if module.target in wanted]
        for module in fitting:
            print(f"{module.target} {module.kind} {modules.add(module)}", flush=True)


def _list(args: argparse.Namespace) -> None:
    from packer.gpu import modules

    found = cache.engines()
    missing = [name for name in targets.TARGETS if name not in {e.target for e in found}]
    if args.json:
        rows = [
            {
                "built_with": engine.built_with,
                "files": engine.files,
                "id": engine.id,
                "llama.cpp": engine.llama_cpp,
                "path": str(engine.path),
                "size": engine.size,
                "state": "built" if engine.current else "stale",
                "target": engine.target,
            }
            for engine in found
        ]
        rows += [{"state": "missing", "target": name} for name in missing]
        rows += [
            {"kind": module.kind, "path": str(path), "state": "fetched", "target": module.target}
            for module, path in modules.found()
        ]
        print(json.dumps(sorted(rows, key=lambda row: str(row["target"])), indent=2))
        return
    lines = [
        f"{e.target:22}{'built' if e.current else 'stale':9}{e.llama_cpp:8}"
        f"{e.files:3} files {e.size / 1e6:7.1f} MB  {e.id[:16]}"
        for e in found
    ]
    lines += [f"{name:22}missing" for name in missing]
    print("\n".join(sorted(lines)))
    for module, path in modules.found():
        print(f"{module.target:22}{module.kind:9}{_bytes(path) / 1e6:7.1f} MB, GPU module")


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


def _path(args: argparse.Namespace) -> None:
    row = targets.named(args.target)
    path = cache.find(row.name)
    if path is None:
        raise InputError(
            f"there is no current engine for {row.name}",
            f"`llamapack engine build {row.name}` makes it",
        )
    print(path)


def _clean(args: argparse.Namespace) -> None:
    freed = cache.clean(everything=args.all)
    note(f"freed {freed / 1e6:,.0f} MB")
