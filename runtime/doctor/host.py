"""What engines ask of the machine itself: processor, C library, start from memory."""

from __future__ import annotations

from collections.abc import Iterator

from runtime.doctor.cache import has_cache
from runtime.doctor.finding import Finding, note, ok, problem
from runtime.doctor.from_memory import trouble
from runtime.doctor.subject import Subject
from runtime.machine.host import has_glibc, missing_for_static
from runtime.machine.machine import Machine
from runtime.machine.targets import TARGETS


def processor(machine: Machine, subject: Subject | None) -> Iterator[Finding]:
    """Static engines are compiled for AVX2; those with modules choose what the processor has."""
    missing = missing_for_static(machine)
    own = subject is not None and subject.is_engine
    if missing is None or (_has_no_engines(subject) and not own):
        return
    if not missing:
        yield ok("processor", "it has AVX2, as the static engine needs")
        return
    what = f"the processor has no {' or '.join(missing)}"
    if not own and has_glibc(machine) and _offers(subject, machine.target):
        yield note("processor", f"{what}: only the engine with modules starts here, and slower")
        return
    yield problem(
        "processor",
        f"{what}, and the {'engine' if own else 'engine for systems without glibc'} needs it",
        *([] if own else ["start it on a system with glibc, in a container such as `debian`"]),
        _pack_for(machine.target),
    )


def c_library(machine: Machine, subject: Subject | None) -> Iterator[Finding]:
    """Engines with modules need glibc; Alpine and distroless images have another libc or none."""
    if machine.static_target not in TARGETS or _has_no_engines(subject):
        return
    if has_glibc(machine):
        yield ok("glibc", "the system has glibc, as engines with modules need")
    elif _offers(subject, machine.static_target):
        yield note("glibc", "the system has no glibc: the static engine is used, which is slower")
    elif subject and _offers(subject, machine.target):
        yield problem(
            "glibc",
            "the system has no glibc, and the only engine for it in this bundle needs one",
            _pack_for(machine.static_target),
        )


def start_from_memory(machine: Machine, subject: Subject | None) -> Iterator[Finding]:
    """Where no directory will do, a stub starts the static engine from memory."""
    if machine.system != "linux" or _has_no_engines(subject):
        return
    found = trouble(machine)
    if not found:
        yield ok("memory", "native programs start the static engine from memory without a cache")
        return
    why, mend = found
    mends = [mend] if mend else []
    if has_cache(machine, subject):
        yield note("memory", f"{why}: engines cannot be started from memory, nor need they", *mends)
    else:
        yield problem("memory", f"{why}, so engines cannot be started from memory either", *mends)


def _offers(subject: Subject | None, target: str) -> bool:
    """Whether the bundle has that engine; without a bundle, as `pack` makes them."""
    return not subject or any(engine.target == target for engine in subject.engines)


def _has_no_engines(subject: Subject | None) -> bool:
    """Whether these rules do not describe it: another tool's file, or one that is an engine."""
    return subject is not None and not subject.engines


def _pack_for(target: str) -> str:
    return f"`llamapack pack MODEL.gguf --targets {target}` makes a bundle with the other engine"
