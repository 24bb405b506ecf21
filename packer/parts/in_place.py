"""Joins parts without a second copy: the first one becomes the file, the others move into it.

1. Every part is checked; so far nothing has changed. Moving reads them once more: what is moved
   leaves its part, so one read would move bytes that were not checked, or need space for a copy.
2. The journal is written, and the first part renamed to `NAME.joining`.
3. Part after part is moved into it and stays as an empty file. A part is moved from its end on:
   its last bytes are copied to their place, brought to the disk, and only then cut off. So a byte
   that a part has lost is in the growing file, whenever this ends. The length of the part says how
   far it came, and doing it again goes on from there.
4. `NAME.joining` gets its final name; then the list of hashes is changed, and the empty parts and
   the journal are removed.

Each step can be done again, so after an interruption the command goes on where it was. The files it
finds then may come from a stranger, so all bytes are compared with the journal's hash first.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from io import FileIO
from itertools import accumulate
from pathlib import Path

from packer.engines.layout import locked
from packer.io.console import Advance, note, progress
from packer.io.copy import Nowhere
from packer.io.file_system import copied
from packer.io.output import (
    check_exclusive,
    check_path,
    make_executable,
    no_follow,
    publish,
    sync_folder,
    terminable,
)
from packer.parts import sha256_lists
from packer.parts.joining import check, check_first
from packer.parts.journal import Journal, growing_path, journal_path, prove
from runtime.errors import InputError, full_disk_named, shell_word
from runtime.formats.parts import PartName, Parts, find, of_whole, part_name, siblings
from runtime.locks import Busy

_COPY = "Join without `--in-place`."


def unfinished(whole: Path) -> bool:
    """Whether the parts of `whole` are partly joined, or a journal says so."""
    return os.path.lexists(journal_path(whole))


def join_in_place(first: Path, whole: Path, output: Path | None, *, force: bool) -> Path:
    """Turn the parts into their file, or continue with that; the path of the file.

    `whole` is the path of the file by the name of `first`, a part; `output` another one on the same
    file system. Raises InputError if a part is missing or damaged (then nothing was changed), the
    file must not be written, or it was interrupted and can go on.
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
        with locked(record, wait=False, make=False), terminable(), full_disk_named(path):
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
        shell_words = shell_word(first) + (f" -o {shell_word(output)}" if output else "")
        raise InputError(
            f"interrupted; {whole} is joined in part, and nothing is lost",
            f"Run `llamapack join --in-place {shell_words}` again: it goes on from here.",
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
    """Raises InputError for a part that others use, or on another file system."""
    for path in parts.paths:
        check_exclusive(path, _COPY)
        _check_device(path, output)


def _check_device(path: Path, output: Path) -> None:
    if path.stat().st_dev != output.parent.stat().st_dev:
        raise InputError(f"{path} is not on the same file system as {output}", _COPY)


def _finish(name: PartName, whole: Path, path: Path, force: bool, begun: Journal | None) -> Path:
    """Do the remaining steps; `begun`: the journal if this process has just checked all parts."""
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
    """Without the growing file and the first part, the joined file must exist."""
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


_LARGEST, _SMALLEST = 256 << 20, 64 << 10  # bytes moved at once; multiples of a file system's block
_PIECES = 4  # moves of one source, if they are not larger; each waits for the disk
_BLOCK = 1 << 20  # bytes read at once where the kernel does not copy


def move_tail(source: Path, size: int, target: FileIO, offset: int, advance: Advance) -> None:
    """Move the rest of `source`, which had `size` bytes at first, into `target`, where its first
    byte belongs at `offset`; `source` is then empty. Raises InputError if the files are not as an
    interrupted move leaves them."""
    with FileIO(source, "r+", opener=no_follow) as file:
        left, length = file.seek(0, 2), target.seek(0, 2)
        if left > size or (left < size and length < offset + size):
            raise InputError(
                f"{source} has {left:,} bytes instead of {size:,}, and the rest was not joined",
                "Put the part itself there again.",
            )
        if length < offset + size:
            target.truncate(offset + size)
        step = _step(source, size)
        while left:
            count = left % step or step
            left -= count
            _copy(file, left, target, offset + left, count)
            os.fsync(target.fileno())
            file.truncate(left)
            advance(count)


def _step(source: Path, size: int) -> int:
    """Bytes to move at once: few enough that they fit on a disk that is nearly full."""
    free = shutil.disk_usage(source.parent).free
    step = min(_LARGEST, size // _PIECES, free // 4)
    return max(step // _SMALLEST, 1) * _SMALLEST


def _copy(source: FileIO, start: int, target: FileIO, offset: int, count: int) -> None:
    # It shares blocks where the file system can, and where both offsets are on its blocks.
    done = copied(source.fileno(), start, target.fileno(), offset, count)
    source.seek(start + done)
    target.seek(offset + done)
    while done < count:
        data = memoryview(source.read(min(_BLOCK, count - done)))
        if not data:
            raise InputError("a part became shorter while it was read", "Run the command again.")
        done += len(data)
        while data:
            data = data[target.write(data) or 0 :]
