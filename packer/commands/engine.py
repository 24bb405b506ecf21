"""`llamapack engine`: builds or fetches engines and shows which there are."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from packer.commands import Subparsers
from packer.engines import cache, cosmo, targets
from packer.engines.build import build, build_web_ui
from packer.engines.cosmo import add_flags, conflict
from packer.engines.wheels import is_installed
from packer.io.console import note
from runtime.errors import InputError

if TYPE_CHECKING:
    from packer.engines.gpu.pins import Module


def register(verbs: Subparsers) -> None:
    parser = verbs.add_parser("engine", help="build, download and list the native engines")
    actions = parser.add_subparsers(metavar="ACTION", required=True)

    act = actions.add_parser("build", help="build engines that are missing or out of date")
    _add_targets(act)
    act.add_argument("--all", action="store_true", help="build for every system and architecture")
    act.add_argument("-j", "--jobs", type=_count, metavar="N", help="compilers at once")
    add_flags(act)
    act.set_defaults(run=_build)

    act = actions.add_parser("fetch", help="download released engines instead of building them")
    _add_targets(act)
    act.add_argument("--all", action="store_true", help="download all released engines")
    act.add_argument(
        "--gpu",
        metavar="KINDS|none",
        help="GPU modules, such as `vulkan,metal,cuda`; default: released modules for metal and "
        "vulkan",
    )
    act.add_argument(
        "--from",
        dest="source",
        metavar="DIR|URL",
        help="folder or address of the archives; default: where this llamapack was released",
    )
    act.add_argument(
        "--index",
        metavar="FILE|URL",
        help="list of the archives with their SHA-256; default: the one in this llamapack",
    )
    act.set_defaults(run=_fetch)

    act = actions.add_parser(
        "add-gpu", help="build or download GPU modules of the engines' llama.cpp release"
    )
    _add_gpu_arguments(act, "vulkan,metal")
    act.set_defaults(run=_add_gpu)

    act = actions.add_parser(
        "build-gpu", help="compile GPU modules, CUDA's too: it takes nvcc and an hour or more"
    )
    _add_gpu_arguments(act, "cuda,vulkan")
    act.set_defaults(run=_build_gpu)

    act = actions.add_parser("list", help="show all targets and their engines")
    act.add_argument("--json", action="store_true", help="print JSON")
    act.set_defaults(run=_list)

    act = actions.add_parser("path", help="print the folder of an engine")
    act.add_argument("target", metavar="TARGET", help="`cosmo`: its program")
    act.set_defaults(run=_path)

    act = actions.add_parser(
        "clean",
        help="remove engines and other builds that are out of date, and leftovers of builds",
    )
    act.add_argument(
        "--all", action="store_true", help="also remove current engines, sources, GPU modules, …"
    )
    act.set_defaults(run=_clean)


def _add_gpu_arguments(act: argparse.ArgumentParser, example: str) -> None:
    act.add_argument("kinds", metavar="KINDS", help=f"kinds, separated by commas: {example}")
    act.add_argument(
        "--targets", metavar="T,T…", help="targets; default: all that have such a module"
    )
    act.add_argument("-j", "--jobs", type=_count, metavar="N", help="compilers at once")


def _add_targets(action: argparse.ArgumentParser) -> None:
    action.add_argument(
        "targets",
        nargs="*",
        metavar="TARGET",
        help="targets; default: the engines for this machine",
    )


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"`{text}` is not a number from 1 up")
    return int(text)


def _build(args: argparse.Namespace) -> None:
    # On SIGTERM, as from `timeout` or a CI runner, the compilers must end too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    if problem := conflict(vars(args)):
        args.refuse(problem)
    if args.toolchain == cosmo.KIND:
        _build_cosmo(args)
        return
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
            # Each takes minutes: the work for the others is not wasted.
            note(f"{row.name}: {problem.message}; continuing with the others")
            failed.append(row.name)
    if failed:
        raise InputError(
            f"no engine could be built for {', '.join(failed)}",
            f"Run `llamapack engine build {failed[0]}` to see why.",
        )


def _build_cosmo(args: argparse.Namespace) -> None:
    request = cosmo.CosmoRequest(
        args.source, args.program or "", tuple(args.definitions or ()), args.cosmocc
    )
    print(f"{cosmo.KIND} {cosmo.build_runtime(request, args.jobs)}", flush=True)


def _fetch(args: argparse.Namespace) -> None:
    from packer.releases import index as releases
    from packer.weights.downloads import Downloads

    with Downloads() as downloads:
        index = releases.trusted_index(args.index, downloads)
        source = args.source or index.base
        if source is None:
            raise InputError(
                "the index does not say where its archives are", "Name the folder with `--from`."
            )
        rows = [targets.named(name) for name in args.targets]
        if args.all:
            rows = releases.targets_in(index)
        rows = rows or targets.for_this_machine()
        modules = None if args.gpu is None else _modules(args.gpu, {row.name for row in rows})
        for piece, entry in list(releases.wanted(index, rows, modules)):
            print(f"{piece.name} {releases.fetch(piece, entry, source, downloads)}", flush=True)


def _add_gpu(args: argparse.Namespace) -> None:
    from packer.engines.gpu import modules
    from packer.engines.gpu.pins import CUDA

    found = _wanted(args)
    for module in found:
        if module.kind == CUDA and modules.find(module) is None:
            raise InputError(
                f"{module.title} is in no registry, and compiling it takes an hour or more",
                "Run `llamapack engine build-gpu cuda`.",
            )
    _make(found, args.jobs)


def _build_gpu(args: argparse.Namespace) -> None:
    found = _wanted(args)
    for module in found:
        if module.wheel is not None:
            raise InputError(
                f"{module.title} is not compiled here: that takes the tools of its system",
                f"Run `llamapack engine add-gpu {module.kind}`.",
            )
    _make(found, args.jobs)


def _wanted(args: argparse.Namespace) -> list[Module]:
    from packer.engines.gpu import chosen, pins

    wanted = {targets.named(name.strip()).name for name in (args.targets or "").split(",") if name}
    found = _modules(args.kinds, wanted)
    if not found and args.kinds != chosen.NONE:
        raise InputError(
            f"there is no GPU module {args.kinds} for {', '.join(sorted(wanted))}",
            f"There are modules for {', '.join(sorted({one.target for one in pins.load()}))}.",
        )
    return found


def _make(found: list[Module], jobs: int | None) -> None:
    from packer.engines.gpu import modules

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    for module in found:
        print(f"{module.target} {module.kind} {modules.add(module, jobs)}", flush=True)


def _modules(kinds: str, wanted: set[str]) -> list[Module]:
    """The GPU modules of these kinds for these targets; for all targets if none is named."""
    from packer.engines.gpu import chosen, pins

    if kinds == chosen.NONE:
        return []
    known = pins.load()
    found = []
    for kind in dict.fromkeys(word.strip() for word in kinds.split(",")):
        fitting = [module for module in known if module.kind == kind]
        if not fitting:
            raise InputError(
                f"there is no GPU module `{kind}`",
                f"The kinds are: {', '.join(pins.kinds(known))}.",
            )
        found += [module for module in fitting if not wanted or module.target in wanted]
    return found


def _list(args: argparse.Namespace) -> None:
    from packer.engines.gpu import modules

    found = cache.engines()
    missing = [name for name in targets.TARGETS if name not in {e.target for e in found}]
    runtimes = cosmo.runtimes()
    if args.json:
        rows = [
            {
                "built_with": engine.built_with,
                "files": engine.files,
                "id": engine.id,
                "llama.cpp": engine.llama_cpp,
                "path": str(engine.path),
                "size": engine.size,
                "state": _state(engine),
                "target": engine.target,
            }
            for engine in found
        ]
        rows += [{"state": "missing", "target": name} for name in missing]
        rows += [
            {
                "built_with": one.built_with,
                "id": one.id,
                "path": str(one.program),
                "program": one.made or None,
                "size": one.size,
                "source": one.source,
                "state": _state(one),
                "target": cosmo.KIND,
            }
            for one in runtimes
        ]
        rows += [
            {
                "kind": module.kind,
                "path": str(path),
                "state": _made(module),
                "target": module.target,
            }
            for module, path in modules.found()
        ]
        print(json.dumps(sorted(rows, key=lambda row: str(row["target"])), indent=2))
        return
    lines = [
        f"{e.target:22}{_state(e):9}{e.llama_cpp:8}"
        f"{e.files:3} files {e.size / 1e6:7.1f} MB  {e.id[:16]}"
        for e in found
    ]
    lines += [f"{name:22}missing" for name in missing]
    print("\n".join(sorted(lines)))
    for one in runtimes:
        size = f"{one.size / 1e6:7.1f} MB  {one.id[:16]}"
        print(f"{cosmo.KIND:22}{_state(one):9}{size}  of {one.source} {one.made}".rstrip())
    for module, path in modules.found():
        print(f"{module.target:22}{module.kind:9}{_bytes(path) / 1e6:7.1f} MB, GPU module")


def _state(engine: cache.BuiltEngine | cosmo.CosmoRuntime) -> str:
    if not engine.current:
        return "stale"
    wheel = isinstance(engine, cache.BuiltEngine) and is_installed(engine.path)
    return "wheel" if wheel else "built"


def _made(module: Module) -> str:
    return "fetched" if module.wheel else "built"


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


def _path(args: argparse.Namespace) -> None:
    if args.target == cosmo.KIND:
        print(cosmo.chosen())
        return
    row = targets.named(args.target)
    path = cache.built().get(row.name)
    if path is None:
        raise InputError(
            f"there is no current engine for {row.name}",
            f"Run `llamapack engine build {row.name}`.",
        )
    print(path)


def _clean(args: argparse.Namespace) -> None:
    from packer.engines.cleaning import clean

    freed = clean(everything=args.all)
    note(f"freed {freed / 1e6:,.0f} MB")
