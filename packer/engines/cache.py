"""The finished engines: which exist, which are current, and which go into a bundle."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from packer.engines import layout, native, pins
from packer.engines.key import engine_key
from packer.engines.targets import TARGETS, Target, for_this_machine, named
from packer.engines.wheels import PACKED, is_installed, roots
from packer.io import build_cache
from packer.io.console import note
from runtime.errors import InputError
from runtime.formats.bundle import Bundle, Engine

FACTS = "engine.json"
ALL, HOST = "all", "host"


@dataclass(frozen=True)
class BuiltEngine:
    """A finished engine: its files, `SHA256SUMS` and `engine.json` are in `path`."""

    target: str
    path: Path
    id: str
    """SHA-256 of its `SHA256SUMS`."""
    key: str
    """SHA-256 of everything that it was built from."""
    llama_cpp: str
    """Release of llama.cpp."""
    built_with: dict[str, str]
    """Versions of the tools."""
    files: int
    size: int
    """Bytes of these files."""
    current: bool
    """Built from the present `native/`; otherwise it is out of date."""


def folder(target: str, key: str) -> Path:
    """The folder for a finished engine of that key."""
    return layout.engines() / f"{target}-{key[:16]}"


def find(target: str) -> Path | None:
    """The folder of the current engine for `target` with its files, in the build cache; None if it
    has to be built.

    Raises:
        InputError: this installation has no `native/` folder.
    """
    found = (engine for engine in engines() if engine.current and engine.target == target)
    return next((engine.path for engine in found if not is_installed(engine.path)), None)


def built() -> dict[str, Path]:
    """The folders of all current engines, by target; in wheels before the build cache."""
    return _current(engines())


def _current(found: Iterable[BuiltEngine]) -> dict[str, Path]:
    usable: dict[str, Path] = {}
    for engine in found:
        if engine.current:
            usable.setdefault(engine.target, engine.path)
    return usable


def program(target: Target, folder: Path) -> Path:
    """The program of an engine that runs on this machine; a wheel's is unpacked first.

    Raises:
        InputError: it cannot be unpacked, or does not start.
    """
    if not is_installed(folder):
        return folder / target.executable
    from runtime.launch import engine_cache
    from runtime.machine.machine import Machine

    with Bundle.open(folder / PACKED) as bundle:
        return engine_cache.unpack(bundle, Machine.this()).program


def content(folder: Path, name: str) -> bytes:
    """A file of an engine."""
    if not is_installed(folder):
        return (folder / name).read_bytes()
    with Bundle.open(folder / PACKED) as bundle:
        return bundle.read(next(one for one in bundle.members if one.endswith(f"/{name}")))


def finished(wanted: Iterable[Engine]) -> dict[str, Path]:
    """The folders of these engines, by target, if they are in the cache."""
    ids = {engine.id for engine in wanted}
    return {engine.target: engine.path for engine in engines() if engine.id in ids} if ids else {}


def engines() -> list[BuiltEngine]:
    """All finished engines of wheels and the build cache, also those out of date and those of
    targets that no longer exist."""
    sources = native.directory()
    pinned = pins.load(sources)
    digests = native.digests(sources)
    keys = {name: engine_key(row, pinned, digests) for name, row in TARGETS.items()}
    found = []
    inside = layout.engines().relative_to(build_cache.root())
    stores = [*(root / inside for root in roots()), layout.engines()]
    for path in (one for store in stores for one in sorted(store.glob(f"[!.]*/{FACTS}"))):
        try:
            facts = json.loads(path.read_text(encoding="utf-8"))
            current = keys.get(facts["target"]) == facts["key"]
            release = facts.pop("llama.cpp")
            engine = BuiltEngine(path=path.parent, llama_cpp=release, current=current, **facts)
            found.append(engine)
        except (AttributeError, ValueError, KeyError, TypeError):
            continue  # Written by another version of llamapack; `clean --all` removes it.
    return found


def chosen(targets: str | None) -> dict[str, Path]:
    """Folders of the engines to pack, by target, sorted.

    Args:
        targets: the value of `--targets`: names separated by commas, `host` for the engines that
            run on this machine, `all` or None for all that are built.

    Raises:
        InputError: a name is unknown, an engine is not built, or none is.
    """
    every = engines()
    found = _current(every)
    if targets in (None, ALL):
        wanted = sorted(found)
    elif targets == HOST:
        here = [target.name for target in for_this_machine()]
        wanted = sorted(set(here) & set(found)) or here
    else:
        wanted = sorted({named(name.strip()).name for name in str(targets).split(",")})
    for engine in every:
        if is_installed(engine.path) and not engine.current:
            note(
                f"the wheel with the engine for {engine.target} is passed over: it is of another "
                f"llamapack (key {engine.key[:16]})"
            )
    missing = [target for target in wanted if target not in found]
    if missing or not wanted:
        raise InputError(
            f"no engine is built for {', '.join(missing)}" if missing else "no engine is built",
            f"Run `{' '.join(['llamapack engine fetch', *missing])}`, or `engine build`; or "
            "`pip install 'llamapack[engines]'`.",
        )
    return {target: found[target] for target in wanted}


def origins(folders: Mapping[str, Path]) -> str:
    """Where engines are from, in words; `folders` by target."""
    places: dict[str, list[str]] = {}
    for target, path in folders.items():
        place = "wheels" if is_installed(path) else "the build cache"
        places.setdefault(place, []).append(target)
    return "; ".join(f"{', '.join(names)} from {place}" for place, names in places.items())


def runnable() -> Path | None:
    """The program of an engine that runs on this machine, built or installed; None if none is."""
    from runtime.launch import archives, engine_cache
    from runtime.machine.machine import Machine

    try:
        here, found = for_this_machine(), built()
        for target in here:
            if target.name in found:
                with suppress(InputError):  # a wheel's engine that does not start here
                    return program(target, found[target.name])
    except InputError:
        pass  # an installation that cannot build
    machine = Machine.this()
    try:
        if archive := archives.newest(machine):
            with Bundle.open(archive) as bundle:
                return engine_cache.unpack(bundle, machine).program
    except InputError:
        pass  # none that starts
    return None


def web_ui() -> Path:
    """The folder of the built web UI.

    Raises:
        InputError: it is not built.
    """
    from packer.engines import web_ui as pages

    found = pages.find()
    if found is None:
        raise InputError(
            "the web UI is not built", "Run `llamapack engine fetch`, or `engine build`."
        )
    return found
