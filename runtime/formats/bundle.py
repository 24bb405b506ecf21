"""Opens a bundle for reading: members, manifest, default arguments, engines, weights.

Layout: docs/bundle-format.md. Any ZIP can be opened; `manifest` shows whether llamapack made it.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

from runtime.errors import InputError, shell_word
from runtime.formats.gguf_header import LFS_POINTER, MAGIC, Header, read_header, read_header_of
from runtime.formats.json_input import parse_json
from runtime.formats.parts import refuse_part, refuse_whole
from runtime.formats.undo_file import refuse_unfinished
from runtime.formats.zip_directory import (
    DEFLATED,
    DEFLATED64,
    STORED,
    Directory,
    Member,
    data_offset,
    read_directory,
)

ARGS, MANIFEST, TEMPLATE = ".args", "llamapack.json", "chat_template.jinja"
MODELS = "models.ini"
ENGINES, GPU, SUMS, WEB_UI = "engines/", "gpu/", "SHA256SUMS", "web-ui/"
GPU_SOURCES = "gpu-sources/"
TLS = "tls/"
START = "start/"  # stubs that Windows' own tar.exe unpacks
FOLDERS = (ENGINES, GPU, GPU_SOURCES, START, TLS, WEB_UI)
"""Members of llamapack itself, not of the user, begin with one of these."""
BASE_CARD, LICENSES = "card/BASE.md", "licenses/model/"

_SMALL = 16 << 20  # bytes; limit of members that are read whole
_ARGS_LIMIT = 2 << 20  # bytes: each of them is looked at; `pack` takes 1 MiB
_BLOCK = 1 << 20  # bytes read or decompressed at once
# Bytes of Deflate64 taken at once. 18 bits of it can mean 64 KiB, and its decompressor gives all
# that it can: these become 15 MB at most.
_TAKEN64 = 512


def _refuse_other(path: Path, start: bytes) -> None:
    """Raise `InputError` for a file without an archive whose first bytes are known."""
    if start.startswith(MAGIC):
        raise InputError(
            f"{path} is a GGUF file, not a bundle",
            f"`llamapack pack {shell_word(path)}` makes a bundle of it.",
        )
    if start == LFS_POINTER:
        raise InputError(
            f"{path} is a Git LFS pointer, not the file itself", "Download it with `git lfs pull`."
        )
    if path.suffix == ".gguf":
        read_header_of(path)  # which says what is wrong with it


@dataclass(frozen=True)
class Engine:
    """The engine for one target inside a bundle."""

    target: str
    id: str
    """SHA-256 of its `SHA256SUMS`, 64 hex digits."""
    files: int
    """Number of files, without `SHA256SUMS`."""
    size: int
    """Bytes, unpacked."""
    compressed_size: int


@dataclass(frozen=True)
class GpuModule:
    """The library with which the engine for one target uses one kind of GPU."""

    target: str
    kind: str
    """`cuda`, `hip`, `metal` or `vulkan`."""
    size: int
    """Bytes, unpacked."""
    compressed_size: int


def stored_again(path: Path, name: str, ours: bool) -> str:
    """A tip for weights that some tool has compressed; `ours`: whether llamapack made the file."""
    if ours:
        return f"`llamapack upgrade {shell_word(path)}` stores it again"
    return f"`llamapack pack {shell_word(f'{path}:{name}')}` makes a bundle in which it is stored"


class Bundle:
    """A bundle that is open for reading; a context manager."""

    def __init__(self, path: Path, file: BinaryIO, directory: Directory) -> None:
        self.path = path
        self.directory = directory
        self._file = file

    @classmethod
    def open(cls, path: Path, *, old_names: bool = False) -> Bundle:
        """Open the file at `path` and read its directory.

        Args:
            old_names: whether names may be other than UTF-8, which engines cannot read.

        Raises:
            InputError: it does not exist, is a part, is not a readable ZIP, or a change of it was
                interrupted.
        """
        try:
            file = path.open("rb")
        except FileNotFoundError:
            refuse_whole(path)
            raise InputError(f"{path} does not exist", "Check the path of the bundle.") from None
        except IsADirectoryError:
            raise InputError(
                f"{path} is a directory, not a bundle", "Name the file inside it."
            ) from None
        try:
            refuse_unfinished(path)
            return cls(path, file, read_directory(file, str(path), old_names=old_names))
        except InputError:
            file.seek(0)
            start = file.read(len(LFS_POINTER))
            file.close()
            refuse_part(path)
            _refuse_other(path, start)
            raise
        except BaseException:
            file.close()
            raise

    def __enter__(self) -> Bundle:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    @property
    def members(self) -> Mapping[str, Member]:
        """Members by name, in the order of the archive's directory."""
        return self.directory.members

    @cached_property
    def size(self) -> int:
        """Bytes of the whole file."""
        return self._file.seek(0, 2)

    @cached_property
    def manifest(self) -> dict[str, Any] | None:
        """The parsed manifest, or None; raises `InputError` if it is not a JSON object."""
        if MANIFEST not in self.members:
            return None
        try:
            manifest = parse_json(self.read(MANIFEST))
        except ValueError:
            manifest = None
        if not isinstance(manifest, dict):
            raise self._damaged(f"{MANIFEST} is not a JSON object")
        return manifest

    @cached_property
    def args(self) -> str:
        """The text of `.args`, empty if there is none."""
        return self.read(ARGS).decode("utf-8", "replace") if ARGS in self.members else ""

    @cached_property
    def engines(self) -> list[Engine]:
        """The engines of a llamapack bundle, sorted by target."""
        targets: dict[str, list[Member]] = {}
        for name, member in self.members.items():
            parts = name.split("/")
            if len(parts) == 3 and name.startswith(ENGINES):
                targets.setdefault(parts[1], []).append(member)
        return [
            Engine(
                target,
                id=hashlib.sha256(self.read(f"{ENGINES}{target}/{SUMS}")).hexdigest(),
                files=len(files) - 1,
                size=sum(file.size for file in files if not file.name.endswith(SUMS)),
                compressed_size=sum(file.compressed_size for file in files),
            )
            for target, files in sorted(targets.items())
            if f"{ENGINES}{target}/{SUMS}" in self.members
        ]

    @cached_property
    def gpu_modules(self) -> list[GpuModule]:
        """The GPU modules of a llamapack bundle, sorted by target and kind."""
        found: dict[tuple[str, str], list[Member]] = {}
        for name, member in self.members.items():
            parts = name.split("/")
            if len(parts) == 4 and name.startswith(GPU):
                found.setdefault((parts[1], parts[2]), []).append(member)
        return [
            GpuModule(
                target,
                kind,
                size=sum(file.size for file in files if not file.name.endswith(SUMS)),
                compressed_size=sum(file.compressed_size for file in files),
            )
            for (target, kind), files in sorted(found.items())
        ]

    @property
    def weights(self) -> list[Member]:
        """The GGUF members, in the order of the archive."""
        return [member for name, member in self.members.items() if name.endswith(".gguf")]

    @property
    def file(self) -> BinaryIO:
        """The open file. Opening its path again would wait for the lease of a command that changes
        the file, even if that command is this process."""
        return self._file

    def data_offset(self, member: Member) -> int:
        """Offset of the data of `member`; raises `InputError` if its local header is damaged."""
        return data_offset(self._file, member, str(self.path))

    def header(self, member: Member) -> Header:
        """The GGUF header of a member; raises `InputError` if it is compressed or not a GGUF."""
        name = f"{self.path}: {member.name}"
        if member.method != STORED or member.encrypted:
            raise InputError(
                f"{name} is compressed, so engines cannot map it",
                f"{stored_again(self.path, member.name, self.manifest is not None)}.",
            )
        return read_header(self._file, name, self.data_offset(member), member.size)

    def read(self, name: str) -> bytes:
        """The contents of a small member, checked against its CRC-32.

        Raises:
            InputError: it does not exist, is larger than 16 MiB (`.args`: 2 MiB), or is damaged.
        """
        member = self.members.get(name)
        if member is None:
            raise InputError(
                f"{self.path} has no member {name}",
                f"`llamapack inspect {shell_word(self.path)}` lists them.",
            )
        if member.size > (_ARGS_LIMIT if name == ARGS else _SMALL):
            raise self._damaged(f"member {name} has {member.size:,} bytes, which is impossible")
        data = b"".join(self.stream(member))
        if zlib.crc32(data) != member.crc32:
            raise self._damaged(f"the CRC-32 of member {name} differs")
        return data

    def front(self, size: int) -> bytes:
        """The first `size` bytes of the file, at most 16 MiB: head and start stubs."""
        self._file.seek(0)
        return self._file.read(min(size, _SMALL))

    def stream(self, member: Member) -> Iterator[bytes]:
        """The contents of a member in pieces of at most a few MiB. Checks length, not CRC-32.

        Raises:
            InputError: it is damaged, encrypted, or its compression method is not supported.
        """
        if member.encrypted or member.method not in (STORED, DEFLATED, DEFLATED64):
            raise InputError(
                f"{self.path}: member {member.name} is encrypted or uses compression method "
                f"{member.method}, which llamapack cannot read",
                "Unpack it with another ZIP tool.",
            )
        pieces = self.raw(member)
        if member.method != STORED:
            pieces = _inflated(pieces, member.method, f"{self.path}: member {member.name}")
        done = 0
        for piece in pieces:
            done += len(piece)
            if done > member.size:
                break
            yield piece
        if done != member.size:
            raise self._damaged(f"member {member.name} has a wrong length")

    def raw(self, member: Member) -> Iterator[bytes]:
        """The bytes of a member as they are in the archive, compressed or not."""
        position = self.data_offset(member)
        left = member.compressed_size
        while left:
            self._file.seek(position)
            piece = self._file.read(min(left, _BLOCK))
            if not piece:
                raise self._damaged(f"member {member.name} is cut off")
            position += len(piece)
            left -= len(piece)
            yield piece

    def _damaged(self, what: str) -> InputError:
        return InputError(f"{self.path} is damaged: {what}", "Download or copy the file again.")


