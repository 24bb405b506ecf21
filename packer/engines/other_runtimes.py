"""Programs of other projects that read their own ZIP, such as a released llamafile.

`pack --runtime` copies such a program byte for byte, with its members and their old directory, and
adds weights. The new directory also lists the old members, except those that are replaced.

Their `.args` have one of two dialects. `LoadZipArgs` (llamafile 0.8 and most other programs) takes
each line as it is: no quotes, escapes, comments or variables. `cosmo_args` (llamafile since 0.9)
splits words as a shell does. Without the word `...`, the former would use the user's arguments in
place of all others.

Sources: cosmopolitan's `tool/args/args.c` and `cosmo_args`; for the versions, `--version` in
llamafile's `main.cpp`, `llamafile/server/main.cpp` and `whisperfile.cpp`, 0.3 to 0.10.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, BinaryIO

from packer.ape.anatomy import take_apart
from packer.ape.description import machine, parts
from packer.engines.cosmo import KIND
from packer.io.copy import Destination, copy
from packer.io.digest import Digest
from packer.zip.writer import Record, ZipWriter
from runtime.errors import InputError, shell_word
from runtime.formats.args_file import USER_WORDS, parse, quote
from runtime.formats.bundle import MANIFEST, Bundle
from runtime.formats.zip_directory import Member, data_offset, read_directory
from runtime.machine.head import Kind

COSMO = Path(KIND)
"""`--runtime cosmo`: the runtime that `llamapack engine build --toolchain cosmo` made."""

_PROGRAMS = (Kind.APE_WINDOWS, Kind.APE_UNIX, Kind.APE_CMD, Kind.ELF, Kind.PE, Kind.MACHO)
_SHELL_LIKE_SINCE = (0, 9)
_VARIABLE = re.compile(r"\0(\w+)\0")

_NAMES = rb"llamafiler?|llamafile-[a-z]{1,16}|whisperfile|sdfile"
_VERSION = re.compile(
    rb"(?<![\w-])(" + _NAMES + rb") v(\d{1,4}(?:\.\d{1,4}){1,3}(?:-[0-9A-Za-z.]{1,16})?)"
)
"""What `--version` prints; the program contains it as text."""
_NUMBERS = re.compile(r" (\d+)\.(\d+)")
_SEARCHED = 64 << 20  # bytes; the programs have about 30 MB
_BLOCK = 1 << 20
_VERSION_MAX = 64  # bytes


class Dialect(Enum):
    """How a program reads its `.args`."""

    LINES = "one argument on each line, taken as it is"
    WORDS = "shell-like words"


@dataclass(frozen=True)
class Runtime:
    """A program and its members."""

    path: Path
    size: int
    """Bytes."""
    kind: Kind
    systems: tuple[str, ...]
    """The systems that its head names, such as `linux-x86_64` or `windows-x86_64`."""
    members: tuple[tuple[Member, int], ...]
    """Each with the offset of its data."""
    dialect: Dialect

    def begin(self, destination: Destination, epoch: int, replaced: Collection[str]) -> ZipWriter:
        """Copy the program, and return an archive that lists its members.

        Args:
            replaced: names of members that are added later and so are not listed.
        """
        with self.path.open("rb") as file:
            copy(file, self.size, str(self.path), destination, advance=lambda _: None, sparse=False)
        archive = ZipWriter(destination, epoch)
        archive.records += [
            _record(member, place) for member, place in self.members if member.name not in replaced
        ]
        return archive


def named_runtime(word: str, folder: Path = Path()) -> Path:
    """`COSMO`, or the absolute path of a file; a file of that name is `./cosmo`.

    Args:
        folder: the folder that a relative path starts from.
    """
    if word == KIND:
        return COSMO
    path = folder / word
    return path.absolute() if path == COSMO else path


def read_runtime(path: Path) -> Runtime:
    """Examine the program at `path`.

    Raises:
        InputError: it is not a program, is a bundle of llamapack, or its archive cannot be kept.
    """
    anatomy = take_apart(path)
    if anatomy.kind not in _PROGRAMS:
        raise InputError(
            f"{path} is {anatomy.kind.value}, not a program that reads its own ZIP",
            "Give `--runtime` a llamafile, or another APE, ELF, PE or Mach-O program.",
        )
    members = _members(path)
    if any(member.name == MANIFEST for member, _ in members):
        raise InputError(
            f"{path} is a bundle of llamapack already",
            f"Add to it with `llamapack edit {shell_word(path)} --add FILE`, or omit `--runtime`.",
        )
    systems = [f"linux-{machine(program)}" for program in anatomy.programs]
    if anatomy.image and anatomy.kind.is_ape:
        systems.append("windows-x86_64")
    systems += [one.target for one in anatomy.embedded if one.target]
    systems += [anatomy.native] if anatomy.native else []
    with path.open("rb") as program:
        version = program_version(program, (member for member, _ in members), anatomy.size)
    return Runtime(
        path, anatomy.size, anatomy.kind, tuple(dict.fromkeys(systems)), members, dialect(version)
    )


def runtime_facts(bundle: Bundle) -> dict[str, Any]:
    """What `inspect` says about the program in a file that llamapack did not make: JSON values."""
    return {**parts(take_apart(bundle.path)), "version": _version_in(bundle)}


def _members(path: Path) -> tuple[tuple[Member, int], ...]:
    with path.open("rb") as file:
        try:
            directory = read_directory(file, str(path))
        except InputError as problem:
            _refuse_unread_archive(path, problem)
            return ()
        return tuple(
            (member, data_offset(file, member, str(path))) for member in directory.members.values()
        )


def _refuse_unread_archive(path: Path, problem: InputError) -> None:
    """Raise InputError if `zipfile` can read the ZIP that we cannot: its members would be lost."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError):
        return
    if names:
        raise InputError(
            f"the ZIP of {path} does not count its offsets from the file's first byte "
            f"({problem.message})",
            f"Run `zip -A {path}` on a copy of it first.",
        )


