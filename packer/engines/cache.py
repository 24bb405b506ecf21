"""The finished engines: which exist, which are current, and which go into a bundle."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from packer.engines import layout, native, pins
from packer.engines.key import engine_key
from packer.engines.targets import TARGETS, for_this_machine, named
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
    """The folder of the current engine for `target`; None if it has to be built.

    Raises:
        InputError: this installation has no `native/` folder.
    """
    return built().get(target)


def built() -> dict[str, Path]:
    """The folders of all current engines, by target."""
    return {engine.target: engine.path for engine in engines() if engine.current}


def finished(wanted: Iterable[Engine]) -> dict[str, Path]:
    """The folders of these engines, by target, if they are in the cache."""
    ids = {engine.id for engine in wanted}
    return {engine.target: engine.path for engine in engines() if engine.id in ids} if ids else {}


def engines() -> list[BuiltEngine]:
    """All finished engines, also those out of date and those of targets that no longer exist."""
    sources = native.directory()
    pinned = pins.load(sources)
    digests = native.digests(sources)
    keys = {name: engine_key(row, pinned, digests) for name, row in TARGETS.items()}
    found = []
    for path in sorted(layout.engines().glob(f"[!.]*/{FACTS}")):
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
    found = built()
    if targets in (None, ALL):
        wanted = sorted(found)
    elif targets == HOST:
        here = [target.name for target in for_this_machine()]
        wanted = sorted(set(here) & set(found)) or here
    else:
        wanted = sorted({named(name.strip()).name for name in str(targets).split(",")})
    missing = [target for target in wanted if target not in found]
    if missing or not wanted:
        raise InputError(
            f"no engine is built for {', '.join(missing)}" if missing else "no engine is built",
            f"Run `{' '.join(['llamapack engine fetch', *missing])}`, or `engine build`.",
        )
    return {target: found[target] for target in wanted}


def runnable() -> Path | None:
    """The program of an engine that runs on this machine, built or installed; None if none is."""
    from runtime.launch import archives, engine_cache
    from runtime.machine.machine import Machine

    try:
        here, found = for_this_machine(), built()
        for target in here:
            if target.name in found:
                return found[target.name] / target.executable
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
