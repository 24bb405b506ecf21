"""Takes members out of a bundle: as a stream, or as files that appear whole or not at all."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath

from packer.io.console import Advance
from packer.io.copy import append_range
from packer.io.digest import crc32
from packer.io.output import OutputFile, output_file
from runtime.errors import InputError, shell_word
from runtime.formats.bundle import Bundle
from runtime.formats.zip_directory import STORED, Member

_PLAIN, _EXECUTABLE = 0o644, 0o755


def member_named(bundle: Bundle, name: str) -> Member:
    """The member of this name; InputError if there is none."""
    if name not in bundle.members:
        raise InputError(
            f"{bundle.path} has no member {name}",
            f"`llamapack ls {shell_word(bundle.path)}` lists them.",
        )
    return bundle.members[name]


def members_named(bundle: Bundle, name: str) -> list[Member]:
    """The member of this name, or all in the folder of this name; InputError if there is none."""
    folder = name.rstrip("/") + "/"
    found = [m for m in bundle.members.values() if m.name == name or m.name.startswith(folder)]
    return found or [member_named(bundle, name)]


def chosen(bundle: Bundle, names: Iterable[str]) -> list[Member]:
    """Members of these names and in folders of these names; all if none is given. Raises InputError
    if nothing has such a name."""
    wanted = list(names)
    files = [member for name, member in bundle.members.items() if not name.endswith("/")]
    if not wanted:
        return files
    found = {member.name for name in wanted for member in members_named(bundle, name)}
    return [member for member in files if member.name in found]


def contents(bundle: Bundle, member: Member) -> Iterator[bytes]:
    """The contents of a member, piece by piece. Raises InputError if it is damaged, which may show
    only at the end."""
    sum_ = 0
    for piece in bundle.stream(member):
        sum_ = crc32(piece, sum_)
        yield piece
    check_crc(bundle, member, sum_)


def extract(
    bundle: Bundle, members: Sequence[Member], folder: Path, *, force: bool, advance: Advance
) -> list[Path]:
    """Write members as files in `folder`; stored members share their blocks where possible.

    Raises InputError if `folder` is a file, a name leads out of it, a file exists, or a member is
    damaged; files finished before stay.
    """
    if os.path.lexists(folder) and not folder.is_dir():
        raise InputError(f"{folder} is not a directory", "Choose a folder with `-C`.")
    places = {member.name: folder / _inside(bundle, member.name) for member in members}
    if not force:
        for path in places.values():
            if path.exists() or path.is_symlink():
                raise InputError(
                    f"{path} exists already", "Add `--force` to replace it, or choose `-C`."
                )
    for member in members:
        path = places[member.name]
        if not path.parent.resolve().is_relative_to(folder.resolve()):
            raise InputError(
                f"{path.parent} is outside {folder}", "Choose an empty folder with `-C`."
            )
        path.parent.mkdir(parents=True, exist_ok=True)
        mode = _EXECUTABLE if member.mode & 0o111 else _PLAIN
        with output_file(
            path, force=force, inputs=[bundle.path], needed=member.size, mode=mode
        ) as output:
            _write(bundle, member, output, advance)
    return list(places.values())


def _write(bundle: Bundle, member: Member, output: OutputFile, advance: Advance) -> None:
    if member.method == STORED and not member.encrypted and member.size == member.compressed_size:
        sum_ = 0

        def use(piece: bytes) -> None:
            nonlocal sum_
            sum_ = crc32(piece, sum_)

        with io.FileIO(bundle.path) as source:
            start = bundle.data_offset(member)
            append_range(source, start, member.size, output, use=use, advance=advance)
        output.end()
        check_crc(bundle, member, sum_)
        return
    for piece in contents(bundle, member):
        output.write(piece)
        advance(len(piece))


def check_crc(bundle: Bundle, member: Member, sum_: int) -> None:
    """Raises InputError if a member's contents differ from what the directory states."""
    if sum_ != member.crc32:
        raise InputError(
            f"{bundle.path} is damaged: the CRC-32 of member {member.name} differs",
            "Download or copy the file again.",
        )


def _inside(bundle: Bundle, name: str) -> PurePosixPath:
    """A member's name as a path that stays in its folder, on every system."""
    path = PurePosixPath(name)
    odd = (
        not name.isprintable()
        or "\\" in name
        or path.is_absolute()
        or any(part in ("", ".", "..") for part in name.split("/"))
        or PureWindowsPath(name).drive
    )
    if odd:
        raise InputError(
            f"{bundle.path}: member {name!r} would not be a file in the folder",
            "Name the others one by one, or use `llamapack cat`.",
        )
    return path
