"""Unpacks engines into the cache that start stubs use, under the same names.

Layout and rules: docs/bundle-format.md, "Engines and the cache". So what a start of the bundle has
unpacked is used here, and the other way round.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import subprocess
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from runtime.bundle import ENGINES, SUMS, Bundle, Engine
from runtime.doctor.cache_places import Place, places
from runtime.doctor.machine import Machine
from runtime.errors import InputError
from runtime.launch.cache_folders import Unusable, made, usable_places
from runtime.launch.hosts import Candidate, candidates, program_name
from runtime.sha256_file import parse

_PROBE_SECONDS = 60


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
    """The engine that a start would use, without writing anything; None if there is none."""
    for engine, candidate in host_engines(bundle, machine):
        # Where no place will do, unpacking says why.
        usable = list(usable_places(machine)) or places(machine)[:1]
        if any(_verdict(place, engine, candidate) == "fails" for place in usable):
            continue
        found = [_cached(bundle, engine, candidate, place, machine) for place in usable]
        if found:
            return next((cached for cached in found if cached.unpacked), found[0])
    return None


def unpack(bundle: Bundle, machine: Machine) -> CachedEngine:
    """The engine that starts here, unpacked and checked.

    Raises:
        InputError: the bundle has none that starts here, is damaged, or no directory can hold it.
    """
    failures: list[str] = []
    for engine, candidate in host_engines(bundle, machine):
        usable = list(usable_places(machine))
        if any(_verdict(place, engine, candidate) == "fails" for place in usable):
            failures.append(f"{engine.target} failed on a trial")
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
        raise InputError(
            f"no engine of {bundle.path} starts here: {'; '.join(failures)}",
            f"`llamapack doctor {bundle.path}` says what mends it.",
        )
    there = ", ".join(engine.target for engine in bundle.engines) or "none"
    raise InputError(
        f"{bundle.path} has no engine for {machine.target}; it has: {there}",
        "Pack it again with an engine for this machine, or fetch one.",
    )


class _Fails(Exception):
    """The engine does not start here."""


def _cached(
    bundle: Bundle, engine: Engine, candidate: Candidate, place: Place, machine: Machine
) -> CachedEngine:
    folder = place.path / "engines" / f"{engine.target}-{engine.id[:32]}"
    there = all(
        path.is_file() and path.stat().st_size == size
        for path, size in (
            (folder / name, bundle.members[f"{ENGINES}{engine.target}/{name}"].size)
            for name in _files(bundle, engine)
        )
    )
    return CachedEngine(engine, candidate, folder, folder / program_name(machine), there)


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
        reason = _probe(temporary / program_name(machine))
        _record(place, engine, candidate, works=not reason)
        if reason:
            raise _Fails(reason)

        def there() -> CachedEngine:
            return _cached(bundle, engine, candidate, place, machine)

        return _publish(temporary, there().folder, there)
    except OSError as error:
        raise Unusable(error.strerror or str(error)) from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _publish(temporary: Path, folder: Path, there: Callable[[], CachedEngine]) -> CachedEngine:
    """Give the unpacked engine its name. What has it already was unpacked by another process just
    now, or is damaged and goes away."""
    if not there().unpacked:
        if folder.exists():
            trash = temporary.with_name(f"{temporary.name}.old")
            folder.rename(trash)
            shutil.rmtree(trash, ignore_errors=True)
        with suppress(OSError):  # another process was faster
            temporary.rename(folder)
    cached = there()
    if not cached.unpacked:
        raise Unusable(f"{folder.name} cannot be made in it")
    return cached


def _write(bundle: Bundle, member: str, sha256: str, path: Path, machine: Machine) -> None:
    mode = 0o700 if path.name == program_name(machine) else 0o600
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


def _probe(program: Path) -> str:
    """Why an engine does not start; empty if it does.

    Raises:
        Unusable: programs may not run where it lies.
    """
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
    except (OSError, subprocess.TimeoutExpired) as error:
        return getattr(error, "strerror", "") or str(error)
    return f"it ended with status {done.returncode} on a trial" if done.returncode else ""


def _verdict(place: Place, engine: Engine, candidate: Candidate) -> str:
    """`works` or `fails`, as an earlier trial with the same loader has shown; else empty."""
    for verdict in ("works", "fails"):
        marker = _marker(place, engine, candidate, verdict)
        if marker and marker.exists():
            return verdict
    return ""


def _record(place: Place, engine: Engine, candidate: Candidate, *, works: bool) -> None:
    marker = _marker(place, engine, candidate, "works" if works else "fails")
    if marker:
        marker.touch(mode=0o600)


def _marker(place: Place, engine: Engine, candidate: Candidate, verdict: str) -> Path | None:
    if candidate.loader is None:
        return None
    loader = candidate.loader.stat()
    state = f"{loader.st_size}-{int(loader.st_mtime)}"
    name = f"{engine.target}-{engine.id[:32]}.{verdict}-{state}"
    return place.path / "engines" / name
