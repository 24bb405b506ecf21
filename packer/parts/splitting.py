"""Writes a file in parts, and a list of their hashes: all of them, or none."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from packer.io.console import progress
from packer.io.copy import copy
from packer.io.output import check_limit, check_path, check_space, create, publish, terminable
from packer.io.sources import FileSource
from packer.io.temporary_files import temporary_files
from packer.parts.output import Part, PartsOutput
from packer.parts.sha256_lists import path_beside, published
from runtime.errors import InputError
from runtime.formats.parts import of_whole, siblings
from runtime.formats.unfinished import refuse_unfinished

LIMIT = 1000  # parts


@dataclass
class PartFiles:
    """An output that may become several files."""

    output: PartsOutput
    paths: list[Path] = field(default_factory=list)
    """What was published: the parts and their list of hashes, or the one file."""


@contextmanager
def part_files(
    whole: Path,
    size: int,
    *,
    force: bool = False,
    inputs: Iterable[Path] = (),
    needed: int = 0,
    surely: int = 0,
) -> Iterator[PartFiles]:
    """Write the file `whole` as parts of `size` bytes, which get their names once the body is done.
    If it fits into one part, it is published as `whole`. Otherwise this behaves as `output_file`.

    `needed` and `surely`: bytes that all parts take at most, and at least. Raises InputError if a
    file must not be written, the disk has too little space, or there would be too many parts.
    """
    if needed > size * LIMIT:
        raise InputError(
            f"{whole} would become {-(-needed // size):,} parts of {size:,} bytes",
            f"Choose parts of {-(-needed // LIMIT):,} bytes or more.",
        )
    first = whole.with_name(of_whole(whole).other(0))
    old = siblings(whole.parent, of_whole(whole))
    certain = [whole] if surely <= size else []
    for path in {*certain, first, path_beside(whole), *old.values()}:
        check_path(path, force, inputs)
    check_space(first, needed)
    with terminable(), temporary_files(whole) as new_name:

        def new() -> tuple[Path, io.FileIO]:
            name = new_name()
            file = create(name)
            if not output.parts:
                check_limit(file, first, min(needed, size))
            return name, file

        with PartsOutput(new, size) as output:
            files = PartFiles(output)
            yield files
            output.finish()
            if len(output.parts) == 1:
                publish(output.parts[0].path, whole, force)
                files.paths.append(whole)
            else:
                files.paths += _publish_parts(whole, output.parts, force)


def _publish_parts(whole: Path, parts: list[Part], force: bool) -> list[Path]:
    """Parts from the last to the first: where the first is, the others are."""
    name = of_whole(whole)
    paths = [whole.with_name(name.other(number)) for number in range(len(parts))]
    with progress("hashing", sum(part.stale for part in parts)) as advance:
        sums = {path.name: part.sha256(advance) for path, part in zip(paths, parts, strict=True)}
    done: list[Path] = []
    try:
        done.append(published(path_beside(whole), sums, force=force))
        for part, path in reversed(list(zip(parts, paths, strict=True))):
            part.path.chmod(part.path.stat().st_mode & 0o666)  # a part is not a program
            publish(part.path, path, force)
            done.append(path)
    except BaseException:
        for path in [] if force else done:
            with suppress(OSError):
                path.unlink()
        raise
    for number, path in siblings(whole.parent, name).items():
        if number >= len(parts):
            path.unlink()  # of an earlier, longer file, which `force` replaces
    return [*paths, path_beside(whole)]


def split(path: Path, output: Path, size: int, *, force: bool) -> list[Path]:
    """Write the parts of the file at `path`, which stays; the paths of the parts and of their list
    of hashes, named after `output`. Raises InputError if it cannot be read, is half changed, or the
    parts cannot be written."""
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
