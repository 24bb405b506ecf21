"""`-o` means the same to every verb: a file, or a folder; folders are made, stdout takes text."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.part_sets import split
from helpers.stand_ins import CommandLine, Refused

Commands = list[tuple[list[str | Path], str]]


@pytest.fixture
def commands(bundle: Path, gguf: Path, llamapack: CommandLine) -> Commands:
    """Command lines, less `-o`, and what they make in a folder; they can be used several times."""
    parts = split(llamapack, bundle, bundle.with_name("parts"), size="100kB")
    return [
        (["pack", gguf], "tiny.llamafile"),
        (["split", bundle, "--size", "100kB"], "tiny.llamafile.cat2"),
        (["join", parts[0]], "tiny.llamafile"),
        (["card", bundle], "README.md"),
    ]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """The current folder of the commands, with a folder and a file in it."""
    folder = tmp_path / "place"
    (folder / "there").mkdir(parents=True)
    (folder / "file").write_text("precious")
    return folder


def test_folders(commands: Commands, place: Path, llamapack: CommandLine) -> None:
    for words, made in commands:
        for folder in ("there", f"new-{words[0]}/in/"):
            done = llamapack(*words, "-o", folder, "--force", cwd=place)
            assert (place / folder / made).is_file(), (words, done.stderr)


def test_files_in_new_folders(commands: Commands, place: Path, llamapack: CommandLine) -> None:
    for words, made in commands:
        folder = place / f"new-{words[0]}" / "in"
        done = llamapack(*words, "-o", folder / "name", cwd=place)
        number = ".cat2" if made.endswith(".cat2") else ""
        assert (folder / f"name{number}").is_file(), (words, done.stderr)


def others(gguf: Path) -> Iterator[list[str | Path]]:
    yield ["quantize", gguf, "q4_0"]
    yield ["convert", gguf.parent]
    yield ["assimilate", gguf, "--target", "linux-x86_64"]
    yield ["fetch", "http://127.0.0.1:9/x.gguf"]
    yield ["join", "--in-place", gguf]
    yield ["demo"]


def test_refusals(
    commands: Commands, gguf: Path, place: Path, llamapack: CommandLine, refused: Refused
) -> None:
    card, _ = commands.pop()
    on_stdout = llamapack(*card, "-o", "-", cwd=place).stdout
    assert on_stdout == llamapack(*card).stdout != ""
    for words in (*(words for words, _ in commands), *others(gguf)):
        assert "stdout" in refused(llamapack(*words, "-o", "-", cwd=place)), words
    assert "empty" in refused(llamapack(*card, "-o", "", cwd=place))
    for output in ("file/", "file/name"):
        assert "file is not a directory" in refused(llamapack(*card, "-o", output, cwd=place))
    assert sorted(path.name for path in place.iterdir()) == ["file", "there"]


def test_a_new_folder_goes_again_where_nothing_was_made(
    place: Path, llamapack: CommandLine, refused: Refused
) -> None:
    before = sorted(place.iterdir())
    for words in (["pack", "absent.gguf"], ["fetch", "no-address"], ["split", "absent"]):
        refused(llamapack(*words, "-o", "new/deep/name", cwd=place))
    assert sorted(place.iterdir()) == before
