"""What engines ask of the machine itself: processor, C library, start from memory."""

from __future__ import annotations

import re
from collections.abc import Iterator

from runtime.doctor.cache import has_cache
from runtime.doctor.finding import Finding, note, ok, problem
from runtime.doctor.machine import Machine
from runtime.doctor.subject import Subject

_STATIC_NEEDS = ("avx2", "fma", "f16c", "bmi2")
# By the ABIs of both architectures: whoever has glibc has this file.
_GLIBC = {"x86_64": "/lib64/ld-linux-x86-64.so.2", "aarch64": "/lib/ld-linux-aarch64.so.1"}
_FROM_MEMORY = (3, 19)  # the Linux that brought execveat, later than memfd_create


def processor(machine: Machine, subject: Subject | None) -> Iterator[Finding]:
    """Static engines are compiled for AVX2; those with modules choose what the processor has."""
    flags = re.search(r"^flags\s*:(.*)$", machine.text("/proc/cpuinfo"), re.MULTILINE)
    if machine.target != "linux-x86_64" or not flags or _has_other_engines(subject):
        return
    missing = [name.upper() for name in _STATIC_NEEDS if name not in flags[1].split()]
    if not missing:
        yield ok("processor", "it has AVX2, as the static engine needs")
        return
    what = f"the processor has no {' or '.join(missing)}"
    if _has_glibc(machine) and _offers(subject, machine.target):
        yield note("processor", f"{what}: only the engine with modules starts here, and slower")
        return
    yield problem(
        "processor",
        f"{what}, and the engine for systems without glibc needs it",
        "start it on a system with glibc, in a container such as `debian`",
        _pack_for(machine.target),
    )


def c_library(machine: Machine, subject: Subject | None) -> Iterator[Finding]:
    """Engines with modules need glibc; Alpine and distroless images have another libc or none."""
    if machine.system != "linux" or machine.arch not in _GLIBC or _has_other_engines(subject):
        return
    if _has_glibc(machine):
        yield ok("glibc", "the system has glibc, as engines with modules need")
    elif _offers(subject, f"{machine.target}-static"):
        yield note("glibc", "the system has no glibc: the static engine is used, which is slower")
    elif subject and _offers(subject, machine.target):
        yield problem(
            "glibc",
            "the system has no glibc, and the only engine for it in this bundle needs one",
            _pack_for(f"{machine.target}-static"),
        )


def start_from_memory(machine: Machine, subject: Subject | None) -> Iterator[Finding]:
    """Where no directory will do, a stub starts the static engine from memory."""
    if machine.system != "linux" or _has_other_engines(subject):
        return
    release = machine.text("/proc/sys/kernel/osrelease").strip()
    version = tuple(map(int, re.findall(r"\d+", release)[:2]))
    if machine.text("/proc/sys/vm/memfd_noexec").strip() == "2":
        why, mend = "vm.memfd_noexec is 2", "`sudo sysctl vm.memfd_noexec=1`"
    elif version and version < _FROM_MEMORY:
        why, mend = f"Linux {release} is older than 3.19", ""
    else:
        yield ok("memory", "engines can be started from memory where no directory will do")
        return
    mends = [mend] if mend else []
    if has_cache(machine, subject):
        yield note("memory", f"{why}: engines cannot be started from memory, nor need they", *mends)
    else:
        yield problem("memory", f"{why}, so engines cannot be started from memory either", *mends)


def _has_glibc(machine: Machine) -> bool:
    return machine.path(_GLIBC.get(machine.arch, "/no/glibc")).exists()


def _offers(subject: Subject | None, target: str) -> bool:
    """Whether the bundle has that engine; without a bundle, as `pack` makes them."""
    return not subject or any(engine.target == target for engine in subject.engines)


def _has_other_engines(subject: Subject | None) -> bool:
    """Whether it is another tool's file, whose engine these rules do not describe."""
    return subject is not None and not subject.engines


def _pack_for(target: str) -> str:
    return f"`llamapack pack MODEL.gguf --targets {target}` makes a bundle with the other engine"
