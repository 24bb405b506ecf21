"""Unpacks engines into the cache that start stubs use, under the same names.

Layout and rules: docs/bundle-format.md, "Engines and the cache". So what a start of the bundle has
unpacked is used here, and the other way round.
"""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import shlex
import shutil
import stat
import subprocess
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from runtime.errors import InputError
from runtime.formats.bundle import ENGINES, SUMS, Bundle, Engine
from runtime.formats.sha256_file import differing, parse
from runtime.launch.cache_folders import (
    Unusable,
    close_to_others,
    made,
    removed,
    sync_folder,
    usable_places,
)
from runtime.launch.hosts import Candidate, candidates
from runtime.machine.cache_places import Place, places
from runtime.machine.machine import Machine
from runtime.machine.targets import executable

_PROBE_SECONDS = 60 if os.name == "nt" else 10
"""As the stub has it: on Windows antivirus software may ask its maker first."""

_TRIES = 3
"""Renames against other processes that do the same."""

_FAILS_SECONDS = 24 * 3600
"""How long an engine that did not start is not tried again."""

_RESTRICTIONS = ("LD_", "DYLD_", "GLIBC_TUNABLES")
"""Variables whose names begin so may be why a program fails."""


@dataclass(frozen=True)
class CachedEngine:
    """An engine of a bundle, in a place where it lies or could lie."""

    engine: Engine
    candidate: Candidate
    folder: Path
    program: Path
    unpacked: bool


def host_engines(bundle: Bundle, machine: Machine) -> list[tuple[Engine, Candidate]]:
    """The engines of a bundle that may start on a machine, first choice first."""
    inside = {engine.target: engine for engine in bundle.engines}
    return [
        (inside[candidate.target], candidate)
        for candidate in candidates(machine)
        if candidate.target in inside
    ]


def find(bundle: Bundle, machine: Machine) -> CachedEngine | None:
    """The engine that a start would use, without unpacking anything; None if there is none.

    Raises:
        InputError: none starts here, as trials in the last day have shown.
    """
    failures: list[str] = []
    markers: list[Path] = []
    for engine, candidate in host_engines(bundle, machine):
        # Where no place will do, unpacking says why.
        usable = list(usable_places(machine)) or places(machine)[:1]
        if _has_failed(usable, engine, candidate, failures, markers):
            continue
        found = [_cached(bundle, engine, candidate, place, machine) for place in usable]
        if found:
            return next((cached for cached in found if cached.unpacked), found[0])
    if failures:
        raise _nothing_starts(bundle, failures, markers)
    return None


def unpack(bundle: Bundle, machine: Machine) -> CachedEngine:
    """The engine that starts here, unpacked and checked.

    Raises:
        InputError: the bundle has none that starts here, is damaged, or no directory can hold it.
    """
    failures: list[str] = []
    markers: list[Path] = []
    for place in places(machine):
        close_to_others(place, machine)
    for engine, candidate in host_engines(bundle, machine):
        usable = list(usable_places(machine))
        if _has_failed(usable, engine, candidate, failures, markers):
            continue
        for place in usable:
            cached = _cached(bundle, engine, candidate, place, machine)
            if cached.unpacked:
                return cached
        for place in places(machine):
            try:
                cached = _install(bundle, engine, candidate, place, machine)
            except Unusable as reason:
                failures.append(f"{place.path}: {reason}")
                continue
            except _Fails as reason:
                failures.append(f"{engine.target}: {reason}")
                break
            return cached
    if failures:
        raise _nothing_starts(bundle, failures, markers)
    there = ", ".join(engine.target for engine in bundle.engines) or "none"
    raise InputError(
        f"{bundle.path} has no engine for {machine.target}; it has: {there}",
        "Pack it again with an engine for this machine, or fetch one.",
    )


def _has_failed(
    usable: Iterable[Place], engine: Engine, candidate: Candidate,
    failures: list[str], markers: list[Path],
) -> bool:  # fmt: skip
    """Whether a trial has shown so, which is added to the lists then."""
    found = [marker for place in usable if (marker := failed(place, engine, candidate))]
    if found:
        failures.append(f"{engine.target} failed on a trial, as {found[0]} says")
        markers += found
    return bool(found)


def _nothing_starts(bundle: Bundle, failures: list[str], markers: list[Path]) -> InputError:
    again = f"`rm {shlex.join(map(str, markers))}` has it tried again, as the next day does; "
    return InputError(
        f"no engine of {bundle.path} starts here: {'; '.join(failures)}",
        f"{again * bool(markers)}`llamapack doctor {bundle.path}` says what is wrong.",
    )


