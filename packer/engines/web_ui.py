"""The web UI: upstream's `tools/ui`, built once with npm for all engines."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

from packer.engines import layout, logged, native, npm
from packer.engines import pins as pinned
from packer.engines.layout import locked
from packer.engines.pins import Pins
from packer.engines.wheels import installed
from packer.io.console import note
from runtime.errors import InputError

# Upstream's own .npmrc also switches install scripts off: the build needs none of them.
_STEPS = (
    ("ci", "--include=dev", "--ignore-scripts", "--no-audit", "--no-fund"),
    ("run", "build"),
)


def key(pins: Pins, sources: Path) -> str:
    """SHA-256 (hexadecimal) of everything that decides the bytes of the web UI.

    Args:
        sources: the `native/` folder.
    """
    own = hashlib.sha256(_frozen_clock(sources).read_bytes()).hexdigest()
    parts = {"date": pins.date, "release": pins.release, "source": pins.source.digest}
    text = json.dumps([parts, own, _STEPS], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def find() -> Path | None:
    """The folder of the web UI of the current engines, in a wheel or the build cache; None if it
    is in neither."""
    place = installed(folder())
    return place if place.is_dir() else None


def folder() -> Path:
    """The folder for the web UI of the current engines."""
    sources = native.directory()
    return _place(pinned.load(sources), sources)


def ready(pins: Pins, llama_cpp: Path, sources: Path) -> Path:
    """The folder with the built web UI; built (one or two minutes) if it is not in the cache.

    Args:
        llama_cpp: llama.cpp's sources.
        sources: the `native/` folder.

    Raises:
        InputError: npm is missing or a step of the build fails.
    """
    place = _place(pins, sources)
    with locked(layout.lock("web-ui")):
        if not place.is_dir():
            note("building the web UI (one or two minutes)")
            # Some disks take minutes to remove npm's 40,000 files; the compiler need not wait.
            with layout.unfinished(layout.web_ui(), large=True) as folder:
                build(pins, llama_cpp, sources, folder / "ui").rename(place)
    return place


def _frozen_clock(sources: Path) -> Path:
    return (sources / "web_ui" / "freeze-date.cjs").resolve()


def _place(pins: Pins, sources: Path) -> Path:
    return layout.web_ui() / key(pins, sources)[:16]


def build(pins: Pins, llama_cpp: Path, sources: Path, work: Path) -> Path:
    """Copy upstream's sources to the new folder `work`, build there, and return the result."""
    tool = npm.find(pins.node)
    log = layout.log("web-ui")
    logged.start(log)
    shutil.copytree(llama_cpp / "tools" / "ui", work)
    env = tool.environment(
        # Shown in the page; upstream puts the build number here.
        LLAMA_BUILD_NUMBER=pins.release,
        SOURCE_DATE_EPOCH=str(pins.date),
        TZ="UTC",
    )
    for step in _STEPS:
        if step[0] == "run":
            env["NODE_OPTIONS"] = f"--require {json.dumps(str(_frozen_clock(sources)))}"
        doing = f"building the web UI (`npm {step[0]}`)"
        logged.run([*tool.command, *step], doing, log, cwd=work, env=env)
    dist = work / "dist"
    if not (dist / "index.html").is_file():
        raise InputError(
            "the build of the web UI wrote no `index.html`", f"The whole output is in `{log}`."
        )
    return dist
