"""Joins parts without a second copy: the first one becomes the file, the others move into it.

1. Every part is checked; so far nothing has changed. Moving reads them once more: what is moved
   leaves its part, so one read would move what was not checked, or need the space of a copy.
2. The journal is written, and the first part renamed to `NAME.joining`.
3. Part after part is moved into it (packer/parts/tail_moves.py) and stays as an empty file.
4. `NAME.joining` gets its final name; list of hashes, empty parts and journal are dealt with.

Each step can be done again, so that after an interruption the command goes on where it was. What it
finds then may come from a stranger, so all bytes are compared with the journal's hash first.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable
from itertools import accumulate
from pathlib import Path

from packer.engines.layout import locked
from packer.io.console import note
from packer.io.copy import Nowhere
from packer.io.output import make_executable, publish, sync_folder, terminable
from packer.io.output_checks import check_path
from packer.io.ownership import check_exclusive, no_follow
from packer.io.progress import progress
from packer.parts import sha256_lists
from packer.parts.check import check, check_first
from packer.parts.journal import Journal, growing_path, journal_path
from packer.parts.resumption import prove
from packer.parts.tail_moves import move_tail
from runtime.errors import InputError
from runtime.formats.parts import PartName, Parts, find, of_whole, part_name, siblings
from runtime.locks import Busy

_COPY = "Join without `--in-place`."


def unfinished(whole: Path) -> bool:
    """Whether the parts of `whole` are partly joined, or something says so."""
    return os.path.lexists(journal_path(whole))


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
    name = part_name(first.name) or of_whole(first)
    path = output or whole
    begun = None
    if not unfinished(whole):
        if path.is_file() and part_name(first.name) and not siblings(whole.parent, name):
            note(f"{path} has no parts any more: it is joined already")
            return path
        begun = _begin(find(first), path, force)
    record = journal_path(whole)
    try:
        check_exclusive(record, f"If the parts are whole, remove {record}.", names=2)
        with locked(record, wait=False, make=False), terminable():
            return _finish(name, whole, path, force, begun)
    except FileNotFoundError:
        if unfinished(whole) or not path.is_file():
            raise
        return path  # another process was done just before
    except Busy:
        raise InputError(
            f"another llamapack joins the parts of {whole}", "Wait until it is done."
        ) from None
    except KeyboardInterrupt:
        words = ["llamapack", "join", "--in-place", str(first)]
        words += ["-o", str(output)] if output else []
        raise InputError(
            f"interrupted; {whole} is joined in part, and nothing is lost",
            f"Run `{shlex.join(words)}` again: it goes on from here.",
        ) from None


def _begin(parts: Parts, path: Path, force: bool) -> Journal:
    """Check the parts and write the journal."""
    check_path(path, force, parts.paths)
    growing = growing_path(parts.whole)
    if os.path.lexists(growing):
        raise InputError(
            f"{growing} is there beside the first part", f"Move it away, or: {_COPY.lower()}"
        )
    _check_files(parts, path)
    sha256_lists.read(sha256_lists.path_beside(path))
    journal = _checked(parts)
    if not all(parts.sizes):
        raise InputError(f"{parts.paths[parts.sizes.index(0)]} is empty", _COPY)
    try:
        journal.save(journal_path(parts.whole))
    except InputError:
        if not unfinished(parts.whole):  # another process was faster; the lock tells which
            raise
    return journal


def _checked(parts: Parts) -> Journal:
    """Read all parts, of which nothing is joined yet; what a journal says about them."""
    sums = sha256_lists.read(sha256_lists.path_beside(parts.whole))
    check_first(parts, sums)
    with progress("checking", parts.size) as advance:
        sha256 = check(parts, sums, Nowhere(), advance)
    return Journal([part.name for part in parts.paths], list(parts.sizes), sha256)


def _check_files(parts: Parts, output: Path) -> None:
    """Nobody else may lose bytes by this."""
    for path in parts.paths:
        check_exclusive(path, _COPY)
        _check_device(path, output)


def _check_device(path: Path, output: Path) -> None:
    if path.stat().st_dev != output.parent.stat().st_dev:
        raise InputError(f"{path} is not on the same file system as {output}", _COPY)


def _finish(name: PartName, whole: Path, path: Path, force: bool, begun: Journal | None) -> Path:
    """Do what is left to do; `begun`: what was just found by reading all parts."""
    record, growing, folder = journal_path(whole), growing_path(whole), whole.parent
    journal = Journal.load(record, name)
    first, *rest = [folder / part for part in journal.parts]
    sums = sha256_lists.read(sha256_lists.path_beside(whole))
    _check_all_named(name, folder, journal, sums)
    grows = os.path.lexists(growing)
    if grows or os.path.lexists(first):
        tip = f"If the parts are whole, remove {record}; else put back what was there."
        if grows:
            tip = f"Put back what was there; if all parts are, remove {growing} and {record}."
            if os.path.lexists(first):
                raise InputError(f"both {growing} and {first} are there", tip)
        published = grows and path.exists() and path.samefile(growing) and not path.is_symlink()
        if not published:
            check_path(path, force, [])
        _check_rest(rest, path, tip)
        grown = growing if grows else first
        check_exclusive(grown, tip, names=1 + published)
        _check_device(grown, path)
        if journal != begun:
            if not grows:
                if _checked(find(first)) != journal:
                    raise InputError(f"{record} is about other parts than those here", tip)
            else:
                ends = prove([grown, *rest], journal, whole.name, sums, tip)
                if not ends and not all(part in sums for part in journal.parts):
                    raise InputError(f"{record} names parts that are not all of a bundle", tip)
        if not grows:
            first.rename(growing)
            sync_folder(folder)
        _append(growing, rest, journal)
        if not published:
            publish(growing, path, force)
        growing.unlink(missing_ok=True)
        sync_folder(folder)
    else:
        _check_joined(whole, path, journal)
    _clean_up(whole, path, journal)
    return path


def _check_all_named(name: PartName, folder: Path, journal: Journal, listed: Iterable[str]) -> None:
    """A journal of the first parts only would end the file in the middle."""
    more = {path.name for path in siblings(folder, name).values()}
    more |= {other for other in listed if name.is_sibling(other)}
    if beyond := sorted(more - set(journal.parts)):
        record = journal_path(folder / name.whole)
        raise InputError(
            f"{record} does not name {beyond[0]}, which the list of hashes or the folder has",
            f"If the parts are whole, remove {record}; else put back what was there.",
        )


def _check_rest(rest: list[Path], path: Path, tip: str) -> None:
    for part in rest:
        if not os.path.lexists(part):
            raise InputError(
                f"{part} is missing, which was to be joined next", "Put the part there again."
            )
        check_exclusive(part, tip)
        _check_device(part, path)


def _check_joined(whole: Path, path: Path, journal: Journal) -> None:
    """The joined file must be there if neither the growing file nor the first part is."""
    growing, size = growing_path(whole), sum(journal.sizes)
    if path.is_symlink() or not path.is_file() or path.stat().st_size != size:
        raise InputError(
            f"{growing} is gone, which held what was joined so far",
            "Put it back; or if the whole has its name already, give that with `-o`.",
        )
    tip = f"Put {growing} back; or if it has no parts, remove {journal_path(whole)}."
    prove([path], Journal([path.name], [size], journal.sha256), path.name, {}, tip)


def _append(growing: Path, rest: list[Path], journal: Journal) -> None:
    offsets = accumulate(journal.sizes)
    total = sum(journal.sizes[1:])
    with (
        open(growing, "r+b", buffering=0, opener=no_follow) as file,
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