class _Fails(Exception):
    """The engine does not start here."""


def _cached(
    bundle: Bundle, engine: Engine, candidate: Candidate, place: Place, machine: Machine
) -> CachedEngine:
    wanted = _wanted(engine, candidate, place, machine)
    return replace(wanted, unpacked=_is_whole(bundle, wanted, machine))


def _wanted(engine: Engine, candidate: Candidate, place: Place, machine: Machine) -> CachedEngine:
    folder = place.path / "engines" / f"{engine.target}-{engine.id[:32]}"
    return CachedEngine(engine, candidate, folder, folder / executable(machine.system), False)


def _is_whole(bundle: Bundle, cached: CachedEngine, machine: Machine) -> bool:
    """Whether the files are as they were installed. Their hashes are compared only if a file was
    changed, or merely touched, since they last were."""
    sums = _files(bundle, cached.engine)
    state = _state(bundle, cached, sums, machine)
    if state is None:
        return False
    known = ""
    with suppress(OSError, ValueError):
        if _is_safe(_checked(cached).lstat(), stat.S_IFREG, machine, runs=False):
            known = _checked(cached).read_text("ascii")
    if known == state:
        return True
    if differing(cached.folder, sums):
        return False
    _set_checked(cached, state)
    return True


def _state(
    bundle: Bundle, cached: CachedEngine, sums: Mapping[str, str], machine: Machine
) -> str | None:
    """What another change of any file would change; None if one is not what was installed."""
    hashed = hashlib.sha256()
    members = f"{ENGINES}{cached.engine.target}/"
    try:
        if not _is_safe(cached.folder.lstat(), stat.S_IFDIR, machine, runs=True):
            return None
        for name in sums:
            info = (cached.folder / name).lstat()
            runs = name == cached.program.name
            if (
                not _is_safe(info, stat.S_IFREG, machine, runs=runs)
                or info.st_size != bundle.members[members + name].size
            ):
                return None
            hashed.update(b"%d\n" % _changed(info, machine))
    except OSError:
        return None
    return hashed.hexdigest()


def _is_safe(info: os.stat_result, kind: int, machine: Machine, *, runs: bool) -> bool:
    if stat.S_IFMT(info.st_mode) != kind:
        return False
    needed = stat.S_IRUSR | (stat.S_IXUSR if runs else 0)
    return machine.system == "windows" or (
        info.st_uid == machine.user
        and info.st_mode & needed == needed
        and not info.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    )


def _changed(info: os.stat_result, machine: Machine) -> int:
    """As native/stub/*/files.c has it."""
    if machine.system == "windows":
        return info.st_mtime_ns // 100 + 11644473600 * 10_000_000  # since 1601
    return info.st_ctime_ns


def _checked(cached: CachedEngine) -> Path:
    """Where the state of the files is kept in which their hashes were right."""
    return cached.folder.with_name(f"{cached.folder.name}.checked")


def _set_checked(cached: CachedEngine, state: str) -> None:
    # Where this fails the next start compares the hashes again.
    forget_check(cached)
    with suppress(OSError), _checked(cached).open("x", encoding="ascii") as file:
        file.write(state)


def forget_check(cached: CachedEngine) -> None:
    """Have the next start compare the hashes: the engine did not start."""
    with suppress(OSError):
        removed(_checked(cached))


def _files(bundle: Bundle, engine: Engine) -> dict[str, str]:
    """SHA-256 of the engine's own files by name.

    Raises:
        InputError: the list names what is not there, or what would lie elsewhere.
    """
    sums = parse(bundle.read(f"{ENGINES}{engine.target}/{SUMS}").decode("utf-8", "replace"))
    # Files in folders are modules that the engine takes out of the bundle itself.
    files = {name: sha256 for name, sha256 in sums.items() if "/" not in name}
    for name in files or [""]:
        odd = name in ("", ".", "..") or any(char in name for char in "\\:")
        if odd or f"{ENGINES}{engine.target}/{name}" not in bundle.members:
            raise InputError(
                f"{bundle.path} is damaged: {SUMS} of {engine.target} names {name!r}",
                "Download or copy the file again.",
            )
    return files


