"""Cuts a file into parts in one pass."""

from __future__ import annotations

from pathlib import Path

from packer.io.copy import copy
from packer.io.progress import progress
from packer.io.sources import FileSource
from packer.parts.files import part_files
from runtime.formats.undo_file import refuse_unfinished


def split(path: Path, output: Path, size: int, *, force: bool) -> list[Path]:
    """Write the parts of the file at `path`, which stays.

    Args:
        output: what the names of the parts begin with.
        size: bytes of every part but the last.

    Returns:
        The parts, and the list of their hashes.

    Raises:
        InputError: it cannot be read, a change of it was interrupted, or the parts cannot be
            written.
    """
    source = FileSource.of(path)
    refuse_unfinished(path)  # the parts of a half-changed file would have hashes that agree
    output_in_parts = part_files(
        output, size, force=force, inputs=[path], needed=source.size, surely=source.size
    )
    with (
        output_in_parts as files,
        source.open() as file,
        progress("splitting", source.size) as advance,
    ):
        pieces = None if source.sparse else files.output.take(file, source.size)
        if pieces is None:
            copy(file, source.size, str(path), files.output, advance=advance, sparse=source.sparse)
        for piece in pieces or ():
            advance(len(piece))
    return files.paths
