"""llama.cpp's sources: fetched once from npm, checked against the pins, never changed."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from packer.engines import layout, logged, npm
from packer.engines.layout import locked
from packer.engines.pins import Pins
from packer.io.console import note
from runtime.errors import InputError

_ANEW = "Remove it with `llamapack engine clean --all`; the next build downloads it again."


def folder(pins: Pins) -> Path:
    """The folder for llama.cpp's sources."""
    return layout.source() / f"llama.cpp-{pins.release}"


def ready(pins: Pins) -> Path:
    """The folder with llama.cpp's sources at the pinned commit; fetched if it is not there.

    Raises:
        InputError: it cannot be fetched, is not what the pins say, or was changed since.
    """
    place = folder(pins)
    with locked(layout.lock("source")):
        if place.is_dir():
            _check_unchanged(place, pins)
            return place
        note(f"fetching llama.cpp {pins.release} (npm package {pins.package} {pins.version})")
        logged.start(layout.log("source"))
        with layout.unfinished(layout.source()) as scratch:
            log = layout.log("source")
            tarball = npm.download(pins.package, pins.version, pins.node, scratch, log)
            npm.check_integrity(tarball, pins.integrity)
            bundle = npm.extract(tarball, pins.bundle, scratch / "release.bundle")
            checkout(bundle, pins.commit, scratch / "llama.cpp")
            (scratch / "llama.cpp").rename(place)
    return place


def checkout(bundle: Path, commit: str, destination: Path) -> None:
    """Clone a git bundle and make sure that its head is `commit`.

    Raises:
        InputError: git is missing or fails, or the head is another commit.
    """
    # The user's own hooks and line-ending settings must not reach into these sources.
    plain = ["-c", "core.autocrlf=false", "-c", f"core.hooksPath={os.devnull}"]
    words = [_git(), *plain, "clone", "--quiet", "--template=", str(bundle), str(destination)]
    logged.run(words, "opening the source bundle", layout.log("source"), env=_environment())
    actual = _output("rev-parse", "HEAD", folder=destination)
    if actual != commit:
        raise InputError(
            f"the source bundle contains another commit: expected {commit}, got {actual}"
        )


def _check_unchanged(place: Path, pins: Pins) -> None:
    if _output("rev-parse", "HEAD", folder=place) != pins.commit:
        raise InputError(f"{place}: not at the pinned commit {pins.commit}", _ANEW)
    if changes := _output("status", "--porcelain", folder=place):
        changed = changes.splitlines()[0][3:]
        raise InputError(
            f"{place}: `{changed}` was changed, but engines are built unpatched", _ANEW
        )


def _git() -> str:
    if found := shutil.which("git"):
        return found
    raise InputError(
        "`git` is not installed; llama.cpp's sources are a git bundle",
        "Install git with the system's package manager.",
    )


def _environment() -> dict[str, str]:
    """Without GIT_DIR and the like, which point elsewhere when a git hook runs us."""
    return {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}


def _output(*words: str, folder: Path) -> str:
    """What git says about the repository in `folder`.

    Raises:
        InputError: git fails; the message is git's own.
    """
    done = subprocess.run(
        [_git(), "--no-optional-locks", *words],
        cwd=folder,
        env=_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[0]
        raise InputError(f"{folder}: {reason}", _ANEW)
    return done.stdout.rstrip()
