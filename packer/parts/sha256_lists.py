"""The list `NAME.sha256` beside a file or its parts, for `sha256sum -c` and for `join`.

It lists the files that exist: the parts; after joining also the whole file, or only that if the
parts are gone. So `sha256sum -c` succeeds at every stage.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from packer.io.output import output_file
from runtime.errors import InputError
from runtime.formats import sha256_file
from runtime.formats.user_text import decoded

_LIMIT = 16 << 20  # bytes


def path_beside(whole: Path) -> Path:
    """Where the list of `whole` and its parts belongs."""
    return whole.with_name(f"{whole.name}.sha256")


def read(path: Path) -> dict[str, str]:
    """SHA-256 by file name; empty if there is no list. Raises InputError if it is not one."""
    if not path.exists():
        return {}
    if not path.is_file() or path.stat().st_size > _LIMIT:
        raise _no_list(path)
    try:
        sums = sha256_file.parse(decoded(path.read_bytes(), "surrogateescape"))
    except UnicodeDecodeError:
        sums = {}
    if not sums:
        raise _no_list(path)
    return sums


def published(path: Path, sums: Mapping[str, str], *, force: bool) -> Path:
    """Write a list; its path. Raises InputError if it exists, and `force` is false."""
    with output_file(path, force=force, mode=0o644) as file:
        file.write(sha256_file.write(sums).encode(errors="surrogateescape"))
    return path


def change(path: Path, *, add: Mapping[str, str], remove: Iterable[str] = ()) -> None:
    """Add files to the list at `path` and remove others; all other lines stay."""
    before = read(path)
    gone = {*remove, *add}
    after = {name: sha256 for name, sha256 in before.items() if name not in gone} | dict(add)
    if after == before:
        return
    if after:
        published(path, after, force=True)
    else:
        path.unlink(missing_ok=True)


def _no_list(path: Path) -> InputError:
    return InputError(
        f"{path} is not a list of SHA-256",
        "Download it again, or move it away to continue without it.",
    )
