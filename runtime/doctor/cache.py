"""The cache: is there a directory for engines, and what does it contain?"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path

from runtime.console import in_words
from runtime.doctor.finding import Finding, note, ok, problem
from runtime.doctor.from_memory import needs_no_directory
from runtime.doctor.subject import Subject
from runtime.machine.cache_places import Place, Trouble, owner_trouble, places, trouble
from runtime.machine.machine import Machine
from runtime.machine.targets import stub_of

ENGINE_BYTES = 40_000_000
"""Bytes that an engine takes when unpacked, where no bundle tells."""

_CONTENTS = ("archives", "downloads", "engines", "gpu", "stubs")
"""What bundles and the launcher put into the cache: docs/bundle-format.md."""

_ENGINE_NAME = re.compile(r"(?P<target>.+)-(?P<id>[0-9a-f]{32})")


def cache_directories(machine: Machine, subject: Subject | None) -> Iterator[Finding]:
    """Each candidate in its order: the first that can hold programs is used."""
    if subject and subject.is_engine:
        yield ok("cache", "the file is itself the engine: nothing is unpacked")
        return
    looked = [
        (place, trouble(place, machine, _needed(place, machine, subject)))
        for place in places(machine)
    ]
    used = next((place for place, why in looked if not why), None)
    before = True
    for place, why in looked:
        if place is used:
            before = False
            yield ok("cache", f"{place.path} is where engines are unpacked")
        elif not why:
            yield ok("cache", f"{place.path} could hold engines, too")
        elif before:
            yield note("cache", f"{place.path} is passed over: {why.why}", *_lines(why))
        else:
            yield ok("cache", f"{place.path} could not hold engines ({why.why}), nor need it")
    if used:
        return
    if needs_no_directory(machine, subject):
        yield note("cache", "no directory can hold engines: the static one starts from memory")
        return
    chosen = machine.env.get("LLAMAPACK_CACHE")
    yield problem(
        "cache",
        f"LLAMAPACK_CACHE is {chosen}, used instead of all others, and cannot hold engines"
        if chosen
        else "no directory can hold engines",
        *_choices(machine, subject, bool(chosen)),
    )


def _choices(machine: Machine, subject: Subject | None, chosen: bool) -> Iterator[str]:
    if machine.system == "windows":
        if chosen:
            yield "`Remove-Item Env:LLAMAPACK_CACHE` lets a bundle choose"
        yield "`$Env:LLAMAPACK_CACHE = 'D:\\some\\directory'` with a directory of yours"
        return
    if chosen:
        yield "`unset LLAMAPACK_CACHE` lets a bundle choose"
    yield (
        f"`LLAMAPACK_CACHE=/some/directory sh {subject.shell if subject else './m.llamafile'}` "
        "with a directory of yours on a file system that allows programs"
    )
    if machine.system == "linux" and subject and subject.kind.is_ape:
        yield (
            f"`llamapack assimilate {subject.shell} --target {machine.target} -o m` makes a native "
            "program, which needs no directory if it has a static engine"
        )


def old_engines(machine: Machine, subject: Subject | None) -> Iterator[Finding]:
    """Engines that this bundle, or the newest bundle started, does not use."""
    wanted = {engine.id[:32] for engine in subject.engines} if subject else set()
    for place in places(machine):
        engines = cached(place)
        if not engines:
            continue
        newest = {_parts(engine)[0]: engine for engine in sorted(engines, key=_changed)}
        old = [
            engine
            for engine in engines
            if (_parts(engine)[1] not in wanted if wanted else engine not in newest.values())
        ]
        if old:
            freed = sum(map(_size, old))
            yield note(
                "engines",
                f"{place.path} holds {len(old)} unpacked engine{'s' * (len(old) > 1)} of "
                f"{'other' if wanted else 'older'} bundles, {freed / 1e6:.0f} MB",
                f"`{removal(machine, old)}`; a bundle that needs one unpacks it again",
            )
        else:
            yield ok("engines", f"{place.path} holds no old engines")


def size(machine: Machine, subject: Subject | None) -> Iterator[Finding]:
    """How much has gathered in each candidate, and how to be rid of it."""
    for place in places(machine):
        if machine.system != "windows" and owner_trouble(place, machine.user):
            continue  # a link, perhaps, to what must not be removed
        sizes = {place.path / name: _size(place.path / name) for name in _CONTENTS}
        there = {path: bytes_ for path, bytes_ in sizes.items() if bytes_}
        if not there:
            continue
        listed = ", ".join(f"{path.name} {in_words(bytes_)}" for path, bytes_ in there.items())
        yield ok(
            "cache",
            f"{place.path} holds {in_words(sum(there.values()))}: {listed}",
            f"`{removal(machine, there)}` empties it; bundles unpack again what they need, and "
            "weights are fetched again",
        )


def removal(machine: Machine, paths: Iterable[Path]) -> str:
    """The command that removes these and nothing else in their folder: `LLAMAPACK_CACHE` can name
    any directory."""
    words = [shlex.quote(str(path)) for path in paths]
    if machine.system == "windows":
        return f"Remove-Item -Recurse {', '.join(words)}"
    return f"rm -r {' '.join(words)}"


def cached(place: Place) -> list[Path]:
    """The engines unpacked in a place; none if it cannot be read."""
    try:
        return sorted(
            path
            for path in (place.path / "engines").iterdir()
            if _ENGINE_NAME.fullmatch(path.name) and path.is_dir()
        )
    except OSError:
        return []


def has_cache(machine: Machine, subject: Subject | None) -> bool:
    """Whether any directory can hold engines."""
    return any(
        not trouble(place, machine, _needed(place, machine, subject)) for place in places(machine)
    )


def _needed(place: Place, machine: Machine, subject: Subject | None) -> int:
    """Bytes to be free: of the engines that may start here, the largest that is not there yet."""
    present = {_parts(engine)[1] for engine in cached(place)}
    if subject and subject.engines:
        return max(
            (
                engine.size
                for engine in subject.engines
                if stub_of(engine.target) == machine.target and engine.id[:32] not in present
            ),
            default=0,
        )
    return 0 if present else ENGINE_BYTES


def _parts(engine: Path) -> tuple[str, str]:
    found = _ENGINE_NAME.fullmatch(engine.name)
    return (found["target"], found["id"]) if found else ("", "")


def _changed(path: Path) -> float:
    return path.stat().st_mtime


def _size(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir())


def _lines(why: Trouble) -> list[str]:
    return [why.mend] if why.mend else []