def _record(member: Member, place: int) -> Record:
    return Record(
        member.name,
        member.method,
        Digest(member.size, member.crc32, ""),
        member.compressed_size,
        member.header_offset,
        place,
        member.mode & 0o777,
        member.entry,
    )


def program_version(program: BinaryIO, members: Iterable[Member], size: int) -> str | None:
    """Name and version, such as `llamafile 0.9.3`, if the program states them.

    Args:
        members: those of the ZIP behind the program.
        size: of the file, in bytes.
    """
    end = min((member.header_offset for member in members), default=size)
    left, before = min(end, _SEARCHED), b""
    program.seek(0)
    while left and (block := program.read(min(_BLOCK, left))):
        left -= len(block)
        if found := _VERSION.search(before + block):
            return f"{found[1].decode()} {found[2].decode()}"
        before = block[-_VERSION_MAX:]
    return None


def _version_in(bundle: Bundle) -> str | None:
    return program_version(bundle.file, bundle.members.values(), bundle.size)


def dialect(version: str | None) -> Dialect:
    """How a program of this version, such as `llamafile 0.9.3`, reads its `.args`."""
    found = _NUMBERS.search(version or "")
    shell_like = found and (int(found[1]), int(found[2])) >= _SHELL_LIKE_SINCE
    return Dialect.WORDS if shell_like else Dialect.LINES


def dialect_of(bundle: Bundle) -> Dialect:
    """How the program in a file that llamapack did not make reads its `.args`."""
    return dialect(_version_in(bundle))


def ours(text: str, dialect: Dialect) -> str:
    """Another program's `.args` in our own form; `text` itself if both forms are the same."""
    if dialect is Dialect.WORDS:
        return text
    lines = [line for line in re.split("[\r\n]+", text) if line]
    quoted = "".join(f"{quote(line)}\n" for line in lines)
    return text if quoted.split("\n") == [*lines, ""] else quoted


def rewritten(text: str, into: Dialect) -> str:
    """Our own `.args` in the form of a program, one argument on each line.

    Args:
        text: shell-like words, as docs/bundle-format.md describes them.

    Raises:
        InputError: that form has no way to write one of the words.
    """
    words = parse(text, _MarkedVariables())
    if USER_WORDS not in words:
        words.append(USER_WORDS)
    write = _quoted if into is Dialect.WORDS else _line
    return "".join(f"{write(word)}\n" for word in words)


class _MarkedVariables(dict[str, str]):
    """An environment whose values mark where a variable was; no argument contains a NUL."""

    def get(self, key: str, default: object = None) -> str:
        return f"\0{key}\0"


def _quoted(word: str) -> str:
    # Not in double quotes: a backslash has more meanings there than in our own grammar.
    pieces = _VARIABLE.split(word)
    names = (f"${{{name}}}" for name in pieces[1::2])
    texts = [quote(piece) if piece else "" for piece in pieces[::2]]
    return texts[0] + "".join(map(str.__add__, names, texts[1:])) or "''"


def _line(word: str) -> str:
    shown = _VARIABLE.sub(r"$\1", word)
    if not word or any(mark in word for mark in "\n\r\0"):
        raise InputError(
            f"the argument {shown!r} cannot be in the `.args` of another runtime, which has one "
            "on each line, taken as it is",
            "Leave it out of `--args`.",
        )
    return word
