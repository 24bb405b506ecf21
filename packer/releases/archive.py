"""Archives of pieces: ZIP files with the piece's files under their names in its folder."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from packer.bundle.extraction import chosen, extract
from packer.engines import layout, sums
from packer.engines.deflated import Packed, add, deflated
from packer.engines.layout import locked
from packer.io.output import output_file
from packer.io.sources import FileSource
from packer.releases.index import Archive
from packer.releases.pieces import Piece
from packer.zip.writer import ZipWriter
from runtime.errors import InputError
from runtime.formats.bundle import Bundle
from runtime.formats.sha256_file import file_sha256


def write(piece: Piece, folder: Path) -> Archive:
    """Write the archive of a piece into `folder`; two writers write the same bytes.

    Raises:
        InputError: it exists already, or the disk is full.
    """
    path = folder / f"llamapack-{piece.name}.zip"
    with output_file(path, mode=0o644) as output, ExitStack() as stack:
        packed = stack.enter_context(piece.packed()) if piece.packed else None
        ready = {m.name: (m, content) for m, content in packed.members()} if packed else {}
        archive = ZipWriter(output, 0)
        for file in piece.paths:
            name = file.relative_to(piece.folder).as_posix()
            if packed and f"{piece.prefix}{name}" in ready:
                add(archive, packed, *ready[f"{piece.prefix}{name}"], name=name)
                continue
            source = FileSource.of(file)
            mode = 0o755 if file.stat().st_mode & 0o100 else 0o644
            with source.open() as content:
                archive.add_deflated(name, content, source.size, mode=mode)
        archive.close()
    return Archive(path.name, piece.id, file_sha256(path), path.stat().st_size)


def check(path: Path, expected: Archive) -> None:
    """Compare a file with what the index says of it.

    Raises:
        InputError: it is another one.
    """
    actual = file_sha256(path)
    if actual != expected.sha256:
        raise InputError(
            f"{path} differs from the released file: expected SHA-256 {expected.sha256}, got "
            f"{actual}",
            "Download it again. If the error stays, do not use it.",
        )


def unpack(path: Path, piece: Piece) -> None:
    """Put the files of an archive that was checked into the build cache, all at once.

    Raises:
        InputError: it is damaged, or lacks a file.
    """
    with (
        locked(layout.lock(piece.lock or piece.name)),
        layout.unfinished(piece.folder.parent) as scratch,
        Bundle.open(path) as bundle,
    ):
        ready = scratch / "ready"
        members = chosen(bundle, piece.files)
        extract(bundle, members, ready, force=False, advance=lambda _: None)
        if not piece.files:
            if not piece.here:
                ready.rename(piece.folder)
                if piece.kept_as:
                    _keep_deflated(bundle, piece)
            return
        piece.folder.mkdir(exist_ok=True)
        for name in piece.files:
            (ready / name).replace(piece.folder / name)


def _keep_deflated(bundle: Bundle, piece: Piece) -> None:
    """Spare the first `pack` the deflating: it finds the bytes that the release was packed with."""
    listing = sums.read(piece.folder)
    packed = Packed(bundle, listing.sums)
    members = {member.name: (member, content) for member, content in packed.members()}

    def write(archive: ZipWriter) -> None:
        for name in (*sorted(listing.sums), sums.NAME):
            add(archive, packed, *members[name], name=f"{piece.prefix}{name}")

    with deflated(piece.kept_as, listing.id, write):
        pass
