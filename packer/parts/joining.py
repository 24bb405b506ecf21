"""Joins parts into a new file; they stay."""

from __future__ import annotations

from pathlib import Path

from packer.io.output import output_file
from packer.io.progress import progress
from packer.parts import sha256_lists
from packer.parts.check import check, check_first
from runtime.formats.parts import Parts


def join(parts: Parts, output: Path, *, force: bool) -> None:
    """Write the file that `parts` are, in one pass, and add it to the list of hashes.

    Raises:
        InputError: a part is missing or damaged, or the file cannot be written.
    """
    sums = sha256_lists.read(sha256_lists.path_beside(parts.whole))
    sha256_lists.read(sha256_lists.path_beside(output))  # says early what it would say at the end
    check_first(parts, sums)
    with (
        output_file(output, force=force, inputs=parts.paths, needed=parts.size) as file,
        progress("joining", parts.size) as advance,
    ):
        sha256 = check(parts, sums, file, advance)
    sha256_lists.change(sha256_lists.path_beside(output), add={output.name: sha256})
