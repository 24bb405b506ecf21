"""Output files that are complete or absent, and checks whether a file may be written."""

from __future__ import annotations

import errno
import io
import mmap
import os
import shutil
import signal
import stat
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from packer.io.digest import Data
from packer.io.file_system import DirectWriter, copied, rename_new, shared
from packer.io.temporary_files import temporary_files
from runtime.errors import InputError
from runtime.formats.undo_file import undo_path

# Bytes per call. For larger ones the page cache looks for large free regions, which on a virtual
# machine the host must often provide first: 4 MiB took twice the processor time.
_WRITE = 128 << 10
_PIECE = 8 << 20  # bytes mapped at once


class OutputFile:
    """A growing file, implements `packer.io.copy.Destination`."""

    def __init__(self, file: io.FileIO, direct: DirectWriter | None = None) -> None:
        """Begin at byte 0 of `file`; `direct` is another way to write to it."""
        self._file = file
        self._direct = direct
        self._position = 0

    @property
    def position(self) -> int:
        return self._position

    def fileno(self) -> int:
        return self._file.fileno()

    def write(self, data: Data) -> None:
        view = memoryview(data)
        if self._direct and (done := self._direct.write(view, self._position)):
            self.skip(done)
            view = view[done:]
        while view:
            done = self._file.write(view[:_WRITE]) or 0
            self._position += done
            view = view[done:]

    def skip(self, count: int) -> None:
        self._position += count
        self._file.seek(self._position)

    def patch(self, offset: int, data: Data) -> None:
        self._file.seek(offset)
        if self._file.write(data) != len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._file.seek(self._position)

    def end(self) -> None:
        """End the file at the present position, which `skip` alone does not do."""
        self._file.truncate(self._position)

    def take(self, source: BinaryIO, count: int, start: int | None = None) -> Iterator[Data] | None:
        """Let the kernel append `count` bytes of `source` from byte `start` (or its position) on:
        by sharing blocks where the file system can, else by copying, unless there is a direct way
        to write. Yields this file, mapped."""
        if sys.platform != "linux" or not count:
            return None
        try:
            start = source.tell() if start is None else start
            if os.fstat(source.fileno()).st_size < start + count:
                return None
            first = min(count, _PIECE)
            if shared(source.fileno(), start, self.fileno(), self._position, count):
                done = count
            elif self._direct and self._direct.works:
                return None
            else:
                done = self._copy(source, start, first, 0)
        except (OSError, io.UnsupportedOperation):
            return (
                None  # Not on these file systems. A full disk shows again when bytes are written.
            )
        return self._taken(source, start, count, done) if done else None

    def _copy(self, source: BinaryIO, start: int, count: int, done: int) -> int:
        """Copy bytes of `source` from `start` on to `done` bytes after the present position."""
        target = self._position + done
        return copied(source.fileno(), start, self.fileno(), target, count)

    def _taken(self, source: BinaryIO, start: int, count: int, done: int) -> Iterator[Data]:
        for piece in range(0, count, _PIECE):
            length = min(_PIECE, count - piece)
            if done < piece + length:
                done += self._copy(source, start + done, piece + length - done, done)
            if done < piece + length:
                raise InputError("an input became shorter while llamapack read it", "Try again.")
            # A mapping begins where a page does, or before the first byte that is wanted.
            before = (self._position + piece) % mmap.ALLOCATIONGRANULARITY
            mapped = mmap.mmap(
                self._file.fileno(),
                before + length,
                offset=self._position + piece - before,
                access=mmap.ACCESS_READ,
            )
            yield memoryview(mapped)[before:] if before else mapped
        # The disk has its turn while the last pieces are still being hashed.
        os.fsync(self._file.fileno())
        self.skip(count)


@contextmanager
def made_file(
    path: Path, *, force: bool = False, inputs: Iterable[Path] = (), needed: int = 0
) -> Iterator[Path]:
    """A temporary name for a program to write to, which becomes `path` when the body is done. The
    arguments are those of `output_file`."""
    check_path(path, force, inputs)
    check_space(path, needed)
    with terminable(), temporary_files(path) as new:
        temporary = new()
        yield temporary
        with temporary.open("r+b") as file:
            os.fsync(file.fileno())
        publish(temporary, path, force)


@contextmanager
def output_file(
    path: Path,
    *,
    force: bool = False,
    inputs: Iterable[Path] = (),
    needed: int = 0,
    mode: int = 0o755,
) -> Iterator[OutputFile]:
    """Write a file that gets its name `path` once the body is done. Until then it has a temporary
    name in the same directory; on any exception, Ctrl-C or SIGTERM it is removed, and an earlier
    file stays.

    Args:
        force: replace a file that is at `path`.
        inputs: files that `path` must not be.
        needed: bytes that the file will take at most, checked before anything is written.
        mode: permissions, less the umask.

    Raises InputError if `path` cannot or must not be written, or its disk has too little space.
    """
    placed = made_file(path, force=force, inputs=inputs, needed=needed)
    with placed as temporary, create(temporary, mode) as file:
        check_limit(file, path, needed)
        with DirectWriter(file) as direct:
            yield OutputFile(file, direct)


