"""`pack --consume` turns a GGUF itself into the bundle: its bytes are read once, never written.

1. The weights are hashed; so far nothing has changed.
2. An undo file states that a change begins (packer/edit/undo.py).
3. The file system inserts room before the weights. The front is written there, the tail after them.
4. When all is on the disk, the file gets the bundle's name in one step, and the undo file is
   removed.

Interrupted before the new name, the file becomes a GGUF again when the undo file is used; after it,
the bundle is complete. Running the command again completes the work in either case.
"""

from __future__ import annotations

import filecmp
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from packer.bundle.contents import ALIGNMENT
from packer.bundle.pack import BundlePlan, pack
from packer.edit.in_place import InPlace, check_directory
from packer.edit.moves import Move, make_move, movable
from packer.edit.opened import Held, allow_use, held, refuse_used
from packer.edit.undo import Change, Undo, made_of, take_back
from packer.io.console import Advance, note
from packer.io.copy import Nowhere, read_ahead
from packer.io.digest import Digest
from packer.io.file_system import UNSUPPORTED, block_size, insert_range, rename_new
from packer.io.output import (
    OutputFile,
    check_exclusive,
    check_path,
    check_space,
    create,
    exists_already,
    make_executable,
    publish,
    sync_folder,
)
from packer.io.sources import FileWeights
from packer.io.temporary_files import refuse_folder, temporary_files
from packer.weights.locator import Locator
from runtime.errors import InputError, shell_word
from runtime.formats.gguf_header import read_header_of
from runtime.formats.model_facts import shard
from runtime.formats.undo_file import WITNESS, undo_path
from runtime.hub.words import parsed

COPY = "pack without `--consume`"
_TIP = "Pack without `--consume`, which makes a copy."


def own_file(words: Sequence[str]) -> FileWeights:
    """The one GGUF file that `words` name. Raises InputError if it is not one file on disk."""
    if len(words) != 1:
        raise InputError(f"one file can be consumed, not {len(words)}", _TIP)
    with Locator(offline=True, quiet=True) as locator:
        if parsed(words[0], locator.settings.endpoint):
            raise InputError(
                f"{words[0]} is fetched into a cache, whose files are not to be changed",
                f"Run `llamapack fetch {shell_word(words[0])} -o .`, and consume what it fetches.",
            )
        weights = locator.locate(words[0]).weights
    if not isinstance(weights, FileWeights):
        raise InputError(f"{words[0]} is an archive, which cannot become a bundle", _TIP)
    return weights


def finished(path: Path, output: Path) -> bool:
    """Complete an interrupted command whose file has become `output` already; whether it has.
    Raises InputError if the file was changed and is in neither place."""
    undo = undo_path(path)
    if path.exists() or not undo.exists():
        return False
    if output.is_file():
        with output.open("rb", buffering=0) as file:
            is_complete = made_of(path, file)
        if is_complete:
            make_executable(output)
            undo.unlink()
            sync_folder(undo.parent)
            note(f"{path} is {output} already")
            return True
    raise InputError(
        f"{path} is gone, which was being made a bundle",
        f"Put it back. If its bundle has another name now, remove {undo}.",
    )


@contextmanager
def consumable(path: Path) -> Iterator[Held]:
    """Hold a GGUF that can be consumed; an interrupted attempt is taken back first. Raises
    InputError if it cannot be."""
    if path.is_file():
        check_exclusive(path, _TIP)
        if path.stat().st_size < WITNESS:
            raise InputError(f"{path} has less than {WITNESS} bytes", _TIP)
    with held(path, alone=True, otherwise=COPY) as model:
        allow_use(model.file)
        own = shard(read_header_of(path))
        if own and own.count > 1:
            raise InputError(f"{path} is one of {own.count} shards, not the whole model", _TIP)
        yield model


def _check_file(model: Held, output: Path, inputs: Sequence[Path], move: Move) -> None:
    """Refuse, before the weights are hashed, a file that cannot become a bundle."""
    if sum(path.samefile(model.path) for path in inputs) > 1:
        raise InputError(f"{model.path} is packed under two names", _TIP)
    if output.parent.stat().st_dev != model.path.stat().st_dev:
        raise InputError(f"{output} is not on the same file system as {model.path}", _TIP)
    if not _can_insert(model.path.parent):
        raise _unsupported(model.path)
    if not movable(model.file, move):
        raise InputError(f"{model.path} has holes, or its file system has large blocks", _TIP)


def _can_insert(folder: Path) -> bool:
    with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
        block = block_size(file.fileno())
        file.write(bytes(block))
        try:
            insert_range(file.fileno(), 0, block)
        except OSError as problem:
            if problem.errno in UNSUPPORTED:
                return False
            raise
    return True


def _unsupported(path: Path) -> InputError:
    """The error for a file system without such insertions."""
    return InputError(
        f"the file system of {path} cannot insert bytes into a file, as ext4 and xfs on Linux can",
        _TIP,
    )


def consume(
    model: Held,
    plans: Mapping[Path, BundlePlan],
    *,
    force: bool,
    part_size: int | None,
    inputs: Sequence[Path],
    advance: Advance,
) -> None:
    """Turn the model into the bundle, the first of `plans`, and make the other files beside it.

    `part_size`: bytes above which a bundle would become parts; None: never. `inputs`: all files
    that are read. Raises InputError or OSError if it failed; the model is then as it was.
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
    _check_file(model, output, inputs, move)
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
    undo_path(output).unlink(missing_ok=True)  # of a file that was replaced
    sync_folder(output.parent)
    undo.discard()


def _length_of_head(plan: BundlePlan, name: str) -> int:
    """Bytes in front of the data of the first weights."""
    archive = plan.head.write(Nowhere(), plan.epoch)
    content = Digest(plan.weights[name].size, 0, "")
    return archive.add_in_place(name, content, alignment=ALIGNMENT).data_offset


def _hashed(model: Held, size: int, advance: Advance) -> Digest:
    """The digest of the model, which is not used by others from now on."""
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
            raise _unsupported(model.path) from None
        raise


@contextmanager
def _made_beside(path: Path, plan: BundlePlan, *, force: bool) -> Iterator[Callable[[], None]]:
    """Write another file of the packing under a temporary name, and yield what publishes it. An
    existing file may stay if it has the same bytes. On any exception the new file is removed."""
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
            # An interrupt may come after the new name was given, but before `publish` returned.
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
