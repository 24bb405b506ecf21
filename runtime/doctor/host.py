"""The machine itself: processor, C library, start from memory, shells."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from runtime.doctor.binfmt import starts_by_ape
from runtime.doctor.cache import has_cache
from runtime.doctor.check import Finding, Subject, note, ok, problem
from runtime.errors import shell_word
from runtime.machine.head import Kind
from runtime.machine.machine import Machine, has_glibc, memory_start_trouble, missing_for_static
from runtime.machine.targets import SYSTEMS, TARGETS

_FIRST_GOOD_ZSH = (5, 9)
_STOPPED_BY_WINDOWS = ("ksh", "ksh93", "lksh", "mksh", "yash")
"""They fail on the NULs of such a head (ksh93, yash), or on its first letters, MZ (mksh)."""


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
    """A stub starts the static engine from memory if no directory is usable."""
    if machine.system != "linux" or _has_no_engines(subject):
        return
    found = memory_start_trouble(machine)
    if not found:
        yield ok("memory", "native programs start the static engine from memory without a cache")
        return
    why, mend = found
    mends = [mend] if mend else []
    if has_cache(machine, subject):
        yield note(
            "memory", f"{why}: engines cannot be started from memory, and need not be", *mends
        )
    else:
        yield problem("memory", f"{why}, so engines cannot be started from memory either", *mends)


def _offers(subject: Subject | None, target: str) -> bool:
    """Whether the bundle has that engine; without a bundle, as `pack` makes them."""
    return not subject or any(engine.target == target for engine in subject.engines)


def _has_no_engines(subject: Subject | None) -> bool:
    """Whether these rules do not apply: another tool's file, or an engine."""
    return subject is not None and not subject.engines


def _pack_for(target: str) -> str:
    return f"`llamapack pack MODEL.gguf --targets {target}` makes a bundle with the other engine"


def old_zsh(machine: Machine, subject: Subject | None) -> Iterator[Finding]:
    """zsh before 5.9 says *exec format error* where every other shell runs the script."""
    if machine.system == "windows" or (subject and not subject.kind.is_ape):
        return
    for program in _zshs(machine):
        version = _zsh_version(machine.output(program, "--version") or "")
        if version is None:
            continue
        text = ".".join(map(str, version))
        if version >= _FIRST_GOOD_ZSH:
            yield ok("zsh", f"{program} is version {text}, which starts bundles")
        elif starts_by_ape(machine, subject):
            yield ok("zsh", f"{program} is version {text}, but an APE loader is registered")
        else:
            file = subject.shell if subject else "./m.llamafile"
            yield problem(
                "zsh",
                f"{program} is version {text}; before 5.9 zsh does not start bundles",
                f"`sh {file}` starts it all the same",
                f"or install zsh 5.9 or newer; `{shell_word(program)} --version` shows it",
            )


def windows_head(machine: Machine, subject: Subject | None) -> Iterator[Finding]:
    """Shells that do not read a file that is a program for Windows, too."""
    if subject and subject.kind is not Kind.APE_WINDOWS:
        return
    system = SYSTEMS.get(machine.system)
    if system and system.bash:
        file = subject.shell if subject else "./m.llamafile"
        yield (problem if subject else note)(
            "sh",
            f"{system.title}'s own shells do not start a file that Windows starts, too",
            f"`bash {file}` starts it; `{system.bash}` installs bash",
            "or get one without Windows: `llamapack pack MODEL.gguf --windows external` makes it",
        )
        return
    name = Path(machine.env.get("SHELL", "")).name
    if not subject or machine.system == "windows" or name not in _STOPPED_BY_WINDOWS:
        return
    if starts_by_ape(machine, subject):
        yield ok(name, f"{name} does not read files for Windows, but an APE loader is registered")
    else:
        yield problem(
            name,
            f"{name} does not start files that Windows starts, too",
            f"`sh {subject.shell}` starts it all the same",
        )


def _zshs(machine: Machine) -> list[Path]:
    """The user's own shell and the one in PATH, without repeats."""
    own = Path(machine.env.get("SHELL", ""))
    places = [own if own.name == "zsh" and own.is_file() else None, machine.program("zsh")]
    unique = {place.resolve(): place for place in reversed(places) if place}
    return list(reversed(unique.values()))


def _zsh_version(text: str) -> tuple[int, ...] | None:
    found = re.match(r"zsh (\d+(?:\.\d+)+)", text)
    return tuple(map(int, found[1].split("."))) if found else None
