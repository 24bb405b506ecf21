"""Whether a Mach-O file's signature is what the kernel would accept for these very bytes.

The kernel hashes pages when they are first touched and kills the process at the first one that
differs, so that a wrong hash may show only after hours. Facts: xnu, `kern/cs_blobs.h` and
`ubc_subr.c` (`cs_validate_page`).
"""

from __future__ import annotations

import hashlib
import struct

from packer.head.macho_signature import (
    AD_HOC,
    CODE_DIRECTORY,
    DIRECTORY,
    LC_CODE_SIGNATURE,
    SHA256,
    SLOT_CODE_DIRECTORY,
    SUPERBLOB,
    commands,
)

_SPECIAL = {
    1: "Info.plist",
    2: "requirements",
    3: "resources",
    5: "entitlements",
    7: "entitlements",
}
_SHOWN = 3


def broken(data: bytes, *, ad_hoc: bool = True) -> list[str]:
    """What is wrong with the signature of a thin 64-bit Mach-O file.

    Args:
        data: the whole file.
        ad_hoc: it must be an ad-hoc signature; another one's certificate is not looked at.
    """
    try:
        places = [at for kind, at, _ in commands(data) if kind == LC_CODE_SIGNATURE]
        if not places:
            return ["has no signature (LC_CODE_SIGNATURE)"]
        offset, size = struct.unpack_from("<II", data, places[0] + 8)
        if offset % 16 or offset + size != len(data):
            return ["its signature is not the last thing in the file, on a multiple of 16"]
        blobs = _blobs(data[offset:])
        if SLOT_CODE_DIRECTORY not in blobs:
            return ["its signature has no CodeDirectory"]
        return _directory(data, offset, blobs, ad_hoc=ad_hoc)
    except (struct.error, ValueError) as error:
        return [f"its signature cannot be read ({error})"]


def _blobs(signature: bytes) -> dict[int, bytes]:
    """The blobs of a signature by slot."""
    magic, length, count = struct.unpack_from(">III", signature)
    if magic != SUPERBLOB or length > len(signature):
        raise ValueError("no SuperBlob")
    blobs = {}
    for i in range(count):
        slot, at = struct.unpack_from(">II", signature, 12 + 8 * i)
        size = struct.unpack_from(">I", signature, at + 4)[0]
        if at + size > length:
            raise ValueError(f"blob {slot:#x} is cut off")
        blobs[slot] = signature[at : at + size]
    return blobs


def _directory(data: bytes, limit: int, blobs: dict[int, bytes], *, ad_hoc: bool) -> list[str]:
    directory = blobs[SLOT_CODE_DIRECTORY]
    # fmt: off
    (magic, _, version, flags, hashes, name, specials, slots, code_limit, width, kind, _, bits,
     *_) = DIRECTORY.unpack_from(directory)
    # fmt: on
    if magic != CODE_DIRECTORY or version < 0x20400:
        return ["its CodeDirectory is not of version 0x20400 or later"]
    problems = []
    if ad_hoc and not flags & AD_HOC:
        problems.append("its signature is not marked as ad-hoc")
    if not directory[name : directory.find(b"\0", name)]:
        problems.append("its signature has no identifier")
    if (kind, width) != (SHA256, 32):
        return [*problems, "its signature is not of SHA-256 hashes"]
    if code_limit != limit:
        problems.append(f"its signature covers {code_limit} bytes, not the {limit} before it")
    if bits not in (12, 14):
        return [*problems, f"its signature's pages are of 2^{bits} bytes, not 4 or 16 KiB"]
    page = 1 << bits
    if slots != (limit + page - 1) // page or hashes + 32 * slots > len(directory):
        return [*problems, f"its signature has {slots} page hashes for {limit} bytes"]
    stored = [directory[hashes + 32 * i :][:32] for i in range(slots)]
    wrong = [
        i * page
        for i in range(slots)
        if hashlib.sha256(data[i * page : min((i + 1) * page, limit)]).digest() != stored[i]
    ]
    if wrong:
        places = ", ".join(f"{at:#x}" for at in wrong[:_SHOWN])
        problems.append(f"its signature does not fit {len(wrong)} pages, at {places}")
    return problems + _special_slots(directory, hashes, specials, blobs)


def _special_slots(directory: bytes, hashes: int, count: int, blobs: dict[int, bytes]) -> list[str]:
    """Hashes of what lies beside the CodeDirectory in the signature."""
    problems = []
    for slot, what in _SPECIAL.items():
        if slot not in blobs:
            continue
        stored = directory[hashes - 32 * slot :][:32] if slot <= count else b""
        if hashlib.sha256(blobs[slot]).digest() != stored:
            problems.append(f"its signature does not fit its {what}")
    return problems
