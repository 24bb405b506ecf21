"""Which engines go into a bundle, and the web UI that they share."""

from __future__ import annotations

from pathlib import Path

from runtime.errors import InputError
from runtime.formats.bundle import Bundle

ALL, HOST = "all", "host"


def chosen(targets: str | None) -> dict[str, Path]:
    """Folders of finished engines, by target, sorted.

    Args:
        targets: what `--targets` says: names with commas between them, `host` for those that run on
            this machine, `all` or None for all that are built.

    Raises:
        InputError: none is built, or not one that was asked for, or one is named that is none.
    """
    from packer.engines import cache
    from packer.engines.targets import for_this_machine, named

    found = cache.built()
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
    from packer.engines import cache
    from packer.engines.targets import for_this_machine
    from runtime.launch import archives, engine_cache
    from runtime.machine.machine import Machine

    try:
        built = cache.built()
        for target in for_this_machine():
            if target.name in built:
                return built[target.name] / target.executable
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
    from packer.engines import web_ui as built

    found = built.find()
    if found is None:
        raise InputError(
            "the web UI is not built", "Run `llamapack engine fetch`, or `engine build`."
        )
    return found