def create(path: Path, mode: int = 0o755) -> io.FileIO:
    """A new file for reading and writing; `mode`, less the umask, are its permissions."""
    # The mode goes through the umask here; a later chmod would not.
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | _BINARY, mode)
    file = os.fdopen(descriptor, "r+b", buffering=0)
    assert isinstance(file, io.FileIO)
    return file


_BINARY: int = getattr(os, "O_BINARY", 0)  # Windows


def publish(temporary: Path, path: Path, force: bool) -> None:
    """Give a finished file its name. Raises InputError if the name has been taken and `force` is
    false."""
    if force:
        temporary.replace(path)
    else:
        try:
            rename_new(temporary, path)
        except FileExistsError:
            raise exists_already(path) from None
    # If a change of the file that was here was interrupted, that is of no matter any more.
    undo_path(path).unlink(missing_ok=True)
    sync_folder(path.parent)


def make_executable(path: Path) -> None:
    """Let everyone who may read a file run it."""
    mode = path.stat().st_mode & 0o666
    path.chmod(mode | (mode & 0o444) >> 2)


def sync_folder(folder: Path) -> None:
    """Make the present names in `folder` survive a loss of power."""
    if sys.platform != "win32":
        descriptor = os.open(folder, os.O_RDONLY)
        with suppress(OSError):  # not every file system can, and the file itself is safe
            os.fsync(descriptor)
        os.close(descriptor)


@contextmanager
def terminable() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end the body as Ctrl-C does, so that it cleans up."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: Any) -> None:
        raise KeyboardInterrupt

    signals = [signal.SIGTERM] + ([signal.SIGHUP] if sys.platform != "win32" else [])
    # A signal that the parent ignores (nohup) stays ignored.
    previous = {s: signal.getsignal(s) for s in signals if signal.getsignal(s) != signal.SIG_IGN}
    for number in previous:
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


_FAT32_LIMIT = (1 << 32) - 1  # bytes


def check_path(path: Path, force: bool, inputs: Iterable[Path]) -> None:
    """Raises InputError if the file must not be written, as for `output_file`."""
    if path.is_dir():
        raise InputError(f"{path} is a directory", "Name a file with `-o NAME.llamafile`.")
    if not path.parent.is_dir():
        raise InputError(
            f"{path.parent} is not a directory", f"Make it with `mkdir -p {path.parent}`."
        )
    if not path.exists():
        if path.is_symlink() and not force:  # to nowhere
            raise exists_already(path)
        return
    for given in inputs:
        if given.exists() and path.samefile(given):
            raise InputError(f"{path} is the output and an input", "Choose another name with `-o`.")
    if not path.is_file():
        raise InputError(f"{path} is not a regular file", "Choose another name with `-o`.")
    if not force:
        raise exists_already(path)


def exists_already(path: Path) -> InputError:
    """The error for an output that must not be replaced."""
    return InputError(f"{path} exists already", "Add `--force` to replace it, or choose `-o`.")


def check_space(path: Path, needed: int) -> None:
    """Raises InputError if the disk of `path` has fewer than `needed` bytes."""
    free = shutil.disk_usage(path.parent).free
    if free < needed:
        raise InputError(
            f"no space for {path}: it needs {needed:,} bytes, its disk has {free:,}",
            "Free some space, or write to another disk with `-o`.",
        )


def check_limit(file: io.FileIO, path: Path, needed: int) -> None:
    """Raises InputError if FAT32 or `ulimit -f` does not allow a file of `needed` bytes: before
    gigabytes are written."""
    if needed > _FAT32_LIMIT:
        try:
            file.truncate(needed)
        except OSError as problem:
            if problem.errno != errno.EFBIG:
                return  # Some file systems cannot do this; then writing will show.
            raise InputError(
                f"{path} would have {needed:,} bytes, more than its file system or `ulimit -f` "
                "allows",
                "Write to another disk with `-o` (FAT32 ends at 4 GiB), or raise `ulimit -f`.",
            ) from None
        file.truncate(0)


def check_exclusive(path: Path, tip: str, *, names: int = 1) -> None:
    """Raises InputError, with this tip, for a file that is a symlink, has more hard links than
    `names`, belongs to another user, or is not regular."""
    facts = path.lstat()
    if stat.S_ISLNK(facts.st_mode):
        what = "is a symbolic link, and its file may belong to another user"
    elif not stat.S_ISREG(facts.st_mode):
        what = "is not a regular file"
    elif facts.st_nlink > names:
        what = "has a second name (hard link), under which it would change too"
    elif not os.access(path, os.W_OK) or getattr(os, "geteuid", int)() not in (0, facts.st_uid):
        what = "belongs to another user"
    else:
        return
    raise InputError(f"{path} {what}", tip)


def no_follow(path: str | Path, flags: int) -> int:
    """An opener, as `open` takes it, that fails where `path` itself is a symlink."""
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), 0o666)
