"""An undo file that a stranger put beside a user's file changes nothing, and nobody says so."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from edit_files import packed, ran
from helpers.json_values import JSON
from helpers.stand_ins import CommandLine, Refused, write_gguf
from helpers.trees import tree
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from packer import cli
from runtime.formats.undo_file import MAGIC, undo_path

READERS = (
    ["inspect"],
    ["ls"],
    ["verify"],
    ["extract"],
    ["cat", "llamapack.json"],
    ["card"],
    ["split", "--size", "9000"],
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[CommandLine, Path]:
    """A command line and a bundle, which tests only copy."""
    folder = tmp_path_factory.mktemp("made")
    llamapack = CommandLine(folder)
    return llamapack, packed(llamapack, folder / "m.llamafile", write_gguf(folder / "t.gguf"))


@pytest.fixture
def path(made: tuple[CommandLine, Path], tmp_path: Path) -> Path:
    folder = tmp_path / "here"
    folder.mkdir()
    return Path(shutil.copy(made[1], folder / "mine.llamafile"))


def undo(facts: Any, old: bytes = b"", *, magic: bytes = MAGIC) -> bytes:
    """The contents of an undo file, its sum too."""
    head = magic + (facts if isinstance(facts, bytes) else json.dumps(facts).encode()) + b"\n"
    return head + old + hashlib.sha256(head + old).digest()


def sound(path: Path, **changed: Any) -> dict[str, Any]:
    """What a change of the last 5000 bytes would state, but for what is `changed`."""
    data = path.read_bytes()
    start = len(data) - 5000
    pieces = [(place, data[place : place + 4096]) for place in (0, start - 4096)]
    return {
        "inode": path.stat().st_ino,
        "move": None,
        "ranges": [[start, 5000]],
        "size": len(data),
        "witness": [[place, hashlib.sha256(piece).hexdigest()] for place, piece in pieces],
        **changed,
    }


def nothing_happens(llamapack: CommandLine, path: Path, refused: Refused, before: Any) -> str:
    """Readers and verbs that change say no, and do not send to `edit`; what the last one says."""
    for word, *words in READERS:
        done = llamapack(word, path, *words, cwd=path.parent)
        assert done.returncode == 1, word
        assert "Traceback" not in done.stderr
        assert "llamapack edit" not in done.stderr
        assert str(undo_path(path)) in done.stderr
        assert tree(path.parent) == before, word
    for words in (["upgrade"], ["edit", "--args", "-c 1"], ["edit"]):
        done = llamapack(words[0], path, *words[1:], cwd=path.parent)
        assert str(undo_path(path)) in refused(done)
        assert f"remove {undo_path(path)}" in done.stderr
        assert tree(path.parent) == before, words
    return done.stderr


@pytest.mark.parametrize(
    "changed",
    [
        {"size": 0, "ranges": [], "witness": []},
        {"witness": []},
        {"size": 5000, "ranges": [[0, 5000]], "witness": []},
        {"ranges": [[-1, 5000]]},
        {"ranges": [[1 << 70, 5000]]},
        {"ranges": [[0, 2500], [2000, 2500]]},
        {"ranges": {"a": 1}},
        {"ranges": [[1]]},
        {"ranges": 5},
        {"size": 1e30},
        {"size": -1},
        {"size": True},
        {"size": "5"},
        {"size": None},
        {"move": {"offset": 0, "by": 1}},
        {"move": [0, 0]},
        {"move": [100_000, -65536]},
        {"move": [1]},
        {"move": "ab"},
        {"witness": [[0, 5], [1, "a"]]},
        {"witness": [[]]},
        {"witness": {"0": "a"}},
        {"inode": -1},
        {"inode": "x"},
        *({name: ...} for name in ("size", "ranges", "move", "witness", "inode")),
    ],
)
def test_what_no_change_states(
    changed: dict[str, Any], path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Even with the right inode; the size of 0 bytes truncated a file."""
    facts = {key: value for key, value in sound(path, **changed).items() if value is not ...}
    undo_path(path).write_bytes(undo(facts, b"" if changed.get("ranges") == [] else bytes(5000)))
    before = tree(path.parent)
    for words in (["inspect"], ["verify"], ["edit"], ["edit", "--copy"], ["upgrade"]):
        assert cli.main([*words, str(path)]) == 1
        error, tip = capsys.readouterr().err.splitlines()
        assert "is damaged" in error or "belongs to another file" in error
        assert "llamapack edit" not in tip
        assert f"remove {undo_path(path)}" in tip
        assert tree(path.parent) == before
    undo_path(path).unlink()
    assert cli.main(["verify", str(path)]) == 0


@pytest.mark.parametrize(
    "content",
    [
        b"", b"x", MAGIC, undo(b"{}"), undo(b"null"), undo(b"[" * 100_000),
        undo(b'{"size": 1e999}'), undo(b'{"size": NaN}'), undo(b"9" * 10_000), undo(b"\xff"),
        undo({"move": None, "ranges": [], "size": 0, "witness": []}, magic=b"llamapack undo 1\n"),
    ],
    ids=lambda content: repr(content[-60:-20]),
)  # fmt: skip
def test_what_is_none(
    content: bytes, path: Path, made: tuple[CommandLine, Path], refused: Refused
) -> None:
    undo_path(path).write_bytes(content)
    before = tree(path.parent)
    assert "is damaged" in refused(made[0]("edit", path))
    done = made[0]("inspect", path)
    assert "is damaged" in done.stderr
    assert "llamapack edit" not in done.stderr
    assert tree(path.parent) == before


