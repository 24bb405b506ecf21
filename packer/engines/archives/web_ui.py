"""The web UI in the form that bundles hold it: once, for all their engines."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from packer.engines.archives.deflated import Packed, deflated
from packer.io.sources import FileSource
from packer.zip.writer import ZipWriter
from runtime.formats.bundle import WEB_UI


@contextmanager
def packed_web_ui(folder: Path) -> Iterator[Packed]:
    """The web UI whose pages are in `folder`, which is named by the key it was built under."""

    def write(archive: ZipWriter) -> None:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            source = FileSource.of(path)
            name = f"{WEB_UI}{path.relative_to(folder).as_posix()}"
            with source.open() as file:
                # Deflated whatever it is: the engine hands it to browsers as gzip.
                archive.add_deflated(name, file, source.size)

    with deflated("web-ui", folder.name, write) as archive:
        yield Packed(archive)
