"""The GGUF that is to become a bundle: whether it can, and what an earlier attempt has left."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from packer.console import note
from packer.disk.fallocate import UNSUPPORTED, block_size, insert_range
from packer.edit.in_use import allow_use
from packer.edit.moves import Move, movable
from packer.edit.opened import Held, held
from packer.edit.undo import made_of
from packer.inputs.locate import Locator
from packer.output import make_executable, sync_folder
from packer.ownership import check_exclusive
from packer.weights_file import FileWeights
from runtime.download.words import parsed
from runtime.errors import InputError
from runtime.gguf_header import read_header_of
from runtime.model_facts import shard
from runtime.undo_file import WITNESS
from runtime.unfinished import undo_path

COPY = "pack without `--consume`"
"""What to do instead."""

_TIP = "Pack without `--consume`, which makes a copy."


def own_file(words: Sequence[str]) -> FileWeights:
    """The GGUF file that `words`, the models to pack, name.

    Raises:
        InputError: it is not one file on disk.
    """
    if len(words) != 1:
        raise InputError(f"one file can be consumed, not {len(words)}", _TIP)
    with Locator(offline=True, quiet=True) as locator:
        if parsed(words[0], locator.settings.endpoint):
            raise InputError(
                f"{words[0]} is fetched into a cache, whose files are not to be changed",
                f"Run `llamapack fetch {words[0]} -o .`, and consume the file that it fetches.",
            )
        weights = locator.locate(words[0]).weights
    if not isinstance(weights, FileWeights):
        raise InputError(f"{words[0]} is an archive, which cannot become a bundle", _TIP)
    return weights


def finished(path: Path, output: Path) -> bool:
    """Do what is left to do if the file at `path` has become the bundle `output`; whether it has.

    Raises:
        InputError: it was changed, and is neither here nor there.
    """
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
    """Hold a GGUF that can be consumed; an interrupted attempt is taken back first.

    Raises:
        InputError: it cannot, and why.
    """
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


def check_file(model: Held, output: Path, inputs: Sequence[Path], move: Move) -> None:
    """Find out before the weights are hashed what would keep them from becoming a bundle.

    Raises:
        InputError: something would.
    """
    if sum(path.samefile(model.path) for path in inputs) > 1:
        raise InputError(f"{model.path} is packed under two names", _TIP)
    if output.parent.stat().st_dev != model.path.stat().st_dev:
        raise InputError(f"{output} is not on the same file system as {model.path}", _TIP)
    if not _can_insert(model.path.parent):
        raise unsupported(model.path)
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


def unsupported(path: Path) -> InputError:
    """The error for a file system without such insertions."""
    return InputError(
        f"the file system of {path} cannot insert bytes into a file, as ext4 and xfs on Linux can",
        _TIP,
    )
