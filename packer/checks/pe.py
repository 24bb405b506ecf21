"""The rules for Windows.

Source: Microsoft's "PE Format"; the loader's demands are those of Windows 10.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import lief

from packer.checks.systems import BinaryKind, Links, System, text

lief.logging.disable()

_MACHINE = {
    "x86_64": lief.PE.Header.MACHINE_TYPES.AMD64,
    "aarch64": lief.PE.Header.MACHINE_TYPES.ARM64,
}
_FLAGS = lief.PE.OptionalHeader.DLL_CHARACTERISTICS
_WANTED = {
    _FLAGS.DYNAMIC_BASE: "cannot be loaded anywhere (DYNAMIC_BASE)",
    _FLAGS.NX_COMPAT: "asks for executable data (no NX_COMPAT)",
    _FLAGS.HIGH_ENTROPY_VA: "cannot be loaded above 4 GiB (HIGH_ENTROPY_VA)",
}
_WRITE_AND_EXECUTE = 0xA0000000
_ARCHIVE_MAGIC = b"!<arch>\n"
_ARCHIVE_HEADER = 60


def examine(
    where: System, name: str, kind: BinaryKind, data: bytes, own: frozenset[str]
) -> tuple[list[str], Links]:
    """The rules that one file breaks, and its links.

    Args:
        own: the names of the files beside it.
    """
    if data[:2] != b"MZ":
        return ["not a PE file"], Links()
    config = lief.PE.ParserConfig()
    config.parse_signature = config.parse_reloc = False
    config.parse_exports = config.parse_imports = config.parse_rsrc = True
    binary = lief.PE.parse(data, config)
    if binary is None:
        return ["cannot be read as a PE file"], Links()
    if binary.optional_header.magic != lief.PE.PE_TYPE.PE32_PLUS:
        return ["not a 64-bit PE file (PE32+)"], Links()
    problems = _headers(where, kind, binary)
    if not where.any_library:
        problems += _version(where, kind, binary) + _libraries(where, binary, own)
    if kind is BinaryKind.LIBRARY:
        export = binary.get_export()
        inside = text(export.name) if export is not None else ""
        if inside != name:
            problems.append(f"is called `{inside}` inside, not `{name}`")
    return problems, _links(binary)


def _headers(where: System, kind: BinaryKind, binary: lief.PE.Binary) -> list[str]:
    problems = []
    if binary.header.machine != _MACHINE[where.arch]:
        problems.append(f"is for {binary.header.machine.name}, not for {where.arch}")
    library = binary.header.has_characteristic(lief.PE.Header.CHARACTERISTICS.DLL)
    if library != (kind is not BinaryKind.PROGRAM):
        problems.append(
            f"{'is a DLL' if library else 'is not a DLL'}, but should be a {kind.value}"
        )
    subsystem = binary.optional_header.subsystem
    if kind is BinaryKind.PROGRAM and subsystem != lief.PE.OptionalHeader.SUBSYSTEM.WINDOWS_CUI:
        problems.append(f"its subsystem is {subsystem.name}, not the console's")
    have = binary.optional_header.dll_characteristics
    problems += [text for flag, text in _WANTED.items() if not have & int(flag)]
    relocations = binary.data_directory(lief.PE.DataDirectory.TYPES.BASE_RELOCATION_TABLE)
    if relocations is None or not relocations.size:
        problems.append("has no relocations, so it cannot be loaded anywhere")
    problems += [
        f"section {text(section.name)} is writable and executable"
        for section in binary.sections
        if int(section.characteristics) & _WRITE_AND_EXECUTE == _WRITE_AND_EXECUTE
    ]
    return problems


def _version(where: System, kind: BinaryKind, binary: lief.PE.Binary) -> list[str]:
    problems = []
    optional = binary.optional_header
    system = optional.major_operating_system_version, optional.minor_operating_system_version
    subsystem = optional.major_subsystem_version, optional.minor_subsystem_version
    if max(system, subsystem) > where.floor:
        newer = ".".join(map(str, max(system, subsystem)))
        floor = ".".join(map(str, where.floor))
        problems.append(f"needs Windows {newer}, which is newer than {floor}")
    if kind is BinaryKind.PROGRAM:
        manager = binary.resources_manager if binary.has_resources else None
        versions = manager.version if isinstance(manager, lief.PE.ResourcesManager) else []
        if not versions:
            problems.append("has no version resource")
    return problems


def _libraries(where: System, binary: lief.PE.Binary, own: frozenset[str]) -> list[str]:
    wanted = [text(i.name) for i in binary.imports] + [text(i.name) for i in binary.delay_imports]
    return [
        f"wants `{library}`, which is neither beside it nor a part of Windows"
        for library in wanted
        if library not in own and not where.has_library(library)
    ]


def _links(binary: lief.PE.Binary) -> Links:
    imports = {
        (text(library.name), text(entry.name))
        for library in binary.imports
        for entry in library.entries
        if not entry.is_ordinal
    }
    export = binary.get_export()
    exports = {text(entry.name) for entry in export.entries} if export is not None else set()
    return Links(
        tuple(text(library.name) for library in binary.imports),
        frozenset(imports),
        frozenset(exports),
    )


def examine_import_library(
    data: bytes, arch: str, library: str, exports: frozenset[str]
) -> list[str]:
    """What is wrong with the import library that modules are linked with.

    Source: PE format, "Archive (Library) File Format" and "Import Library Format".

    Args:
        library: the DLL that it stands for.
        exports: the names that the DLL exports.
    """
    if not data.startswith(_ARCHIVE_MAGIC):
        return ["is not an archive"]
    names = set()
    for member in _archive_members(data):
        if len(member) < 20 or struct.unpack_from("<HH", member) != (0, 0xFFFF):
            continue  # The archive's index, or one of the objects that end the import tables.
        (machine,) = struct.unpack_from("<H", member, 6)
        if machine != int(_MACHINE[arch]):
            return [f"is for another machine (0x{machine:04x})"]
        name, dll, *_ = (part.decode("utf-8", "replace") for part in member[20:].split(b"\0"))
        if dll.lower() != library:
            return [f"imports from `{dll}`, not from `{library}`"]
        names.add(name)
    if missing := sorted(exports - names):
        return [f"lacks {len(missing)} functions of `{library}`, such as `{missing[0]}`"]
    return []


def _archive_members(data: bytes) -> Iterator[bytes]:
    at = len(_ARCHIVE_MAGIC)
    while at + _ARCHIVE_HEADER <= len(data):
        size = data[at + 48 : at + 58].strip()
        length = int(size) if size.isdigit() else 0
        yield data[at + _ARCHIVE_HEADER : at + _ARCHIVE_HEADER + length]
        at += _ARCHIVE_HEADER + length + length % 2
