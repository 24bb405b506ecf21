"""Checks a bundle against its manifest and the CRCs of its directory, member by member."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from packer.bundle import manifest
from packer.io.console import Advance
from packer.io.digest import member_digest
from packer.io.sources import WEIGHTS_ALIGNMENT, is_compressed_weights, is_weights
from runtime.errors import InputError
from runtime.formats.bundle import MANIFEST, Bundle
from runtime.formats.zip_directory import Member

REPAIRABLE = ("compressed", "misaligned")
"""Kinds of problems that `llamapack upgrade` repairs."""
FRONT = "head and start stubs"  # what a problem in front of the archive names in place of a member


@dataclass(frozen=True)
class Problem:
    """A fault of one member."""

    member: str
    kind: str
    """`damaged`, `missing` (in the manifest only), `unlisted` (in the archive only), `misaligned`
    (weights that another tool has moved to where engines cannot read them) or `compressed`
    (weights that another tool has deflated)."""
    detail: str


def verify(bundle: Bundle, advance: Advance) -> Iterator[Problem]:
    """Hash every member and yield the faults. A file without manifest is checked against its CRCs
    alone. Raises InputError if the manifest has a later format."""
    listed = None
    checked = dict(bundle.members)
    try:
        stated = bundle.manifest
    except InputError as problem:
        yield Problem(checked.pop(MANIFEST).name, "damaged", problem.message)
    else:
        if stated is not None:
            listed = manifest.expected(stated, str(bundle.path))
            yield from _front(bundle, manifest.expected_front(stated))
    for name, member in checked.items():
        if name.endswith("/"):
            continue
        expected = listed.pop(name, None) if listed is not None else None
        if listed is not None and expected is None and name != MANIFEST:
            yield Problem(name, "unlisted", "the manifest does not know it")
        try:
            found = member_digest(bundle, member, advance)
        except InputError as problem:
            yield Problem(name, "damaged", problem.message)
            continue
        yield from _place(bundle, member)
        if expected is not None and (found.size, found.sha256) != expected:
            size, sha256 = expected
            yield Problem(
                name,
                "damaged",
                f"expected {size:,} bytes of SHA-256 {sha256}, "
                f"actual {found.size:,} bytes of {found.sha256}",
            )
        elif found.crc32 != member.crc32:
            yield Problem(
                name, "damaged", f"expected CRC-32 {member.crc32:08x}, actual {found.crc32:08x}"
            )
    for name in listed or ():
        yield Problem(name, "missing", "the manifest lists it, but the archive does not contain it")


def _front(bundle: Bundle, expected: tuple[int, str] | None) -> Iterator[Problem]:
    if expected is None:
        return
    size, sha256 = expected
    actual = hashlib.sha256(bundle.front(size)).hexdigest()
    if actual != sha256:
        yield Problem(FRONT, "damaged", f"expected SHA-256 {sha256}, actual {actual}")


def _place(bundle: Bundle, member: Member) -> Iterator[Problem]:
    start = bundle.data_offset(member)
    if is_compressed_weights(member):
        yield Problem(
            member.name,
            "compressed",
            "engines read weights in place; `llamapack upgrade` stores it again",
        )
    if is_weights(member) and start % WEIGHTS_ALIGNMENT:
        yield Problem(
            member.name,
            "misaligned",
            f"its data begin at {start:,}, not on a multiple of {WEIGHTS_ALIGNMENT}, and engines "
            "read it wrongly; `llamapack upgrade` moves it",
        )
