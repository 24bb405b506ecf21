"""Files that are somebody else's too are not changed in place; the tip names a way that works."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from edit_files import NewEngine, packed, ran
from helpers.stand_ins import CommandLine, Refused
from helpers.trees import tree

from runtime.formats.bundle import Bundle


@pytest.fixture
def path(tmp_path: Path, gguf: Path, llamapack: CommandLine) -> Path:
    """In the cache of the Hub, say, under the name of its hash."""
    folder = tmp_path / "blobs"
    folder.mkdir()
    return packed(llamapack, folder / "6a1f", gguf, "--args", "-c 512")


VERBS = {
    "edit": ["edit", "--args", "-c 77", "-q"],
    "upgrade": ["upgrade", "-q"],
    "assimilate": ["assimilate", "--target", "linux-x86_64", "-q"],
}


@pytest.fixture(params=["edit", "upgrade"])
def words(request: pytest.FixtureRequest, path: Path, new_engine: NewEngine) -> list[str]:
    """Words of a command, which has something to do after the file was packed."""
    assert path.exists()
    new_engine(100_000)
    return VERBS[str(request.param)]


@pytest.mark.parametrize("link", ["symlink", "hard link"])
def test_a_second_name(
    link: str, words: list[str], path: Path, llamapack: CommandLine, refused: Refused
) -> None:
    tmp_path = path.parents[1]
    name = tmp_path / "snapshot" / "m.llamafile"
    name.parent.mkdir()
    if link == "symlink":
        name.symlink_to(os.path.relpath(path, name.parent))
    else:
        name.hardlink_to(path)
    word, *words = words
    before, blob = tree(tmp_path), path.read_bytes()
    done = llamapack(word, name, *words)
    assert ("a symbolic link" if link == "symlink" else "a second name") in refused(done)
    assert "`--copy`" in done.stderr
    assert tree(tmp_path).items() >= before.items()
    ran(llamapack, word, name, *words, "--copy")
    assert path.read_bytes() == blob
    assert not name.is_symlink()
    assert name.read_bytes() != blob
    ran(llamapack, "verify", name)
    ran(llamapack, "verify", path)


def test_a_dangling_link_and_a_folder(
    tmp_path: Path, llamapack: CommandLine, refused: Refused
) -> None:
    (tmp_path / "link").symlink_to("nowhere")
    for name in ("link", "llamapack-under-test"):
        for verb, (word, *words) in VERBS.items():
            assert name in refused(llamapack(word, tmp_path / name, *words)), verb


def test_a_file_of_another_user(path: Path, llamapack: CommandLine, refused: Refused) -> None:
    """That everybody may write to."""
    old = path.read_bytes()
    other = "import os; os.geteuid = lambda: 54321\n"
    done = llamapack("edit", path, "--args", "-c 7", first=other)
    assert "belongs to another user" in refused(done)
    assert path.read_bytes() == old
    llamapack.ran("edit", path, "--args", "-c 7", "--copy", first=other)
    with Bundle.open(path) as bundle:
        assert bundle.args.endswith("-c 7\n")


def test_a_half_changed_file_that_got_a_second_name(
    path: Path, tmp_path: Path, llamapack: CommandLine, refused: Refused
) -> None:
    """Neither does taking back change it; the tip moves both files to where it can."""
    from packer.edit.undo import Change, Undo

    old = path.read_bytes()
    with path.open("r+b", buffering=0) as file:
        Undo(path, file, Change(len(old), [(len(old) - 5000, 5000)]))
        file.truncate(len(old) - 5000)
    (tmp_path / "twin").hardlink_to(path)
    before = tree(tmp_path)
    for words in (["--copy"], ["--copy", "--args", "-c 5"]):
        done = llamapack("edit", path, *words)
        assert "a second name" in refused(done)
        assert "to another folder" in done.stderr
        assert tree(tmp_path).items() >= before.items()
    other = tmp_path / "other"
    other.mkdir()
    for name in (path.name, f".{path.name}.llamapack-undo"):
        (other / name).write_bytes((path.parent / name).read_bytes())
    ran(llamapack, "edit", "--copy", other / path.name)
    assert (other / path.name).read_bytes() == old
