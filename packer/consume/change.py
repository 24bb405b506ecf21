"""Turns a GGUF itself into the bundle: its bytes are read once and never written.

1. The weights are hashed; so far nothing has changed.
2. An undo file says that a change begins (packer/edit/undo.py).
3. The file system inserts room in front of the weights. The front goes there, the tail behind them.
4. When all is on the disk, the file gets the bundle's name in one step, and the undo file goes.

Interrupted before the new name, the file is a GGUF again when the undo file is used; afterwards the
bundle is complete. The command itself, run again, does what is left to do in either case.
"""

from __future__ import annotations

import filecmp
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from packer.bundle import ALIGNMENT
from packer.consume.model import COPY, check_file, unsupported
from packer.copy import Nowhere, read_ahead
from packer.digest import Digest
from packer.disk.fallocate import UNSUPPORTED
from packer.disk.renames import rename_new
from packer.edit.in_place import InPlace, check_directory
from packer.edit.in_use import refuse_used
from packer.edit.moves import Move, make_move
from packer.edit.opened import Held
from packer.edit.undo import Change, Undo, take_back
from packer.output import OutputFile, create, make_executable, publish, sync_folder
from packer.output_checks import check_path, check_space, exists_already
from packer.pack import BundlePlan, pack
from packer.progress import Advance
from packer.temporary_files import refuse_folder, temporary_files
from runtime.errors import InputError
from runtime.unfinished import undo_path


def consume(
    model: Held,
    plans: Mapping[Path, BundlePlan],
    *,
    force: bool,
    part_size: int | None,
    inputs: Sequence[Path],
    advance: Advance,
) -> None:
    """Make the bundle of the model, and other files that it needs beside it.

    Args:
        plans: by the path of the file to make, the bundle's first; the model is its first weights.
        force: replace files at these paths.
        part_size: bytes above which a bundle is to become parts; None: never.
        inputs: all files that are read.
        advance: told about bytes of weights.

    Raises:
        InputError, OSError: it failed; the model is as it was.
    """
    (output, plan), *others = plans.items()
    if part_size is not None and plan.size_limit > part_size:
        raise InputError(
            f"{output} would become parts of {part_size:,} bytes, which takes a copy",
            "Add `--no-split`; `llamapack split` makes parts of the bundle then.",
        )
    name = next(iter(plan.weights))
    move = Move(0, _length_of_head(plan, name))
    check_path(output, force, inputs)
    refuse_folder(undo_path(output))
    for path, _ in others:
        # Whether it is what an interrupted attempt left is seen when it is made.
        check_path(path, force or model.recovered, inputs)
    check_file(model, output, inputs, move)
    size = os.fstat(model.file.fileno()).st_size
    check_space(model.path, sum(one.size_limit for one in plans.values()) - size)
    digest = _hashed(model, size, advance)
    with ExitStack() as stack:
        publications = [
            stack.enter_context(_made_beside(path, one, force=force)) for path, one in others
        ]
        try:
            undo = Undo(model.path, model.file, Change(size, [], move))
            _insert(model, move)
            undo.moved()
            destination = InPlace(model.file)
            records = pack(plan, destination, advance, present={name: digest})
            destination.end()
            check_directory(model.file, [record.name for record in records])
            os.fsync(model.file.fileno())
            for publication in publications:
                publication()
            _rename(model.path, output, force)
        except BaseException:
            if model.path.exists():  # else it has its new name
                take_back(model.path, model.file)
                raise
    make_executable(output)
    undo_path(output).unlink(missing_ok=True)  # of what was replaced
    sync_folder(output.parent)
    undo.discard()


def _length_of_head(plan: BundlePlan, name: str) -> int:
    """Bytes in front of the data of the first weights."""
    archive = plan.head.write(Nowhere(), plan.epoch)
    content = Digest(plan.weights[name].size, 0, "")
    return archive.add_in_place(name, content, alignment=ALIGNMENT).data_offset


def _hashed(model: Held, size: int, advance: Advance) -> Digest:
    """The digest of the model, which nobody uses from now on."""
    before = os.fstat(model.file.fileno())
    model.file.seek(0)
    digest = read_ahead(model.file, size, str(model.path), lambda _: None, advance)
    refuse_used(model.file, model.path, COPY)
    after = os.fstat(model.file.fileno())
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise InputError(f"{model.path} was changed while it was read", "Run the command again.")
    return digest


def _insert(model: Held, move: Move) -> None:
    try:
        make_move(model.file, move)
    except OSError as problem:
        if problem.errno in UNSUPPORTED:
            raise unsupported(model.path) from None
        raise


@contextmanager
def _made_beside(path: Path, plan: BundlePlan, *, force: bool) -> Iterator[Callable[[], None]]:
    """Make another file of the packing; what is yielded gives it its name.

    A file that is there already may stay if it has the same bytes. On any exception the new one is
    removed.
    """
    with temporary_files(path) as new:
        temporary = new()

        def publication() -> None:
            try:
                publish(temporary, path, force)
            except InputError:
                if not path.is_file() or not filecmp.cmp(temporary, path, shallow=False):
                    raise

        made = False
        try:
            with create(temporary) as file:
                pack(plan, OutputFile(file), lambda _: None)
                os.fsync(file.fileno())
            made = True
            yield publication
        except BaseException:
            # An interrupt may come between the new name and the end of what gave it.
            if made and not force and not temporary.exists():
                path.unlink()
            raise


def _rename(path: Path, output: Path, force: bool) -> None:
    if force:
        path.replace(output)
        return
    try:
        rename_new(path, output)
    except FileExistsError:
        raise exists_already(output) from None
