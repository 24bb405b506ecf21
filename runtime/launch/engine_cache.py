"""Unpacks engines into the cache that start stubs use, by the same rules and under the same names.

Layout and rules: docs/bundle-format.md, "Engines and the cache".
"""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import shutil
import stat
import subprocess
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from runtime.errors import InputError, shell_word
from runtime.formats.bundle import ENGINES, SUMS, Bundle, Engine
from runtime.formats.sha256_file import differing, parse
from runtime.machine.cache_places import (
    FAILS_SECONDS,
    Place,
    Unusable,
    close_to_others,
    is_safe,
    make_folder,
    places,
    usable_places,
)
from runtime.machine.machine import Candidate, Machine, candidates
from runtime.machine.targets import executable

_PROBE_SECONDS = 60 if os.name == "nt" else 10
"""As in the stub: on Windows antivirus software may ask its maker first."""

_TRIES = 3  # renames that other processes may thwart

_RESTRICTIONS = ("LD_", "DYLD_", "GLIBC_TUNABLES")
"""A program may fail because of variables whose names begin so."""


@dataclass(frozen=True)
class CachedEngine:
    """An engine of a bundle, and its folder in the cache."""

    engine: Engine
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
        InputError: all of them failed on a trial in the last day.
    """
    failures = _Failures()
    for engine, candidate in host_engines(bundle, machine):
        # If no place is usable, unpacking says why.
        usable = list(usable_places(machine)) or places(machine)[:1]
        slots = [_Slot(bundle, engine, candidate, place, machine) for place in usable]
        if not failures.has(slots) and slots:
            whole = next((slot for slot in slots if slot.is_whole()), None)
            return (whole or slots[0]).cached(unpacked=whole is not None)
    if failures.reasons:
        raise failures.error(bundle)
    return None


def unpack(bundle: Bundle, machine: Machine) -> CachedEngine:
    """The engine that starts here, unpacked and checked.

    Raises:
        InputError: the bundle has none that starts here, is damaged, or no directory can hold it.
    """
    failures = _Failures()
    for place in places(machine):
        close_to_others(place, machine)
    for engine, candidate in host_engines(bundle, machine):
        usable = usable_places(machine)
        slots = [_Slot(bundle, engine, candidate, place, machine) for place in usable]
        if failures.has(slots):
            continue
        for slot in slots:
            if slot.is_whole():
                return slot.cached(unpacked=True)
        for place in places(machine):
            try:
                return _Slot(bundle, engine, candidate, place, machine).install()
            except Unusable as reason:
                failures.reasons.append(f"{place.path}: {reason}")
            except _Fails as reason:
                failures.reasons.append(f"{engine.target}: {reason}")
                break
    if failures.reasons:
        raise failures.error(bundle)
    inside = ", ".join(engine.target for engine in bundle.engines) or "none"
    raise InputError(
        f"{bundle.path} has no engine for {machine.target}; it has: {inside}",
        "Pack it again with an engine for this machine, or fetch one.",
    )


def forget_check(cached: CachedEngine) -> None:
    """Make the next start compare the hashes, because the engine did not start."""
    with suppress(OSError):
        _remove(_checked(cached.folder))


@dataclass
class _Failures:
    """Why engines of a bundle do not start."""

    reasons: list[str] = field(default_factory=list)
    markers: list[Path] = field(default_factory=list)

    def has(self, slots: Iterable[_Slot]) -> bool:
        """Whether the engine failed on a trial in the last day, which is noted."""
        found = [(slot.engine.target, marker) for slot in slots if (marker := slot.failed())]
        if found:
            target, marker = found[0]
            self.reasons.append(f"{target} failed on a trial, as {marker} says")
            self.markers += [marker for _, marker in found]
        return bool(found)

    def error(self, bundle: Bundle) -> InputError:
        markers = " ".join(map(shell_word, self.markers))
        again = f"`rm {markers}` has it tried again, as the next day does"
        doctor = f"`llamapack doctor {shell_word(bundle.path)}` says what is wrong."
        return InputError(
            f"no engine of {bundle.path} starts here: {'; '.join(self.reasons)}",
            f"{again}; {doctor}" if self.markers else doctor,
        )


class _Fails(Exception):
    """The engine does not start here."""


@dataclass(frozen=True)
class _Slot:
    """An engine of a bundle, and a place where it could be unpacked."""

    bundle: Bundle
    engine: Engine
    candidate: Candidate
    place: Place
    machine: Machine

    @property
    def folder(self) -> Path:
        return self.place.path / "engines" / f"{self.engine.target}-{self.engine.id[:32]}"

    @property
    def _executable(self) -> str:
        return executable(self.machine.system)

    def cached(self, *, unpacked: bool) -> CachedEngine:
        return CachedEngine(self.engine, self.folder, self.folder / self._executable, unpacked)

    @cached_property
    def _sums(self) -> dict[str, str]:
        """SHA-256 of the engine's own files by name.

        Raises:
            InputError: the list names a file that is missing or would be in another folder.
        """
        target, members = self.engine.target, self.bundle.members
        text = self.bundle.read(f"{ENGINES}{target}/{SUMS}").decode("utf-8", "replace")
        # Files in folders are modules, which the engine itself unpacks.
        files = {name: sha256 for name, sha256 in parse(text).items() if "/" not in name}
        for name in files or [""]:
            odd = name in ("", ".", "..") or any(char in name for char in "\\:")
            if odd or f"{ENGINES}{target}/{name}" not in members:
                raise InputError(
                    f"{self.bundle.path} is damaged: {SUMS} of {target} names {name!r}",
                    "Download or copy the file again.",
                )
        return files

    def is_whole(self) -> bool:
        """Whether the files are as they were installed. Hashes are compared only if a file was
        changed or touched since the last comparison."""
        state, checked = self._state(), _checked(self.folder)
        if state is None:
            return False
        known = ""
        with suppress(OSError, ValueError):
            if is_safe(checked.lstat(), stat.S_IFREG, self.machine):
                known = checked.read_text("ascii")
        if known == state:
            return True
        if differing(self.folder, self._sums):
            return False
        # If this fails, the next start compares the hashes again.
        with suppress(OSError):
            _remove(checked)
        with suppress(OSError), checked.open("x", encoding="ascii") as file:
            file.write(state)
        return True

    def _state(self) -> str | None:
        """A hash that changes with each change of a file; None if a file is not as installed."""
        hashed, machine = hashlib.sha256(), self.machine
        sums = self._sums
        try:
            if not is_safe(self.folder.lstat(), stat.S_IFDIR, machine, runs=True):
                return None
            for name in sums:
                info = (self.folder / name).lstat()
                member = self.bundle.members[f"{ENGINES}{self.engine.target}/{name}"]
                runs = name == self._executable
                if (
                    not is_safe(info, stat.S_IFREG, machine, runs=runs)
                    or info.st_size != member.size
                ):
                    return None
                # As native/stub/*/files.c has it; Windows counts from 1601, in 100 ns.
                windows = info.st_mtime_ns // 100 + 11644473600 * 10_000_000
                changed = windows if machine.system == "windows" else info.st_ctime_ns
                hashed.update(b"%d\n" % changed)
        except OSError:
            return None
        return hashed.hexdigest()

    def install(self) -> CachedEngine:
        """Unpack the engine, try it, and give it its name.

        Raises:
            Unusable: it cannot be in this place.
            _Fails: it does not start.
        """
        parent = make_folder(self.place, "engines", self.machine)
        temporary = parent / f".{self.folder.name}-{secrets.token_hex(3)}"
        try:
            temporary.mkdir(mode=0o700)
        except OSError as error:
            raise Unusable(error.strerror or str(error)) from None
        try:
            for name, sha256 in self._sums.items():
                self._write(name, sha256, temporary / name)
            _sync_folder(temporary)
            reason, lasting = _probe(temporary / self._executable)
            if lasting or not reason:
                self._record(works=not reason)
            if reason:
                raise _Fails(reason)
            self._publish(temporary)
            return self.cached(unpacked=True)
        except OSError as error:
            raise Unusable(error.strerror or str(error)) from None
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    def _write(self, name: str, sha256: str, path: Path) -> None:
        member = f"{ENGINES}{self.engine.target}/{name}"
        mode = 0o700 if name == self._executable else 0o600
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        hashed = hashlib.sha256()
        with os.fdopen(os.open(path, flags, mode), "wb") as file:
            for piece in self.bundle.stream(self.bundle.members[member]):
                hashed.update(piece)
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        path.chmod(mode)  # the umask may have taken rights away
        if hashed.hexdigest() != sha256:
            raise InputError(
                f"{self.bundle.path} is damaged: the SHA-256 of its member {member} differs",
                "Download or copy the file again, or pack it again.",
            )

    def _publish(self, temporary: Path) -> None:
        """Rename the unpacked engine. A folder that has its name already was unpacked by another
        process just now, or is damaged and is removed."""
        trash = temporary.with_name(f"{temporary.name}.old")
        for _ in range(_TRIES):
            # Rename before looking: otherwise an engine that was just started could be removed.
            with suppress(OSError):
                temporary.rename(self.folder)
                _sync_folder(self.folder.parent)
            if self.is_whole():
                return
            with suppress(OSError):
                self.folder.rename(trash)
                _remove(trash)
        raise Unusable(f"{self.folder.name} cannot be made in it")

    def failed(self) -> Path | None:
        """The marker that the engine failed on a trial in the last day with the same loader."""
        works, fails = self._marker("works"), self._marker("fails")
        if works and fails and not works.exists():
            with suppress(FileNotFoundError):
                if abs(time.time() - fails.stat().st_mtime) < FAILS_SECONDS:
                    return fails
        return None

    def _record(self, *, works: bool) -> None:
        fails = self._marker("fails")
        marker = self._marker("works") if works else fails
        if marker and fails:
            with suppress(FileNotFoundError):
                _remove(fails)  # an older one has another time
            marker.touch(mode=0o600)

    def _marker(self, verdict: str) -> Path | None:
        """The file for a verdict, `works` or `fails`; None if the engine needs no loader."""
        if self.candidate.loader is None:
            return None
        loader = self.candidate.loader.stat()
        state = f"{loader.st_size}-{int(loader.st_mtime)}"
        return self.folder.with_name(f"{self.folder.name}.{verdict}-{state}")


def _probe(program: Path) -> tuple[str, bool]:
    """Why an engine does not start, empty if it does; and whether that is likely to stay so.

    Raises:
        Unusable: programs may not run in its folder.
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
    if done.returncode < 0:
        return f"signal {-done.returncode} ended it on a trial", False
    if done.returncode:
        return f"it ended with status {done.returncode} on a trial", not restricted
    return "", True


def _checked(folder: Path) -> Path:
    """The file with the state of a folder in which all hashes were right."""
    return folder.with_name(f"{folder.name}.checked")


def _remove(path: Path) -> None:
    """Remove a folder with its contents, or a file."""
    if path.is_dir() and not path.is_symlink():
        path.chmod(0o700)
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink()


def _sync_folder(folder: Path) -> None:
    """Make renames in a folder survive a loss of power, if the system allows it."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        except OSError:
            pass  # such as that of /dev/shm on some systems
        finally:
            os.close(descriptor)
