"""Compares the cache with its hashes, which a start does only after a change."""

from __future__ import annotations

import hashlib
import re
import stat
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from runtime.doctor.cache import removal
from runtime.doctor.finding import Finding, note, ok, problem
from runtime.doctor.subject import Subject
from runtime.errors import InputError
from runtime.formats.bundle import ENGINES, GPU, SUMS, Bundle
from runtime.formats.sha256_file import differing, parse
from runtime.machine.cache_places import (
    FOLDERS,
    Place,
    Trouble,
    own_trouble,
    owner_trouble,
    places,
)
from runtime.machine.machine import Machine
from runtime.machine.targets import executable

_STUB_NAME = re.compile(r"[0-9a-f]{16}|[0-9a-f]{32}")
"""The first digits of its SHA-256; 32 in files of older packers."""

_FAILS_NAME = re.compile(r"(?P<target>.+)-(?P<id>[0-9a-f]{32})\.fails-\d+-\d+")
_FAILS_SECONDS = 24 * 3600

_Sums = Mapping[str, Mapping[str, str]]
"""For folders of a place, SHA-256 by name of file."""


def contents(machine: Machine, subject: Subject | None) -> Iterator[Finding]:
    """Damage to stubs, and to what comes out of the bundle; engines that failed on a trial."""
    expected = _expected(subject)
    for place in places(machine):
        if machine.system != "windows" and owner_trouble(place, machine.user):
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
        pass  # the checks of the bundle say so
    return expected


def _own(sums: bytes) -> dict[str, str]:
    listed = parse(sums.decode("utf-8", "replace"))
    return {name: sha256 for name, sha256 in listed.items() if "/" not in name}


def _folders(place: Place, machine: Machine) -> Iterator[Finding]:
    for name in FOLDERS if machine.system != "windows" else ():
        path = place.path / name
        try:
            trouble = own_trouble(replace(place, path=path), machine.user)
        except OSError as error:  # of what a link leads to
            trouble = Trouble(error.strerror or str(error), f"`{removal(machine, [path])}`")
        if trouble:
            yield problem("cache", f"{path}: {trouble.why}", trouble.mend)


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
    """Whether it is a file, or a folder, with the rights that it was installed with."""
    try:
        info = path.lstat()
    except OSError:
        return False
    needed = stat.S_IRUSR | (stat.S_IXUSR if runs else 0)
    return stat.S_IFMT(info.st_mode) == kind and (
        machine.system == "windows"
        or (info.st_uid == machine.user and info.st_mode & (needed | 0o022) == needed)
    )


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
    """Engines that starts pass over, because they failed on a trial in the last day."""
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
        if abs(time.time() - path.lstat().st_mtime) >= _FAILS_SECONDS:
            continue
        say = note if others or not subject else problem
        yield say(
            "cache",
            f"{match['target']} failed on a trial, so it is not tried again for a day",
            f"`{removal(machine, [path])}` has the next start try it",
        )
