"""Archives whose members are copied into bundles as they are, each made once.

Deflating takes seconds, copying the result takes milliseconds. An archive is a ZIP whose members
have the names they have in a bundle; it is kept under all that its bytes depend on, together with
its own checksum.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from packer import __version__, build_cache
from packer.output import output_file
from packer.zip_writer import DEFLATE_LEVEL, ZipWriter
from runtime.bundle import Bundle


@contextmanager
def deflated(name: str, identity: str, write: Callable[[ZipWriter], None]) -> Iterator[Bundle]:
    """The archive of what `identity` stands for, open for reading; made by `write` if it is new.

    Args:
        name: how its file name begins.
        identity: of the contents.
    """
    settings = f"{name}-{identity}-{DEFLATE_LEVEL}-{zlib.ZLIB_RUNTIME_VERSION}-{__version__}"
    key = hashlib.sha256(settings.encode()).hexdigest()
    path = build_cache.root() / "deflated" / f"{name}-{key[:32]}.zip"
    if not _intact(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        _make(path, write)
    with Bundle.open(path) as archive:
        yield archive


def _make(path: Path, write: Callable[[ZipWriter], None]) -> None:
    with output_file(path, force=True, mode=0o644) as destination:
        archive = ZipWriter(destination, 0)
        write(archive)
        archive.close()
    with path.open("rb") as file:
        checksum = hashlib.file_digest(file, "sha256").hexdigest()
    with output_file(_checksum(path), force=True, mode=0o644) as destination:
        destination.write(f"{checksum}  {path.name}\n".encode())


def _checksum(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


def _intact(path: Path) -> bool:
    try:
        stated = _checksum(path).read_text(encoding="utf-8").split()[0]
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == stated
    except (OSError, ValueError, IndexError):
        return False
