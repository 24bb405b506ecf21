"""The CPU variant of a start, and the reason for it: the engine itself is asked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from runtime.doctor.cache import cached
from runtime.doctor.check import Finding, Subject, note, ok, problem
from runtime.errors import InputError
from runtime.formats.bundle import Bundle
from runtime.formats.json_input import parse_json
from runtime.launch.engine_cache import find
from runtime.machine.cache_places import owner_trouble, places
from runtime.machine.machine import Machine, candidates
from runtime.machine.targets import executable

_PROBE = "LLAMAPACK_CPU_PROBE"  # native/engine/cpu_choice.cpp


def variant(machine: Machine, subject: Subject | None) -> Iterator[Finding]:
    """The CPU variant that a start takes, and why not a better one.

    Only an engine that a start has unpacked is asked: examining a file must not run it.
    """
    if subject and not subject.engines:
        return
    program = _unpacked(machine, subject.path) if subject else _newest(machine)
    if program is None:
        if subject:
            yield note(
                "cpu",
                "the engine says which CPU variant it takes once it was started here",
                f"`sh {subject.shell} --version`, then `llamapack doctor {subject.shell}` again",
            )
        return
    answer = _asked(machine, program)
    if answer is None:
        return  # an older engine, or one that does not start: other checks report that
    if error := answer.get("error"):
        yield problem("cpu", str(error), "`unset LLAMAPACK_CPU` lets the engine choose")
        return
    if not answer["modules"]:
        yield ok("cpu", "the static engine is used, which has one CPU variant only")
        return
    better = "; ".join(
        f"not {module['name']}: {module['trouble']}"
        for module in answer["modules"]
        if not module["score"]
    )
    reason = f"{answer['reason']}; {better}" if better else answer["reason"]
    yield ok("cpu", f"a start takes the CPU variant {answer['chosen']} ({reason})")


def _unpacked(machine: Machine, path: Path) -> Path | None:
    try:
        with Bundle.open(path) as bundle:
            engine = find(bundle, machine)
    except InputError:
        return None
    return engine.program if engine and engine.unpacked else None


def _newest(machine: Machine) -> Path | None:
    for candidate in candidates(machine):
        programs = [
            folder / executable(machine.system)
            for place in places(machine)
            if not owner_trouble(place, machine)
            for folder in cached(place)
            if folder.name.startswith(f"{candidate.target}-")
            and folder.name.count("-") == (candidate.target.count("-") + 1)
        ]
        there = [program for program in programs if program.is_file()]
        if there:
            return max(there, key=lambda program: program.stat().st_mtime)
    return None


def _asked(machine: Machine, program: Path) -> dict[str, Any] | None:
    own = replace(machine, env={**machine.env, _PROBE: "1"})
    try:
        answer = parse_json(own.output(program) or "")
    except ValueError:
        return None
    return answer if isinstance(answer, dict) and "modules" in answer else None
