"""Joins parts without a second copy: the first one becomes the file, the others move into it.

1. Every part is checked; so far nothing has changed. Moving reads them once more: what is moved
   leaves its part, so one read would move what was not checked, or need the space of a copy.
2. The journal is written, and the first part renamed to `NAME.joining`.
3. Part after part is moved into it (packer/tail_moves.py) and stays as an empty file.
4. `NAME.joining` gets its final name; list of hashes, empty parts and journal are dealt with.

Each step can be done again, so that after an interruption the command goes on where it was.
"""

from __future__ import annotations

import os
from contextlib import nullcontext
from itertools import accumulate
from pathlib import Path
from shlex import quote

from packer.console import note
from packer.copy import Nowhere
from packer.engine.lock import Busy, locked
from packer.output import make_executable, publish, sync_folder, terminable
from packer.output_checks import check_path
from packer.parts import sha256_lists
from packer.parts.check import check, check_lengths
from packer.parts.journal import Journal, growing_path, journal_path
from packer.parts.tail_moves import move_tail
from packer.progress import progress
from runtime.errors import InputError
from runtime.parts import Parts, find, part_name, siblings


def unfinished(whole: Path) -> bool:
    """Whether the parts of `whole` are partly joined."""
    return journal_path(whole).exists()


def join_in_place(first: Path, whole: Path, output: Path | None, *, force: bool) -> Path:
    """Turn the parts into their file, or go on with that; the path of the file.

    Args:
        first: one of the parts.
        whole: where their file would be by their names.
        output: another place for it, on the same file system.

    Raises:
        InputError: a part is missing or damaged (then nothing was changed), or the file must not
            be written; or it was interrupted, and can go on.
    """
    if not unfinished(whole):
        name = part_name(first.name)
        path = output or whole
        if path.is_file() and name and not siblings(whole.parent, name):
            note(f"{path} has no parts any more: it is joined already")
            return path
        _begin(find(first), output, force)
    try:
        with locked(journal_path(whole), wait=False), terminable():
            return _finish(whole, output, force)
    except Busy:
        raise InputError(
            f"another llamapack joins the parts of {whole}", "Wait until it is done."
        ) from None
    except KeyboardInterrupt:
        raise InputError(
            f"interrupted; {whole} is joined in part, and nothing is lost",
            f"Run `llamapack join --in-place {quote(str(first))}` again: it goes on from here.",
        ) from None


def _begin(parts: Parts, output: Path | None, force: bool) -> None:
    path = output or parts.whole
    check_path(path, force, parts.paths)
    _check_files(parts, path)
    sums = sha256_lists.read(sha256_lists.path_beside(parts.whole))
    sha256_lists.read(sha256_lists.path_beside(path))
    with (
        check_lengths(parts, sums) or nullcontext() as bundle,
        progress("checking", parts.size) as advance,
    ):
        *_, sha256 = check(parts, sums, bundle, Nowhere(), advance)
    names = [part.name for part in parts.paths]
    journal = Journal(names, list(parts.sizes), sha256, str(path.absolute()))
    try:
        journal.save(journal_path(parts.whole))
    except InputError:
        if not unfinished(parts.whole):  # another process was faster; the lock tells which
            raise


def _check_files(parts: Parts, output: Path) -> None:
    """Nobody else may lose bytes by this."""
    for path in parts.paths:
        if path.is_symlink():
            what = "a symbolic link, and its file is somebody else's"
        elif path.stat().st_nlink > 1:
            what = "another name of a file that would change under its first name too"
        elif path.stat().st_dev != output.parent.stat().st_dev:
            what = f"not on the same file system as {output}"
        elif not os.access(path, os.W_OK):
            what = "not yours to change"
        else:
            continue
        raise InputError(f"{path} is {what}", "Join without `--in-place`.")


def _finish(whole: Path, output: Path | None, force: bool) -> Path:
    record = journal_path(whole)
    if not record.stat().st_size:
        record.unlink()  # made by the lock: another process was done just before
        return output or whole
    journal = Journal.load(record)
    path = output or Path(journal.output)
    if path == whole.absolute():
        path = whole
    growing, folder = growing_path(whole), whole.parent
    first, *rest = [folder / name for name in journal.parts]
    if not growing.exists() and first.exists():
        if first.stat().st_size != journal.sizes[0]:
            raise InputError(
                f"{first} has not the {journal.sizes[0]:,} bytes that it had",
                "Put the part itself there again.",
            )
        first.rename(growing)
        sync_folder(folder)
    if growing.exists():
        _append(growing, rest, journal)
        if not (path.exists() and path.samefile(growing)):
            check_path(path, force, [])
            publish(growing, path, force)
        growing.unlink(missing_ok=True)
        sync_folder(folder)
    elif not path.is_file() or path.stat().st_size != sum(journal.sizes):
        raise InputError(
            f"{growing} is gone, which held what was joined so far",
            "Put it back, and run the command again.",
        )
    _clean_up(whole, path, journal)
    return path


def _append(growing: Path, rest: list[Path], journal: Journal) -> None:
    for part in rest:
        if not part.exists():
            raise InputError(
                f"{part} is missing, which was to be joined next", "Put the part there again."
            )
    offsets = accumulate(journal.sizes)
    total = sum(journal.sizes[1:])
    with (
        growing.open("r+b", buffering=0) as file,
        progress("joining", total) as advance,
    ):
        for part, size, offset in zip(rest, journal.sizes[1:], offsets, strict=False):
            advance(size - part.stat().st_size)
            move_tail(part, size, file, offset, advance)
        os.fsync(file.fileno())
    make_executable(growing)  # which a download's mode does not say


def _clean_up(whole: Path, path: Path, journal: Journal) -> None:
    beside = sha256_lists.path_beside(whole)
    sha256_lists.change(
        sha256_lists.path_beside(path), add={path.name: journal.sha256}, remove=journal.parts
    )
    sha256_lists.change(beside, add={}, remove=journal.parts)
    for name in journal.parts[1:]:
        part = whole.with_name(name)
        if part.exists() and not part.stat().st_size:
            part.unlink()
    journal_path(whole).unlink()
    sync_folder(whole.parent)
