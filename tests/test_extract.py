"""`llamapack extract`, `ls` and `cat` from outside."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import zipfile
from pathlib import Path

import pytest
from helpers.foreign import write_foreign
from helpers.stand_ins import ENGINE_FILES, CommandLine, Refused, write_gguf


def test_ls(bundle: Path, llamapack: CommandLine) -> None:
    with zipfile.ZipFile(bundle) as archive:
        expected = [(info.filename, info.file_size) for info in archive.infolist()]
    lines = [line.split() for line in llamapack("ls", bundle).stdout.splitlines()]
    assert [(name, int(size.replace(",", ""))) for size, name in lines] == expected
    rows = json.loads(llamapack("ls", bundle, "--json").stdout)
    assert [(row["name"], row["size"]) for row in rows] == expected
    assert {row["method"] for row in rows} == {"stored", "deflated"}


def test_cat(bundle: Path, gguf: Path, llamapack: CommandLine, refused: Refused) -> None:
    done = subprocess.run(
        llamapack.command("cat", bundle, "tiny.gguf"),
        env=llamapack.environment,
        capture_output=True,
        check=True,
    )
    assert done.stdout == gguf.read_bytes()
    assert llamapack("cat", bundle, ".args").stdout == "-m\ntiny.gguf\n"
    done2 = llamapack("cat", bundle, "nothing")
    assert "has no member nothing" in refused(done2)
    assert "llamapack ls" in done2.stderr


def test_extract_all(bundle: Path, gguf: Path, tmp_path: Path, llamapack: CommandLine) -> None:
    folder = tmp_path / "new" / "folder"
    done = llamapack.ran("extract", bundle, "-C", folder)
    with zipfile.ZipFile(bundle) as archive:
        names = archive.namelist()
        assert done.stdout.splitlines() == [str(folder / name) for name in names]
        for name in names:
            assert (folder / name).read_bytes() == archive.read(name)
    engine = folder / "engines" / "linux-x86_64"
    assert {path.name for path in engine.iterdir()} == {*ENGINE_FILES, "SHA256SUMS"}
    assert os.access(engine / "llamapack-engine", os.X_OK)
    assert not os.access(engine / "libggml-base.so", os.X_OK)
    subprocess.run(["sha256sum", "--quiet", "-c", "SHA256SUMS"], cwd=engine, check=True)
    assert (folder / "tiny.gguf").read_bytes() == gguf.read_bytes()


def test_extract_some(
    bundle: Path, tmp_path: Path, llamapack: CommandLine, refused: Refused
) -> None:
    folder = tmp_path / "some"
    folder.mkdir()
    done = llamapack("extract", bundle, "web-ui", ".args", cwd=folder)
    assert done.stdout.split() == ["web-ui/_app/page.js", "web-ui/index.html", ".args"]
    assert "exists already" in refused(llamapack("extract", bundle, ".args", "-C", folder))
    (folder / ".args").write_text("mine")
    assert "exists already" in refused(llamapack("extract", bundle, "-C", folder))
    assert sorted(path.name for path in folder.iterdir()) == [".args", "web-ui"]
    assert (folder / ".args").read_text() == "mine"
    llamapack.ran("extract", bundle, ".args", "-C", folder, "--force")
    assert (folder / ".args").read_text().startswith("-m")
    (tmp_path / "link").symlink_to("missing")
    for file in (bundle, tmp_path / "link"):
        assert "is not a directory" in refused(llamapack("extract", bundle, "-C", file))
    assert "has no member web" in refused(llamapack("extract", bundle, "web", "-C", folder))


@pytest.mark.parametrize(
    "name", ["../evil", "/evil", "a/../../evil", "a\\..\\evil", "C:evil", "a//b", "./x", "e\x1bvil"]
)
def test_names_that_lead_elsewhere(
    name: str, tmp_path: Path, llamapack: CommandLine, refused: Refused
) -> None:
    folder = tmp_path / "deep" / "folder"
    folder.mkdir(parents=True)
    path = tmp_path / "evil.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("fine", b"fine")
        archive.writestr(zipfile.ZipInfo(name), b"evil")
    before = sorted(tmp_path.rglob("*"))
    assert "would not be a file in the folder" in refused(llamapack("extract", path, "-C", folder))
    assert sorted(tmp_path.rglob("*")) == before
    llamapack.ran("extract", path, "fine", "-C", folder)


def test_links_in_the_way(tmp_path: Path, llamapack: CommandLine, refused: Refused) -> None:
    """A folder that is a link elsewhere is not followed; a member that is a link is a file."""
    outside, folder = tmp_path / "outside", tmp_path / "folder"
    outside.mkdir()
    folder.mkdir()
    (folder / "sub").symlink_to(outside)
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("sub/deeper/file", b"x")
        link = zipfile.ZipInfo("link")
        link.create_system, link.external_attr = 3, 0o120777 << 16
        archive.writestr(link, b"/etc/passwd")
    assert "is outside" in refused(llamapack("extract", path, "sub", "-C", folder))
    assert list(outside.iterdir()) == []
    llamapack.ran("extract", path, "link", "-C", folder)
    assert not (folder / "link").is_symlink()
    assert (folder / "link").read_bytes() == b"/etc/passwd"


def test_damage_shows(
    bundle: Path, tmp_path: Path, llamapack: CommandLine, refused: Refused
) -> None:
    """No damaged file is left, stored or deflated; what came before it stays."""
    for name, text in (("tiny.gguf", b"general.architecture"), ("web-ui/index.html", None)):
        path = tmp_path / "damaged.llamafile"
        data = bytearray(bundle.read_bytes())
        with zipfile.ZipFile(bundle) as archive:
            info = archive.getinfo(name)
            place = data.index(text) if text else info.header_offset + 35 + len(name)
        data[place] ^= 1
        path.write_bytes(data)
        folder = tmp_path / f"out-{name.replace('/', '-')}"
        assert "is damaged" in refused(llamapack("extract", path, name, "-C", folder))
        assert [p for p in folder.rglob("*") if p.is_file()] == []
        command = llamapack.command("cat", path, name)
        done = subprocess.run(command, env=llamapack.environment, capture_output=True, check=False)
        assert done.returncode == 1
        assert b"is damaged" in done.stderr


def test_files_of_others(tmp_path: Path, llamapack: CommandLine) -> None:
    members = {"w.gguf": write_gguf(tmp_path / "w.gguf").read_bytes(), "notes/a": b"hello" * 99}
    path = write_foreign(tmp_path / "x.llamafile", members, alignment=1)
    folder = tmp_path / "out"
    llamapack.ran("extract", path, *members, "-C", folder)
    for name, data in members.items():
        assert (
            hashlib.sha256((folder / name).read_bytes()).digest() == hashlib.sha256(data).digest()
        )
