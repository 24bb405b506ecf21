"""`llamapack run`, `llamapack-run` and `python -m runtime`: start whatever holds a model."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from runtime.console import Exit, confirmed, error, note, prepare_streams, reported
from runtime.launch.archives import Tools
from runtime.launch.flags import DEFAULT_CONTEXT, positional
from runtime.launch.memory import memory
from runtime.launch.parts import Parted, parted
from runtime.launch.plan import planned
from runtime.launch.start import hand_over, unpacked
from runtime.machine.cache_places import cache_folder
from runtime.machine.machine import Machine

_USAGE = """\
usage: {program} TARGET [--dry-run] [--json] [--force] [--yes] [--offline] [FLAGS…]

Starts an engine for a model. TARGET is one of these:
  m.llamafile              a bundle, also if this system cannot start the file itself
  m.llamafile.cat0         its first part; joins the parts in place; asks first on a terminal
  m.gguf                   a model, or its first shard
  hf:ORG/REPO[:QUANT]      a model of the Hub, downloaded once; or https://HOST/m.gguf
  m.exe                    engines for Windows, with m.llamafile or m.gguf in its folder
  FOLDER                   all models in it, loaded as requests name them

  -c N                     context in tokens; 0: the trained size; default: {context} at most
  -ngl N|auto|all          layers on the GPU; default: as many as fit
  --gpu KIND               auto, disable, nvidia, amd, intel, apple, cuda, hip, metal, vulkan
  --recompile, --nocompile compile a GPU module for this machine, or do not
  -m FILE                  other weights
  --server, --chat, --cli  HTTP only, chat only, or a raw completion of -p
All other flags go to the engine unchanged; `{program} TARGET --help` lists them.

  --dry-run                print the engine's command line and start nothing
  --json                   the same as JSON, with engine, model and memory
  --force                  also start a model that does not fit into memory
  --yes                    do not ask before parts are joined
  --offline                use earlier downloads only, without a network
"""
_NO_TOOLS = Tools()
_SWITCHES = ("--dry-run", "--json", "--force", "--yes")


@dataclass
class Request:
    """A parsed command line."""

    target: str
    words: list[str]
    """For the engine."""
    switches: set[str] = field(default_factory=set)


def main(
    argv: Sequence[str] | None = None,
    *,
    program: str = "llamapack-run",
    tools: Tools = _NO_TOOLS,
) -> int:
    """Start a model; returns only if nothing was started. `program` is the name in `--help`."""
    prepare_streams()
    words = list(sys.argv[1:] if argv is None else argv)
    request = _parsed(words)
    try:
        with reported():
            if words[:1] in (["-h"], ["--help"]):
                print(_usage(program), end="")
            elif request is None:
                print(_usage(program).splitlines()[0], file=sys.stderr)
                error("TARGET is missing", f"`{program} --help` lists the possible targets.")
                raise Exit(2)
            else:
                run(request, tools)
    except Exit as exit_:
        return exit_.status
    return 0


def _usage(program: str) -> str:
    return _USAGE.format(program=program, context=DEFAULT_CONTEXT)


def run(request: Request, tools: Tools) -> None:
    """Start the target, or print what would be started."""
    machine, switches = Machine.this(), request.switches
    only_said = bool(switches & {"--dry-run", "--json"})
    path, words = _located(request, machine)
    file = parted(path)
    path = file.whole if isinstance(file, Parted) else file
    if isinstance(file, Parted) and file.half_joined and not only_said:
        _join(file, request, tools)
    plan = planned(path, words, machine, tools)
    if not only_said:
        if isinstance(file, Parted) and not file.whole.exists():
            _join(file, request, tools)
        plan = unpacked(plan, machine)
    use = memory(plan, machine)
    if only_said:
        facts = {**plan.facts(), "memory": use and use.facts()} if "--json" in switches else None
        text = facts and json.dumps(facts, indent=2, sort_keys=True, ensure_ascii=False)
        print(text or plan.command_line, flush=True)
    if use and not plan.loaded.flags.quiet:
        note(use.line())
    if use and "--force" not in switches:
        use.check()
    if not only_said:
        hand_over(plan)


def _located(request: Request, machine: Machine) -> tuple[Path, list[str]]:
    """The target, downloaded if needed, and the engine's words."""
    words = request.words
    if not request.target.lower().startswith(("hf:", "https://", "http://")):
        return Path(request.target), words
    path, more = _downloaded(request.target, machine, offline="--offline" in words)
    words = [word for word in words if word != "--offline"]
    given = {"--mmproj", "-mm", "--no-mmproj"} & set(words)
    return path, words if given else [*more, *words]


def _downloaded(text: str, machine: Machine, *, offline: bool) -> tuple[Path, list[str]]:
    """The first file of a model, and the flags that load its projector."""
    # Importing the downloader takes as long as everything else.
    from tqdm import tqdm

    from runtime.hub.answers import Report
    from runtime.hub.hub import Hub
    from runtime.hub.settings import settings
    from runtime.hub.web import Web
    from runtime.hub.words import WebWord, parsed

    def begin(label: str) -> Callable[[int | None], Callable[[int], None]]:
        def sized(size: int | None) -> Callable[[int], None]:
            bar = tqdm(desc=label, total=size, unit="B", unit_scale=True, leave=False, disable=None)

            def advance(count: int) -> None:
                bar.update(count)
                if bar.n == size:
                    bar.close()

            return advance

        return sized

    place = settings(os.environ, offline=offline)
    word = parsed(text, place.endpoint)
    report = Report(begin, note)
    if isinstance(word, WebWord):
        folder = cache_folder(machine, "downloads")
        return Web(folder, report, offline=place.offline).path(word), []
    assert word
    hub = Hub(place, report)
    model = hub.fetched(hub.model(word))
    first = hub.path(model, model.files[0])
    projector = hub.path(model, model.projector) if model.projector else None
    return first, ["--mmproj", str(projector)] if projector else []


def _join(file: Parted, request: Request, tools: Tools) -> None:
    file.join(tools.join, (lambda _: True) if "--yes" in request.switches else confirmed)


def _parsed(words: Sequence[str]) -> Request | None:
    """Our own switches may be anywhere before `--`; the rest is TARGET and the engine's."""
    end = words.index("--") if "--" in words else len(words)
    before, after = words[:end], list(words[end + 1 :])
    switches = {word for word in before if word in _SWITCHES}
    rest = [word for word in before if word not in _SWITCHES]
    # `llamapack run -m FILE …`, as with the engine itself.
    leading = len(rest) > 1 and rest[0] in ("-m", "--model")
    place = 1 if leading else positional(rest)
    if place is None:
        return None
    others = rest[2:] if leading else [*rest[:place], *rest[place + 1 :]]
    return Request(rest[place], [*others, *after], switches)
