"""The cache: is there a directory for engines, what does it contain, and is that undamaged?"""

from __future__ import annotations

import hashlib
import re
import stat
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TypeAlias

from runtime.console import in_words
from runtime.doctor.check import Finding, Subject, note, ok, problem
from runtime.errors import InputError, shell_word
from runtime.formats.bundle import ENGINES, GPU, SUMS, Bundle
from runtime.formats.sha256_file import differing, parse
from runtime.machine.cache_places import (
    FAILS_SECONDS,
    FOLDERS,
    Place,
    Trouble,
    is_safe,
    own_trouble,
    owner_trouble,
    places,
    trouble,
)
from runtime.machine.head import Kind
from runtime.machine.machine import Machine, memory_start_trouble
from runtime.machine.targets import executable, stub_of

ENGINE_BYTES = 40_000_000
"""Bytes of an unpacked engine, if no bundle is examined."""

_CONTENTS = ("archives", "downloads", "engines", "gpu", "stubs")
"""Folders in the cache: docs/bundle-format.md."""

_STUB_NAME = re.compile(r"[0-9a-f]{16}|[0-9a-f]{32}")
"""The first digits of its SHA-256; 32 in files of older packers."""

_FAILS_NAME = re.compile(r"(?P<target>.+)-(?P<id>[0-9a-f]{32})\.fails-\d+-\d+")
_ENGINE_NAME = re.compile(r"(?P<target>.+)-(?P<id>[0-9a-f]{32})")

_Sums: TypeAlias = Mapping[str, Mapping[str, str]]
"""For folders of a place, SHA-256 by name of file."""


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
            yield note(
                "cache", f"{place.path} is passed over: {why.why}", *[why.mend] * bool(why.mend)
            )
        else:
            yield ok("cache", f"{place.path} could not hold engines ({why.why}), nor need it")
    if used:
        return
    if _needs_no_directory(machine, subject):
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
        newest = {
            _parts(engine)[0]: engine
            for engine in sorted(engines, key=lambda path: path.stat().st_mtime)
        }
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
    """The size of each candidate, and how to empty it."""
    for place in places(machine):
        if owner_trouble(place, machine):
            continue  # it may be a link to something that must not be removed
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
    words = [shell_word(path) for path in paths]
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


def _size(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir())


def _needs_no_directory(machine: Machine, subject: Subject | None) -> bool:
    """Whether this file starts without a directory. A script has to unpack its stub."""
    return (
        subject is not None
        and machine.system == "linux"
        and subject.kind is Kind.ELF
        and any(engine.target == machine.static_target for engine in subject.engines)
        and memory_start_trouble(machine) is None
    )


def contents(machine: Machine, subject: Subject | None) -> Iterator[Finding]:
    """Damage to stubs and to files from the bundle, which a start looks for only after a change;
    engines that failed on a trial."""
    expected = _expected(subject)
    for place in places(machine):
        if owner_trouble(place, machine):
            continue
        found = [
            *_folders(place, machine),
            *_stubs(place, machine),
            *_unpacked(place, machine, expected),
        ]
        damage = [one for one in found if one.state != "ok"]
        yield from damage or found[:1]
        yield from _failed(place, machine, subject)


def _expected(subject: Subject | None) -> _Sums:
    if subject is None or subject.trouble:
        return {}
    expected = {}
    try:
        with Bundle.open(subject.path) as bundle:
            for engine in bundle.engines:
                sums = bundle.read(f"{ENGINES}{engine.target}/{SUMS}")
                expected[f"engines/{engine.target}-{engine.id[:32]}"] = _own(sums)
            for module in bundle.gpu_modules:
                sums = bundle.read(f"{GPU}{module.target}/{module.kind}/{SUMS}")
                key = hashlib.sha256(sums).hexdigest()[:32]
                expected[f"gpu/{module.target}-{module.kind}-{key}"] = _own(sums)
    except InputError:
        pass  # the checks of the bundle report it
    return expected


def _own(sums: bytes) -> dict[str, str]:
    listed = parse(sums.decode("utf-8", "replace"))
    return {name: sha256 for name, sha256 in listed.items() if "/" not in name}


def _folders(place: Place, machine: Machine) -> Iterator[Finding]:
    for name in FOLDERS:
        path = place.path / name
        try:
            found = own_trouble(place.folder(name), machine)
        except OSError as error:  # of the target of a link
            found = Trouble(error.strerror or str(error), f"`{removal(machine, [path])}`")
        if found:
            yield problem("cache", f"{path}: {found.why}", found.mend)


def _stubs(place: Place, machine: Machine) -> Iterator[Finding]:
    folder = place.path / "stubs"
    names = [path.name for path in folder.glob("*") if _STUB_NAME.fullmatch(path.name)]
    for name in names:
        if not _is_plain(folder / name, machine, runs=True) or not _digest(
            folder / name
        ).startswith(name):
            yield _damaged(folder / name, [], machine)
    if names:
        yield _whole(place)


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""


def _unpacked(place: Place, machine: Machine, expected: _Sums) -> Iterator[Finding]:
    for name, sums in expected.items():
        folder = place.path / name
        if not folder.exists() and not folder.is_symlink():
            continue
        odd = [
            file
            for file in sums
            if not _is_plain(folder / file, machine, runs=file == executable(machine.system))
        ]
        if not _is_plain(folder, machine, runs=True, kind=stat.S_IFDIR):
            yield _damaged(folder, [], machine)
        elif odd or (odd := differing(folder, sums)):
            yield _damaged(folder, odd, machine)
        else:
            yield _whole(place)


def _is_plain(path: Path, machine: Machine, *, runs: bool, kind: int = stat.S_IFREG) -> bool:
    try:
        return is_safe(path.lstat(), kind, machine, runs=runs)
    except OSError:
        return False


def _damaged(path: Path, files: list[str], machine: Machine) -> Finding:
    which = f": {', '.join(files)}" if files else ""
    return problem(
        "cache",
        f"{path} is damaged{which}",
        f"`{removal(machine, [path])}`; the next start of a bundle puts it there again",
    )


def _whole(place: Place) -> Finding:
    return ok("cache", f"{place.path} holds what was put there")


def _failed(place: Place, machine: Machine, subject: Subject | None) -> Iterator[Finding]:
    """Engines that a start skips because they failed on a trial in the last day."""
    ours = {engine.id[:32] for engine in subject.engines} if subject else set()
    others = [
        engine.target
        for engine in (subject.engines if subject else ())
        if engine.target == machine.static_target
    ]
    for path in sorted((place.path / "engines").glob("*.fails-*")):
        match = _FAILS_NAME.fullmatch(path.name)
        if not match or (subject and match["id"] not in ours):
            continue
        if abs(time.time() - path.lstat().st_mtime) >= FAILS_SECONDS:
            continue
        say = note if others or not subject else problem
        yield say(
            "cache",
            f"{match['target']} failed on a trial, so it is not tried again for a day",
            f"`{removal(machine, [path])}` has the next start try it",
        )
