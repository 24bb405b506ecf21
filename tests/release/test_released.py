"""Archives of engines: written, fetched into an empty build cache, refused if they are others."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packer.cli import main
from packer.engines import sums
from packer.engines.gpu import pins
from packer.engines.gpu.archive import packed_module
from packer.releases import NAME, index, pieces
from packer.releases.index import Index
from packer.releases.pieces import Archive, Piece
from packer.weights.downloads import Downloads
from packer.zip.writer import ZipWriter
from runtime.errors import InputError


@pytest.fixture
def piece(tmp_path: Path) -> Piece:
    folder = tmp_path / "made" / "web-ui" / "0123"
    (folder / "_app").mkdir(parents=True)
    (folder / "index.html").write_text("<html>" * 100)
    program = folder / "_app" / "program"
    program.write_bytes(bytes(range(256)) * 50)
    program.chmod(0o755)
    return Piece("web-ui", "0123", folder)


@pytest.fixture
def elsewhere(piece: Piece, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Piece:
    """The same piece in an empty build cache."""
    monkeypatch.setenv("LLAMAPACK_BUILD_CACHE", str(tmp_path / "other"))
    return replace(piece, folder=tmp_path / "other" / "web-ui" / "0123")


def test_an_archive_brings_the_files_and_their_modes(
    piece: Piece, elsewhere: Piece, tmp_path: Path
) -> None:
    entry = pieces.write_archive(piece, tmp_path)
    path = tmp_path / entry.file
    assert entry.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert entry.size == path.stat().st_size
    pieces.unpack(path, elsewhere, entry)
    for file in piece.paths:
        copy = elsewhere.folder / file.relative_to(piece.folder)
        assert copy.read_bytes() == file.read_bytes()
        assert copy.stat().st_mode & 0o777 == file.stat().st_mode & 0o777
    assert elsewhere.here
    assert [p.name for p in elsewhere.folder.parent.iterdir()] == ["0123"]


def test_what_was_deflated_for_the_release_is_not_deflated_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def module_piece(root: Path) -> Piece:
        monkeypatch.setenv("LLAMAPACK_BUILD_CACHE", str(root))
        return pieces.gpu(module)

    module = next(one for one in pins.load() if one.kind == "vulkan")
    made = module_piece(tmp_path / "made")
    made.folder.mkdir(parents=True)
    library = made.folder / module.name
    library.write_bytes(bytes(range(256)) * 5000)
    (made.folder / sums.NAME).write_text(sums.listing([library]))
    entry = pieces.write_archive(made, tmp_path)
    here = list((tmp_path / "made" / "deflated").iterdir())
    fetched = module_piece(tmp_path / "other")
    pieces.unpack(tmp_path / entry.file, fetched, entry)
    for path in here:
        assert (tmp_path / "other" / "deflated" / path.name).read_bytes() == path.read_bytes()
    monkeypatch.setattr(ZipWriter, "add_deflated", None)
    with packed_module(module, fetched.folder) as one:
        assert [member.name for member, _ in one.packed.members()] == [
            f"gpu/{module.target}/vulkan/{name}" for name in (module.name, sums.NAME)
        ]


def test_two_archives_are_the_same(piece: Piece, tmp_path: Path) -> None:
    (tmp_path / "second").mkdir()
    first = pieces.write_archive(piece, tmp_path)
    for path in piece.paths:
        path.touch()
    assert pieces.write_archive(piece, tmp_path / "second") == first


def test_files_of_a_shared_folder(piece: Piece, elsewhere: Piece, tmp_path: Path) -> None:
    """Stubs: those of other versions lie beside them and stay."""
    entry = pieces.write_archive(replace(piece, files=("index.html",)), tmp_path)
    elsewhere.folder.mkdir(parents=True)
    (elsewhere.folder / "older").write_text("older")
    pieces.unpack(tmp_path / entry.file, replace(elsewhere, files=("index.html",)), entry)
    assert {p.name for p in elsewhere.folder.iterdir()} == {"older", "index.html"}


def test_one_flipped_bit_is_refused(piece: Piece, elsewhere: Piece, tmp_path: Path) -> None:
    entry = pieces.write_archive(piece, tmp_path)
    path = tmp_path / entry.file
    data = bytearray(path.read_bytes())
    data[100] ^= 1
    path.write_bytes(data)
    with pytest.raises(InputError, match="differs from the released file"):
        pieces.unpack(path, elsewhere, entry)
    assert not elsewhere.here


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """Where a web server offers the files of `tmp_path`."""
    handler = partial(SimpleHTTPRequestHandler, directory=tmp_path)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def test_fetched_from_an_address(
    piece: Piece, elsewhere: Piece, tmp_path: Path, address: str
) -> None:
    entry = pieces.write_archive(piece, tmp_path)
    with Downloads(quiet=True) as downloads:
        assert index.fetch(elsewhere, entry, address, downloads) == elsewhere.folder
    assert len(elsewhere.paths) == len(piece.paths)
    # Nothing of the download is left; a second fetch asks nobody.
    assert not list((tmp_path / "other" / "fetched").iterdir())
    with Downloads(quiet=True) as downloads:
        index.fetch(elsewhere, entry, "http://127.0.0.1:1/", downloads)


def test_another_file_at_the_address_is_refused(
    piece: Piece, elsewhere: Piece, tmp_path: Path, address: str
) -> None:
    entry = replace(pieces.write_archive(piece, tmp_path), sha256="0" * 64)
    with Downloads(quiet=True) as downloads, pytest.raises(InputError):
        index.fetch(elsewhere, entry, address, downloads)
    assert not elsewhere.here


def test_an_index_is_read_as_it_was_written() -> None:
    made = Index("v0.4.0", None, {"stubs": Archive("a.zip", "0123", "0" * 64, 7)})
    assert index.parse(index.encode(made), "index") == made


@given(st.binary(max_size=200) | st.text().map(str.encode))
def test_other_bytes_are_no_index(text: bytes) -> None:
    with pytest.raises(InputError):
        index.parse(text, "index")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("file", "../a.zip"),
        ("file", "a/b"),
        ("file", ".."),
        ("file", "a.zip#sha256=0"),
        ("sha256", "0" * 63),
        ("sha256", "G" * 64),
        ("size", "7"),
        ("other", 1),
    ],
)
def test_an_entry_that_is_odd_is_refused(key: str, value: object) -> None:
    entry = {"file": "a.zip", "id": "0", "sha256": "0" * 64, "size": 7} | {key: value}
    document = {"archives": {"stubs": entry}, "base": None, "format": 1, "llama.cpp": "v0.4.0"}
    with pytest.raises(InputError, match="not an index"):
        index.parse(json.dumps(document).encode(), "index")


def test_a_checkout_knows_no_released_hashes(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLAMAPACK_BUILD_CACHE", str(tmp_path))
    assert main(["engine", "fetch", "--from", str(tmp_path)]) == 1
    error, tip = capsys.readouterr().err.splitlines()
    assert "knows no hashes" in error
    assert "--index" in tip


def test_engines_of_another_llamapack_are_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLAMAPACK_BUILD_CACHE", str(tmp_path / "cache"))
    name = "engine-linux-x86_64"
    other = Index("v0.4.0", str(tmp_path), {name: Archive("a.zip", "linux-x86_64-0", "0" * 64, 1)})
    (tmp_path / NAME).write_bytes(index.encode(other))
    words = ["engine", "fetch", "linux-x86_64", "--index", str(tmp_path / NAME)]
    assert main(words) == 1
    assert f"the released {name} was made from other sources" in capsys.readouterr().err
    assert not (tmp_path / "cache" / "engines").exists()