def test_contents_that_everybody_knows(
    path: Path, made: tuple[CommandLine, Path], refused: Refused
) -> None:
    """A public bundle's undo file, right in all but the inode, would put other bytes into it."""
    llamapack = made[0]
    undo_path(path).write_bytes(undo(sound(path, inode=path.stat().st_ino + 1), b"evil!" * 1000))
    before = tree(path.parent)
    said = nothing_happens(llamapack, path, refused, before)
    assert "was not made for this file" in said
    # Who did change the file, and copied it since, finds the way out in what `edit` says.
    present = path.read_bytes()
    assert f"llamapack edit --copy {path}" in said
    assert "restored as it was" in ran(llamapack, "edit", "--copy", path)
    assert path.read_bytes() == present[:-5000] + b"evil!" * 1000
    kept = path.with_name("mine.llamafile.before-undo")
    assert kept.read_bytes() == present
    undo_path(path).write_bytes(undo(sound(path, inode=1), b"evil!" * 1000))
    assert "before-undo exists already" in refused(llamapack("edit", "--copy", path))
    assert kept.read_bytes() == present


def test_the_change_of_this_file(path: Path, made: tuple[CommandLine, Path]) -> None:
    """What `sound` states is what a change writes."""
    old = path.read_bytes()
    undo_path(path).write_bytes(undo(sound(path), old[-5000:]))
    os.truncate(path, len(old) - 3000)
    assert f"llamapack edit {path}" in made[0]("inspect", path).stderr
    ran(made[0], "edit", path)
    assert path.read_bytes() == old


@pytest.mark.parametrize("kind", ["symlink", "hard link", "folder", "pipe", "nowhere"])
def test_what_is_not_a_file_of_ours(
    kind: str, path: Path, tmp_path: Path, made: tuple[CommandLine, Path], refused: Refused
) -> None:
    """Neither the target of a link nor another file is changed."""
    place, target = undo_path(path), tmp_path / "target"
    if kind != "nowhere":
        target.write_bytes(undo(sound(path), bytes(5000)))
    if kind == "hard link":
        place.hardlink_to(target)
    elif kind == "folder":
        place.mkdir()
    elif kind == "pipe":
        os.mkfifo(place)
    else:
        place.symlink_to(target)
    before = path.read_bytes()
    for words in (["edit"], ["edit", "--copy"], ["inspect"], ["upgrade"]):
        assert "is damaged" in refused(made[0](words[0], path, *words[1:]))
    assert path.read_bytes() == before
    assert not target.exists() or target.read_bytes() == undo(sound(path), bytes(5000))


def test_temporary_names_that_are_links(
    path: Path, tmp_path: Path, made: tuple[CommandLine, Path]
) -> None:
    """Whoever knows the name of a file that is to come does not lead it elsewhere."""
    precious = tmp_path / "precious"
    precious.write_bytes(b"precious" * 1000)
    for how, name in (([], "llamapack-undo.partial"), (["--copy"], "llamapack-new")):
        (path.parent / f".{path.name}.{name}").symlink_to(precious)
        ran(made[0], "edit", path, "--args", "-c 9", *how)
    assert precious.read_bytes() == b"precious" * 1000
    ran(made[0], "verify", path)


@pytest.mark.parametrize("kind", ["folder", "full folder", "pipe", "nowhere", "hard link"])
@pytest.mark.parametrize("name", ["llamapack-undo.partial", "llamapack-new"])
def test_temporary_names_that_are_taken(
    name: str, kind: str, path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder is refused, and the tip's command is a way out; others are no obstacle."""
    place = path.parent / f".{path.name}.{name}"
    if "folder" in kind:
        place.mkdir()
        if kind == "full folder":
            (place / "x").write_text("x")
    elif kind == "pipe":
        os.mkfifo(place)
    elif kind == "nowhere":
        place.symlink_to("/nowhere/at/all")
    else:
        (path.parent / "other").write_text("other")
        place.hardlink_to(path.parent / "other")
    words = ["edit", str(path), "--args", "-c 9", "-q", *(["--copy"] if "new" in name else [])]
    if "folder" in kind:
        assert cli.main(words) == 1
        error, tip = capsys.readouterr().err.splitlines()
        assert f"{place} is a folder" in error
        subprocess.run(tip.split("`")[1], shell=True, check=True)
    assert cli.main(words) == 0
    assert not os.path.lexists(place)
    assert cli.main(["verify", str(path)]) == 0


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_undo_file(
    data: st.DataObject, made: tuple[CommandLine, Path], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Without the file's own inode nothing is changed, whatever it states."""
    folder = tmp_path_factory.getbasetemp() / "any-undo"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    path = Path(shutil.copy(made[1], folder / "m.llamafile"))
    size = path.stat().st_size
    number = st.integers(-1, size + 9) | st.sampled_from([0, 1 << 63]) | JSON
    field = {
        "size": number,
        "ranges": st.lists(st.tuples(number, number), max_size=3) | JSON,
        "move": st.tuples(number, number) | JSON,
        "witness": st.lists(st.tuples(number, st.just("0" * 64)), max_size=3) | JSON,
        "inode": number,
    }
    facts = sound(path, inode=0)
    for name in sorted(data.draw(st.sets(st.sampled_from(sorted(field)), max_size=3))):
        facts[name] = data.draw(field[name])
    content = undo(facts, bytes(data.draw(st.sampled_from([5000, 0, 1, size]))))
    content = data.draw(st.just(content) | st.binary(max_size=50) | JSON.map(undo))
    if data.draw(st.booleans()):
        content += b"M"
    if facts["inode"] == path.stat().st_ino:
        return
    undo_path(path).write_bytes(content)
    before = tree(folder)
    for words in (["edit"], ["inspect"], ["upgrade"]):
        assert cli.main([*words, str(path)]) == 1
        assert tree(folder) == before
