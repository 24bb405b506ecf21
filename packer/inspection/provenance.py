"""Checks a bundle against a statement of its origin.

Formats: in-toto Statement v1 with the predicate SLSA Provenance v1, alone or in the DSSE envelope
of signing tools. `ci/release/provenance.py` writes such statements.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packer.bundle import manifest
from packer.engines import native, pins
from packer.inspection.verification import Problem
from packer.io.console import Advance
from runtime.errors import InputError
from runtime.formats.bundle import MANIFEST, Bundle
from runtime.formats.json_input import MALFORMED, parse_json
from runtime.formats.sha256_file import file_sha256

STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://slsa.dev/provenance/v1"
INSIDE = "/zip/"  # `NAME.llamafile/zip/MEMBER` is what a statement calls a member
FILE = "the file"  # what a problem of the whole file names in place of a member

_LIMIT = 64 << 20  # bytes


@dataclass(frozen=True)
class Dependency:
    """Something that a bundle was built from."""

    uri: str
    digest: Mapping[str, str]  # hexadecimal, by the name of the algorithm


@dataclass(frozen=True)
class Provenance:
    """A statement that was read."""

    subjects: Mapping[str, str]  # SHA-256 by name
    dependencies: Mapping[str, Dependency]  # by name
    builder: str  # who built it, as an address

    @property
    def commit(self) -> str | None:
        """llamapack's commit."""
        source = self.dependencies.get("llamapack")
        return source.digest.get("gitCommit") if source else None


def read(path: Path) -> Provenance:
    """Read a statement; its signature is not checked. Raises InputError if it is not one."""
    if not path.is_file():
        raise InputError(f"{path} does not exist", "Name the `.intoto.json` of the release.")
    try:
        if path.stat().st_size > _LIMIT:
            raise ValueError
        document = _unwrapped(parse_json(path.read_bytes()))
        if document["_type"] != STATEMENT or document["predicateType"] != PREDICATE:
            raise ValueError
        build = document["predicate"]["buildDefinition"]
        return Provenance(
            {str(one["name"]): str(one["digest"]["sha256"]) for one in document["subject"]},
            {
                str(one["name"]): Dependency(str(one["uri"]), dict(one.get("digest", {})))
                for one in build["resolvedDependencies"]
            },
            str(document["predicate"]["runDetails"]["builder"]["id"]),
        )
    except MALFORMED:
        raise InputError(
            f"{path} is not an in-toto statement with SLSA provenance v1",
            "Name the `.intoto.json` of the release.",
        ) from None


def _unwrapped(document: Any) -> Any:
    envelope = document.get("dsseEnvelope", document)
    return parse_json(base64.b64decode(envelope["payload"])) if "payload" in envelope else document


def check(bundle: Bundle, stated: Provenance, advance: Advance) -> Iterator[Problem]:
    """Compare the whole file, its members, engines and pins with the statement. Members are
    compared by the manifest, which `verification` compares with their bytes."""
    actual = file_sha256(bundle.path, advance)
    name = _subject(stated, actual, bundle.path.name)
    if name is None:
        yield Problem(FILE, "unknown", "the provenance is about other files")
        return
    if stated.subjects[name] != actual:
        detail = f"expected SHA-256 {stated.subjects[name]}, actual {actual}"
        yield Problem(FILE, "changed", detail)
    yield from _members(bundle, stated, f"{name}{INSIDE}")
    yield from _engines(bundle, stated)
    yield from _pins(bundle, stated)


def _subject(stated: Provenance, sha256: str, name: str) -> str | None:
    """The statement's name of this file, which may have been renamed or changed."""
    files = [subject for subject in stated.subjects if INSIDE not in subject]
    same = next((subject for subject in files if stated.subjects[subject] == sha256), None)
    return same or (name if name in files else None)


def _members(bundle: Bundle, stated: Provenance, prefix: str) -> Iterator[Problem]:
    listed = manifest.expected(bundle.manifest or {}, str(bundle.path))
    actual = {name: sha256 for name, (_, sha256) in listed.items()}
    actual[MANIFEST] = hashlib.sha256(bundle.read(MANIFEST)).hexdigest()
    expected = {
        name.removeprefix(prefix): sha256
        for name, sha256 in stated.subjects.items()
        if name.startswith(prefix)
    }
    for name in sorted(actual.keys() | expected.keys()):
        if name not in expected:
            yield Problem(name, "unlisted", "the provenance does not know it")
        elif name not in actual:
            yield Problem(name, "missing", "the provenance lists it")
        elif actual[name] != expected[name]:
            detail = f"expected SHA-256 {expected[name]}, actual {actual[name]}"
            yield Problem(name, "changed", detail)


def engine_name(target: str) -> str:
    """The name of an engine in a statement."""
    return f"engine {target}"


def _engines(bundle: Bundle, stated: Provenance) -> Iterator[Problem]:
    for engine in bundle.engines:
        known = stated.dependencies.get(engine_name(engine.target))
        if known is None or known.digest.get("sha256") != engine.id:
            yield Problem(f"engine {engine.target}", "unknown", f"no engine of id {engine.id}")


def _pins(bundle: Bundle, stated: Provenance) -> Iterator[Problem]:
    """The statement's llama.cpp against the manifest, and against this llamapack's own pins."""
    source = stated.dependencies.get("llama.cpp")
    releases = manifest.llama_cpp_releases(bundle.manifest or {})
    release = source.uri.rpartition("@")[2] if source else None
    for other in sorted(releases - {release}):
        yield Problem("pins", "changed", f"engines of llama.cpp {other}, provenance of {release}")
    pinned = pins.load(native.directory())
    if source and release == pinned.release and source.digest != pinned.source.digest:
        detail = f"llama.cpp {release} is pinned here with other hashes than the provenance has"
        yield Problem("pins", "changed", detail)
