"""The pins: exact versions and hashes of everything that makes an engine."""

from __future__ import annotations

import base64
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, ClassVar

from runtime.errors import InputError


@dataclass(frozen=True)
class NpmBundle:
    """llama.cpp's sources as a git bundle in an npm package."""

    kind: ClassVar[str] = "npm"
    package: str
    version: str
    integrity: str
    """Hash of the package's tarball, as npm writes it: `sha512-` and base64."""
    bundle: str
    """Path of the git bundle inside the tarball."""
    commit: str
    """Full hash of the commit that the bundle must hold."""

    @property
    def title(self) -> str:
        return f"npm package {self.package} {self.version}"

    @property
    def digest(self) -> dict[str, str]:
        return {"gitCommit": self.commit, "sha512": hexadecimal(self.integrity)}

    @property
    def address(self) -> str:
        return f"pkg:npm/{self.package.replace('@', '%40')}@{self.version}"


@dataclass(frozen=True)
class Sdist:
    """Sources as a folder in a source distribution on PyPI."""

    kind: ClassVar[str] = "pypi"
    package: str
    version: str
    sha256: str
    """Hash of the archive, in hexadecimal digits."""
    folder: str
    """Folder with the sources, below the archive's only folder."""

    @property
    def title(self) -> str:
        return f"PyPI package {self.package} {self.version}"

    @property
    def digest(self) -> dict[str, str]:
        return {"sha256": self.sha256}

    @property
    def address(self) -> str:
        return f"pkg:pypi/{self.package.lower().replace('_', '-')}@{self.version}"


@dataclass(frozen=True)
class GitCheckout:
    """llama.cpp's sources as a commit of a git repository."""

    kind: ClassVar[str] = "git"
    url: str
    """Address or path of the repository."""
    commit: str
    """Full hash of the commit."""

    @property
    def title(self) -> str:
        return f"git repository {self.url}"

    @property
    def digest(self) -> dict[str, str]:
        return {"gitCommit": self.commit}

    @property
    def address(self) -> str:
        return f"git+{self.url}@{self.commit}"


Source = NpmBundle | Sdist | GitCheckout
"""Where llama.cpp comes from. `title` is what messages call it, `digest` its hashes (hexadecimal,
by the names that in-toto has for algorithms), `address` its package URL."""

SOURCES: Mapping[str, type[Source]] = {one.kind: one for one in (NpmBundle, Sdist, GitCheckout)}


@dataclass(frozen=True)
class Pins:
    """What `pins.toml` pins."""

    release: str
    """llama.cpp's release, such as `v0.4.0`."""
    build_number: int
    """What the engine reports as llama.cpp's build number."""
    date: int
    """Seconds since 1970: the clock of every build step."""
    source: Source
    zig: str
    """The only zig version that may build engines."""
    node: str
    """The oldest Node.js that may build the web UI."""
    boringssl: Sdist | None = None
    """Where BoringSSL comes from; None: engines have no TLS."""

    @property
    def revision(self) -> str:
        """What the engine reports as llama.cpp's commit: an archive does not say its own."""
        return self.release if isinstance(self.source, Sdist) else self.source.commit[:7]

    @property
    def facts(self) -> dict[str, Any]:
        """Everything pinned but BoringSSL, which has a key of its own, for keys of what is built
        from it."""
        return {name: value for name, value in asdict(self).items() if name != "boringssl"}


_SECTIONS = {
    "llama-cpp": ("release", "build_number", "date"),
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
        types = {name: str(Pins.__annotations__[name]) for name in names}
        pins |= _taken(path, section, text.pop(section, {}), types)
    given = text.pop("source", {})
    kind = given.pop("kind", None)
    if kind not in SOURCES:
        raise InputError(f"{path}: `kind` in section [source] must be one of {', '.join(SOURCES)}")
    types = {field.name: str(field.type) for field in fields(SOURCES[kind])}
    pins["source"] = SOURCES[kind](**_taken(path, "source", given, types))
    if tls := text.pop("boringssl", None):
        types = {field.name: str(field.type) for field in fields(Sdist)}
        pins["boringssl"] = Sdist(**_taken(path, "boringssl", tls, types))
    for section in text:
        raise InputError(f"{path}: unknown section [{section}]")
    return Pins(**pins)


def _taken(
    path: Path, section: str, given: dict[str, Any], types: Mapping[str, str]
) -> dict[str, Any]:
    """The pins of a section.

    Raises:
        InputError: one is missing, is of another type, or is unknown.
    """
    for name, expected in types.items():
        if name not in given:
            raise InputError(f"{path}: `{name}` is missing in section [{section}]")
        if type(given[name]).__name__ != expected:
            raise InputError(f"{path}: `{name}` must be of type {expected}")
    for name in given.keys() - types.keys():
        raise InputError(f"{path}: unknown pin `{name}` in section [{section}]")
    return given


def hexadecimal(integrity: str) -> str:
    """The SHA-512 of npm's notation `sha512-BASE64`, as hexadecimal digits."""
    return base64.b64decode(integrity.removeprefix("sha512-")).hex()
