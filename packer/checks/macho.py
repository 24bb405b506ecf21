"""The rules for macOS.

Sources: Apple's `mach-o/loader.h`; for the demands of kernel and dyld, xnu's `mach_loader.c` and
dyld's `MachOFile.cpp`; for signatures, xnu's `kern/cs_blobs.h` and `ubc_subr.c`.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Collection

import lief

from packer.checks.systems import BinaryKind, Links, System, text
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

lief.logging.disable()

_MAGIC = b"\xcf\xfa\xed\xfe"
_CPU = {
    "x86_64": lief.MachO.Header.CPU_TYPE.X86_64,
    "aarch64": lief.MachO.Header.CPU_TYPE.ARM64,
}
_TYPES = {
    BinaryKind.PROGRAM: (lief.MachO.Header.FILE_TYPE.EXECUTE,),
    BinaryKind.LIBRARY: (lief.MachO.Header.FILE_TYPE.DYLIB,),
    BinaryKind.MODULE: (lief.MachO.Header.FILE_TYPE.BUNDLE, lief.MachO.Header.FILE_TYPE.DYLIB),
}
_PAGE = {"x86_64": 0x1000, "aarch64": 0x4000}
_DYLIBS = (
    lief.MachO.LoadCommand.TYPE.LOAD_DYLIB,
    lief.MachO.LoadCommand.TYPE.LOAD_WEAK_DYLIB,
    lief.MachO.LoadCommand.TYPE.REEXPORT_DYLIB,
    lief.MachO.LoadCommand.TYPE.LAZY_LOAD_DYLIB,
    lief.MachO.LoadCommand.TYPE.LOAD_UPWARD_DYLIB,
)
_RPATH = "@rpath/"
_WRITE_AND_EXECUTE = 6
_SPECIAL_SLOTS = {
    1: "Info.plist",
    2: "requirements",
    3: "resources",
    5: "entitlements",
    7: "entitlements",
}
_SHOWN = 3


def examine(
    where: System, name: str, kind: BinaryKind, data: bytes, own: frozenset[str]
) -> tuple[list[str], Links]:
    """The rules that one file breaks, and its links.

    Args:
        own: the names of the files beside it.
    """
    if data[:4] != _MAGIC:
        return ["not a thin 64-bit Mach-O file"], Links()
    parsed = lief.MachO.parse(data, lief.MachO.ParserConfig.deep)
    binary = parsed.at(0) if parsed is not None and parsed.size == 1 else None
    if binary is None:
        return ["cannot be read as a Mach-O file"], Links()
    problems = _header(where, kind, binary)
    problems += _segments(where, binary, len(data))
    if not where.any_library:
        problems += _version(where, binary) + _libraries(where, binary, own)
    if kind is BinaryKind.LIBRARY:
        install_name = "".join(_dylibs(binary, [lief.MachO.LoadCommand.TYPE.ID_DYLIB]))
        if install_name != _RPATH + name:
            problems.append(f"is called `{install_name}` inside, not `{_RPATH}{name}`")
    problems += _signature(data, ad_hoc=not where.any_library)
    return problems, _links(binary)


def _header(where: System, kind: BinaryKind, binary: lief.MachO.Binary) -> list[str]:
    header, problems = binary.header, []
    if header.cpu_type != _CPU[where.arch]:
        problems.append(f"is for {header.cpu_type.name}, not for {where.arch}")
    if header.cpu_subtype & 0xFFFFFF != (3 if where.arch == "x86_64" else 0):
        problems.append(f"is for processor subtype {header.cpu_subtype}, not for all of its kind")
    if header.file_type not in _TYPES[kind]:
        problems.append(f"is of type {header.file_type.name}, which no {kind.value} is")
    flags = lief.MachO.Header.FLAGS
    if not header.has(flags.TWOLEVEL):
        problems.append("its imports do not say from which library they come (two-level names)")
    if kind is BinaryKind.PROGRAM:
        if not header.has(flags.PIE):
            problems.append("is not position-independent (PIE)")
        if not binary.has_main_command:
            problems.append("has no entry point (LC_MAIN)")
        loaders = [
            text(c.name) for c in binary.commands if isinstance(c, lief.MachO.DylinkerCommand)
        ]
        if loaders != ["/usr/lib/dyld"]:
            problems.append("its interpreter is not `/usr/lib/dyld`")
    return problems


def _version(where: System, binary: lief.MachO.Binary) -> list[str]:
    build = binary.build_version
    if build is None:
        return ["has no minimum macOS version (LC_BUILD_VERSION)"]
    if build.platform != lief.MachO.BuildVersion.PLATFORMS.MACOS:
        return [f"is for the platform {build.platform.name}, not for macOS"]
    if tuple(build.minos[:2]) > where.floor:
        have, want = ".".join(map(str, build.minos)), ".".join(map(str, where.floor))
        return [f"needs macOS {have}, which is newer than {want}"]
    return []


def _segments(where: System, binary: lief.MachO.Binary, size: int) -> list[str]:
    problems, segments = [], list(binary.segments)
    page = _PAGE[where.arch]
    for segment in segments:
        name = text(segment.name)
        if int(segment.init_protection) & _WRITE_AND_EXECUTE == _WRITE_AND_EXECUTE:
            problems.append(f"segment {name} is writable and executable")
        if segment.file_size and (segment.file_offset % page or segment.virtual_address % page):
            problems.append(f"segment {name} is not on a page of {page} bytes")
        if segment.file_offset + segment.file_size > size:
            problems.append(f"segment {name} ends after the end of the file")
    names = [text(segment.name) for segment in segments]
    if not names or names[-1] != "__LINKEDIT":
        problems.append("its last segment is not __LINKEDIT")
    elif segments[-1].file_offset + segments[-1].file_size != size:
        problems.append("segment __LINKEDIT does not end where the file ends")
    return problems


def _libraries(where: System, binary: lief.MachO.Binary, own: frozenset[str]) -> list[str]:
    problems = []
    wanted = _dylibs(binary)
    for library in wanted:
        if library.startswith(_RPATH):
            if library.removeprefix(_RPATH) not in own:
                problems.append(f"wants `{library}`, which is not beside it")
        elif not where.has_library(library):
            problems.append(f"wants `{library}`, which is not a library of the system")
    paths = [text(c.path) for c in binary.commands if isinstance(c, lief.MachO.RPathCommand)]
    inside = any(library.startswith(_RPATH) for library in wanted)
    if (inside or paths) and paths != ["@loader_path"]:
        problems.append(f"looks for libraries in {paths}, not in `@loader_path`")
    return problems


def _dylibs(
    binary: lief.MachO.Binary, kinds: Collection[lief.MachO.LoadCommand.TYPE] = _DYLIBS
) -> list[str]:
    """The names in load commands of these types; by default, of the libraries that it imports."""
    return [
        text(c.name)
        for c in binary.commands
        if isinstance(c, lief.MachO.DylibCommand) and c.command in kinds
    ]


def _links(binary: lief.MachO.Binary) -> Links:
    """Imports from what dyld binds, exports from its trie; both without C's leading `_`."""
    imports = set()
    for binding in binary.bindings:
        weak = binding.weak_import or (
            isinstance(binding, lief.MachO.DyldBindingInfo)
            and binding.binding_class == lief.MachO.DyldBindingInfo.CLASS.WEAK
        )
        if binding.symbol is None or weak:
            continue
        library = text(binding.library.name) if binding.library is not None else ""
        imports.add((library.removeprefix(_RPATH), _plain(text(binding.symbol.name))))
    tries = (binary.dyld_info, binary.dyld_exports_trie)
    exports = {
        _plain(text(entry.symbol.name))
        for trie in tries
        if trie is not None
        for entry in trie.exports
        if entry.symbol is not None
    }
    needed = tuple(library.removeprefix(_RPATH) for library in _dylibs(binary))
    return Links(needed, frozenset(imports), frozenset(exports))


def _plain(symbol: str) -> str:
    return symbol.removeprefix("_")


def _signature(data: bytes, *, ad_hoc: bool) -> list[str]:
    """What is wrong with the signature.

    The kernel hashes pages when they are first touched, and kills the process at the first wrong
    one: that may take hours. Certificates are not checked.

    Args:
        ad_hoc: whether it must be an ad-hoc signature.
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
    """Hashes of the other blobs of the signature."""
    problems = []
    for slot, what in _SPECIAL_SLOTS.items():
        if slot not in blobs:
            continue
        stored = directory[hashes - 32 * slot :][:32] if slot <= count else b""
        if hashlib.sha256(blobs[slot]).digest() != stored:
            problems.append(f"its signature does not fit its {what}")
    return problems
