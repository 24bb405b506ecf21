"""The contents of the file: is it complete, and does it have a program for this machine?"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from runtime.doctor.check import Finding, Subject, note, ok, problem, word
from runtime.formats.bundle import stored_again
from runtime.formats.parts import part_name
from runtime.formats.zip_directory import STORED
from runtime.machine.head import Kind, native_target
from runtime.machine.machine import Machine
from runtime.machine.targets import stub_of

_ROSETTA = "/Library/Apple/usr/share/rosetta/rosetta"


def head(machine: Machine, subject: Subject | None) -> Iterator[Finding]:
    """The first bytes: what system takes the file for a program?"""
    if not subject:
        return
    kind, name = subject.kind, subject.path
    if not subject.size:
        yield problem("head", f"{name} is empty", "download or copy it again")
    elif kind is Kind.GGUF:
        yield problem(
            "head",
            f"{name} holds weights alone, not a program",
            f"`llamapack pack {subject.shell}` makes a bundle of it",
            f"`OTHER.llamafile -m {subject.shell}` reads it by another bundle's engine",
        )
    elif kind in (Kind.ZIP, Kind.OTHER):
        yield problem("head", f"{name} begins as {kind.value}", *_join(subject.path))
    elif kind is Kind.PE and machine.system != "windows":
        yield problem("head", f"{name} is a program for Windows alone", *_beside(subject.path))
    elif kind is Kind.APE_UNIX and machine.system == "windows":
        yield problem(
            "head",
            f"{name} was packed without Windows",
            f"`wsl sh {subject.shell}` starts it where WSL is installed",
            "or get a bundle made for Windows",
        )
    elif kind.is_ape:
        yield ok("head", f"{name} begins as {kind.value}")
    else:
        yield _native(machine, subject)


def directory(machine: Machine, subject: Subject | None) -> Iterator[Finding]:
    """The ZIP archive at the end, which a download that was cut off does not have."""
    if not subject or subject.kind is Kind.GGUF or not subject.size:
        return
    if subject.trouble:
        mend = _join(subject.path) or [subject.trouble.tip]
        yield problem("directory", subject.trouble.message, *mend)
    elif subject.made_by:
        yield ok(
            "directory",
            f"it is a bundle made by {subject.made_by}, whole up to its end "
            f"(`llamapack verify {subject.shell}` or its own `--verify` compares every byte)",
        )
    elif subject.engines:
        yield note("directory", "its archive is whole, but has no manifest: another tool edited it")
    else:
        yield note(
            "directory",
            "its archive is whole, but it is another tool's llamafile: what is said here about "
            "engines and caches is not about it",
            f"`llamapack inspect {subject.shell}` shows what is inside",
        )


def engines(machine: Machine, subject: Subject | None) -> Iterator[Finding]:
    """Is there an engine that this machine can start?"""
    if not subject or not subject.engines:
        return
    targets = [engine.target for engine in subject.engines]
    fits = [target for target in targets if stub_of(target) == machine.target]
    if fits:
        yield ok("engine", f"it has an engine for this machine: {', '.join(fits)}")
        return
    other = machine.guest
    if other in targets and machine.system == "windows":
        yield note("engine", f"its engine for {other} is emulated on this machine, and slower")
    elif other in targets:
        if machine.path(_ROSETTA).exists():
            yield note("engine", f"its engine for {other} runs under Rosetta here, and slower")
        else:
            yield problem(
                "engine",
                f"its engine is for {other}, and Rosetta is not installed",
                "`softwareupdate --install-rosetta`",
            )
    else:
        yield problem(
            "engine",
            f"it has no engine for this machine ({machine.target}), but for {', '.join(targets)}",
            f"get a bundle made for {machine.target}; its maintainer makes one by "
            f"`llamapack pack MODEL.gguf --targets {machine.target}`",
        )


def weights(machine: Machine, subject: Subject | None) -> Iterator[Finding]:
    """Weights that an engine can map, in the file or beside it."""
    if not subject or subject.trouble:
        return
    packed = [member for member in subject.weights if member.method != STORED or member.encrypted]
    for member in packed:
        yield problem(
            "weights",
            f"{member.name} is compressed in it, so no engine can map it",
            stored_again(subject.path, member.name, bool(subject.made_by)),
        )
    if subject.weights or not subject.engines:
        return
    beside = [
        path
        for path in (subject.path.with_suffix(".llamafile"), subject.path.with_suffix(".gguf"))
        if path != subject.path
    ]
    found = next(filter(Path.is_file, beside), None)
    if found:
        yield ok("weights", f"it has no weights, and {found} is in its folder")
    else:
        yield note(
            "weights",
            f"it has no weights, and its folder has no {' or '.join(path.name for path in beside)}",
            f"`{subject.shell} -m FILE` takes them from elsewhere",
        )


def executable(machine: Machine, subject: Subject | None) -> Iterator[Finding]:
    """The right to be executed, which no download gives a file."""
    if not subject or machine.system == "windows" or subject.kind in (Kind.PE, Kind.GGUF):
        return
    if subject.path.stat().st_mode & 0o111 and os.access(subject.path, os.X_OK):
        yield ok("executable", "it is marked executable")
    else:
        yield problem(
            "executable", "it is not marked executable", f"`chmod +x {subject.shell}`",
            *[f"`sh {subject.shell}` starts it without"] * subject.kind.is_ape,
        )  # fmt: skip


def _native(machine: Machine, subject: Subject) -> Finding:
    target = native_target(subject.head)
    what = f"{subject.path} is {subject.kind.value}"
    if target is None:
        return note("head", f"{what} for a processor that llamapack does not know")
    if target == machine.target:
        return ok("head", f"{what} for this machine")
    if target == machine.guest:
        return note("head", f"{what} for {target}, which this machine emulates")
    return problem(
        "head",
        f"{what} for {target}, and this machine is {machine.target}",
        *_beside(subject.path),
    )


def _join(path: Path) -> list[str]:
    """How to join the parts of a file, if this is the name of one."""
    part = part_name(path.name)
    if not part:
        return []
    whole, after = path.with_name(part.whole), part.after
    start = word(path.with_name(part.stem))
    # The shell sorts cat10 before cat2: more than ten parts are named by their length first.
    return [
        f"`cat {start}.cat?{after} > {word(whole)}` joins the parts (with more than ten: "
        f"`cat {start}.cat?{after} {start}.cat??{after} > {word(whole)}`)",
        f"or `llamapack join {word(path)}`, which also checks them",
    ]


def _beside(path: Path) -> list[str]:
    bundle = path.with_suffix(".llamafile")
    if bundle != path and bundle.is_file():
        return [f"`sh {word(bundle)}` starts the bundle beside it"]
    return ["get the `.llamafile`, or the file made for this system"]