def _inflated(pieces: Iterator[bytes], method: int, name: str) -> Iterator[bytes]:
    """Decompress a member piece by piece, in bounded memory whatever it contains."""
    if method == DEFLATED64:
        yield from _inflated64(pieces, name)
        return
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        for piece in pieces:
            data = piece
            while data and not inflater.eof:
                # A limit on the output, so that a small damaged member cannot fill the memory.
                yield inflater.decompress(data, _BLOCK)
                data = inflater.unconsumed_tail
        yield inflater.flush()
    except zlib.error:
        raise _no_inflate(name) from None


def _inflated64(pieces: Iterator[bytes], name: str) -> Iterator[bytes]:
    try:
        from zipfile_deflate64 import deflate64
    except ImportError:
        raise InputError(
            f"{name} is compressed by Deflate64, which needs one more package",
            "`pip install zipfile-deflate64`, or unpack the archive with `7z x`.",
        ) from None
    inflater = deflate64.Deflate64()
    try:
        for piece in pieces:
            for start in range(0, len(piece), _TAKEN64):
                if inflater.eof:
                    return
                yield inflater.decompress(piece[start : start + _TAKEN64])
    except InputError:
        raise  # of the pieces; it is a ValueError too
    except ValueError:
        raise _no_inflate(name) from None


def _no_inflate(name: str) -> InputError:
    return InputError(f"{name} is damaged: it does not decompress", "Download or copy it again.")
