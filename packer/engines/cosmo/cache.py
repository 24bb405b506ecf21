"""The finished runtimes: which there are, and which of them `pack` takes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from packer.engines import layout, native, sums
from packer.engines.cosmo import sources
from runtime.errors import InputError
from runtime.formats.sha256_file import file_sha256

KIND = "cosmo"
"""The name of this kind of engine, also on the command line."""
FACTS = "runtime.json"
PROGRAM = "llamapack-runtime"
"""File name of the APE program; it is started in place, so it is packed as it is."""


@dataclass(frozen=True)
class Built:
    """A finished runtime: its program, `SHA256SUMS` and `runtime.json` are in `folder`."""

    folder: Path
    id: str
    """SHA-256 of its `SHA256SUMS`."""
    key: str
    """SHA-256 of everything that it was built from."""
    source: str
    """The folder that it was compiled from."""
    made: str
    """Name of the program there; empty where there was only one."""
    built_with: dict[str, str]
    """Versions of the tools."""
    ours: str
    """SHA-256 over those of our files that are in it."""
    size: int
    """Bytes of the program."""

    @property
    def program(self) -> Path:
        return self.folder / PROGRAM

    @property
    def current(self) -> bool:
        """Built with the present `native/`; the next build finds out whether its source changed."""
        return self.ours == sources.our_digest(native.directory())


def folder(key: str) -> Path:
    """The folder for a finished runtime of that key."""
    return layout.engines() / f"{KIND}-{key[:16]}"


def runtimes() -> list[Built]:
    """All finished ones, also stale ones."""
    found = []
    for path in sorted(layout.engines().glob(f"{KIND}-*/{FACTS}")):
        try:
            found.append(Built(path.parent, **json.loads(path.read_text(encoding="utf-8"))))
        except (ValueError, TypeError):
            continue  # Not ours to judge; `clean --all` removes it.
    return found


def find(key: str) -> Path | None:
    """The program of that key, or None if a build is due."""
    found = (one.program for one in runtimes() if one.key == key)
    return next((program for program in found if program.is_file()), None)


def chosen() -> Path:
    """The program of the one runtime that is built.

    Raises:
        InputError: there is none, there are several, or it was changed since.
    """
    current = [one for one in runtimes() if one.current]
    if not current:
        raise InputError(
            "no runtime is built with Cosmopolitan's tools",
            f"Run `llamapack engine build --toolchain {KIND} --source DIR`.",
        )
    if len(current) > 1:
        listed = ", ".join(f"{one.program} ({one.source})" for one in current)
        raise InputError(
            f"{len(current)} runtimes are built with Cosmopolitan's tools: {listed}",
            "Choose one with `--runtime FILE`.",
        )
    [one] = current
    if file_sha256(one.program) != sums.read(one.folder).sums.get(PROGRAM):
        raise sums.damaged(one.folder, f"{PROGRAM} differs from the built program")
    return one.program