def _install(
    bundle: Bundle, engine: Engine, candidate: Candidate, place: Place, machine: Machine
) -> CachedEngine:
    parent = made(place, "engines", machine)
    try:
        temporary = parent / f".{engine.target}-{engine.id[:32]}-{secrets.token_hex(3)}"
        temporary.mkdir(mode=0o700)
    except OSError as error:
        raise Unusable(error.strerror or str(error)) from None
    try:
        for name, sha256 in _files(bundle, engine).items():
            _write(bundle, f"{ENGINES}{engine.target}/{name}", sha256, temporary / name, machine)
        sync_folder(temporary)
        reason, lasting = _probe(temporary / executable(machine.system))
        if lasting or not reason:
            _record(place, engine, candidate, works=not reason)
        if reason:
            raise _Fails(reason)
        return _publish(bundle, temporary, _wanted(engine, candidate, place, machine), machine)
    except OSError as error:
        raise Unusable(error.strerror or str(error)) from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _publish(
    bundle: Bundle, temporary: Path, wanted: CachedEngine, machine: Machine
) -> CachedEngine:
    """Give the unpacked engine its name. What has it already was unpacked by another process just
    now, or is damaged and goes away."""
    trash = temporary.with_name(f"{temporary.name}.old")
    for _ in range(_TRIES):
        # Renamed first: looking first would take away what is being started since.
        with suppress(OSError):
            temporary.rename(wanted.folder)
            sync_folder(wanted.folder.parent)
        if _is_whole(bundle, wanted, machine):
            return replace(wanted, unpacked=True)
        with suppress(OSError):
            wanted.folder.rename(trash)
            removed(trash)
    raise Unusable(f"{wanted.folder.name} cannot be made in it")


def _write(bundle: Bundle, member: str, sha256: str, path: Path, machine: Machine) -> None:
    mode = 0o700 if path.name == executable(machine.system) else 0o600
    hashed = hashlib.sha256()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, mode)
    with os.fdopen(descriptor, "wb") as file:
        for piece in bundle.stream(bundle.members[member]):
            hashed.update(piece)
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())
    path.chmod(mode)  # the umask may have taken rights away
    if hashed.hexdigest() != sha256:
        raise InputError(
            f"{bundle.path} is damaged: the SHA-256 of its member {member} differs",
            "Download or copy the file again, or pack it again.",
        )


_BINARY: int = getattr(os, "O_BINARY", 0)  # Windows


def _probe(program: Path) -> tuple[str, bool]:
    """Why an engine does not start, empty if it does; and whether a later trial would say so too.

    Raises:
        Unusable: programs may not run where it lies.
    """
    restricted = any(name.startswith(_RESTRICTIONS) for name in os.environ)
    try:
        done = subprocess.run(
            [program],
            env=os.environ | {"LLAMAPACK_PROBE": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PROBE_SECONDS,
            check=False,
        )
    except PermissionError:
        raise Unusable("programs may not run in it") from None
    except subprocess.TimeoutExpired:
        return "it did not end on a trial", False
    except OSError as error:
        return error.strerror or str(error), error.errno == errno.ENOEXEC and not restricted
    if done.returncode < 0:  # whoever sends a signal may not do so again
        return f"signal {-done.returncode} ended it on a trial", False
    if done.returncode:
        return f"it ended with status {done.returncode} on a trial", not restricted
    return "", True


def failed(place: Place, engine: Engine, candidate: Candidate) -> Path | None:
    """The marker of a trial in the last day, with the same loader, that the engine failed."""
    works = _marker(place, engine, candidate, "works")
    fails = _marker(place, engine, candidate, "fails")
    if works and fails and not works.exists():
        with suppress(FileNotFoundError):
            if abs(time.time() - fails.stat().st_mtime) < _FAILS_SECONDS:
                return fails
    return None


def _record(place: Place, engine: Engine, candidate: Candidate, *, works: bool) -> None:
    fails = _marker(place, engine, candidate, "fails")
    marker = _marker(place, engine, candidate, "works") if works else fails
    if marker and fails:
        with suppress(FileNotFoundError):
            removed(fails)  # of an older one, the time counts
        marker.touch(mode=0o600)


def _marker(place: Place, engine: Engine, candidate: Candidate, verdict: str) -> Path | None:
    if candidate.loader is None:
        return None
    loader = candidate.loader.stat()
    state = f"{loader.st_size}-{int(loader.st_mtime)}"
    name = f"{engine.target}-{engine.id[:32]}.{verdict}-{state}"
    return place.path / "engines" / name
