"""A manifest of any shape in a bundle: every verb works or says what is wrong."""

from __future__ import annotations

import copy
import json
import random
import shutil
import zipfile
from collections.abc import Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
from helpers.stand_ins import CommandLine, write_gguf

from packer import cli
from packer.engines import cache as engines
from packer.engines import front
from runtime.formats.bundle import MANIFEST

VERBS: tuple[tuple[str, ...], ...] = (
    ("inspect", "{}"), ("inspect", "{}", "--json"), ("inspect", "{}", "--recipe"),
    ("verify", "{}"), ("verify", "{}", "--json"),
    ("ls", "{}"), ("cat", "{}", MANIFEST), ("extract", "{}", "-C", "{}.d", "--force"),
    ("edit", "{}", "--args", "-c 77"), ("edit", "{}", "--args", "-c 78", "--copy"),
    ("edit", "{}", "--add", "{}.txt"),
    ("upgrade", "{}"), ("upgrade", "{}", "--copy"),
    ("assimilate", "{}", "--target", "linux-x86_64"),
    ("split", "{}", "--size", "100kB", "--force"), ("card", "{}"), ("doctor", "{}"),
    ("publish", "{}", "--repo", "me/x", "--dry-run"), ("run", "{}", "--dry-run"),
)  # fmt: skip


def deep(count: int) -> Any:
    value: Any = 1
    for _ in range(count):
        value = [value]
    return value


VALUES: tuple[Any, ...] = (
    None, True, -1, 0, 1 << 61, 10**60, 1e300, "", "x", "\ud800", "\x1b[2J\n", "../../x",
    "a" * 5000,
    [], [None], ["x", 1], [[]], [{}], {}, {"": None}, {"x": {"x": 1}}, {"../x": [1]}, deep(95),
)  # fmt: skip


def places(value: Any) -> list[tuple[Any, ...]]:
    """Where a value can take the place of what the manifest states."""
    found: list[tuple[Any, ...]] = [()]
    if isinstance(value, (dict, list)):
        items = list(value.items() if isinstance(value, dict) else enumerate(value))
        found += [(key, *inner) for key, one in items for inner in places(one)]
    return found


def changed(manifest: Any, place: tuple[Any, ...], value: Any) -> Any:
    if not place:
        return value
    document = copy.deepcopy(manifest)
    inner = document
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    return document


def put(path: Path, document: Any) -> None:
    """Give the bundle another manifest, its last member."""
    with zipfile.ZipFile(path, "a") as archive:
        old = archive.getinfo(MANIFEST)
        assert archive.filelist[-1] is old
        archive.filelist.remove(old)
        del archive.NameToInfo[MANIFEST]
        archive.start_dir = old.header_offset
        archive.writestr(MANIFEST, json.dumps(document))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[CommandLine, Path]:
    folder = tmp_path_factory.mktemp("made")
    llamapack = CommandLine(folder)
    path = folder / "m.llamafile"
    gguf = write_gguf(folder / "t.gguf")
    done = llamapack(
        "pack", gguf, "-o", path, "--card-field", "license=mit", "--card-field", "tags=[a]"
    )
    assert done.returncode == 0, done.stderr
    return llamapack, path


@pytest.fixture
def here(made: tuple[CommandLine, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for bundles, and the command in this process with engines from these tests."""
    llamapack = made[0]
    data = b"jartsr='\n'\n".ljust(65536, b"\0") + b"stub".ljust(65536, b"\0")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(engines, "chosen", lambda targets: {"linux-x86_64": llamapack.engine})
    monkeypatch.setattr(engines, "web_ui", lambda: llamapack.web_ui)
    monkeypatch.setattr(front, "polyglot", lambda targets, **_: front.Front(data))
    (tmp_path / "b.llamafile.txt").write_text("x")
    return tmp_path


def answers(
    verb: Sequence[str], document: Any, made: Path, here: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """It ends as a command ends; what is no exit status is an exception, which fails the test."""
    path = Path(shutil.copy(made, here / "b.llamafile"))
    put(path, document)
    status = cli.main([word.replace("{}", str(path)) for word in verb])
    capture = capfd.readouterr()
    assert "Traceback" not in capture.err
    assert status == 0 or (status == 1 and (verb[0] == "doctor" or "\nTIP " in capture.err))
    assert not any(path.name.endswith("-undo") for path in here.iterdir())
    if verb == ("verify", "{}"):
        assert "\x1b" not in capture.out


def manifest_of(path: Path) -> Any:
    with zipfile.ZipFile(path) as archive:
        return json.loads(archive.read(MANIFEST))


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: " ".join(verb[::2]))
def test_every_verb(
    verb: Sequence[str],
    made: tuple[CommandLine, Path],
    here: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """With what once was too much for one of them."""
    manifest = manifest_of(made[1])
    half = changed(manifest, ("engines", "linux-x86_64", "llama.cpp"), "\ud800")
    steering = changed(manifest, ("members", "t.gguf", "sha256"), "\x1b[2J\n")
    for document in (None, [], {}, half, steering):
        answers(verb, document, made[1], here, capfd)


def test_any_shape(
    made: tuple[CommandLine, Path], here: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Every kind of value at places of the manifest; verbs take turns."""
    manifest = manifest_of(made[1])
    shapes = [(place, value) for place in places(manifest) for value in VALUES]
    chosen = random.Random(1).sample(shapes, 60)
    for (place, value), verb in zip(chosen, cycle(VERBS), strict=False):
        answers(verb, changed(manifest, place, value), made[1], here, capfd)


RECIPE: dict[str, Any] = {
    "args": "-c 5\n", "ctx-size": 5, "sampling": {"temperature": 0.5, "stop": ["x"]},
    "mmproj": {"a": "t.gguf"}, "draft": "t.gguf", "model-args": {"a": "-c 7"},
    "lora": ["t.gguf:0.5", {"file": "t.gguf", "model": "a"}],
}  # fmt: skip


@pytest.mark.parametrize("verb", [("inspect", "{}", "--recipe"), ("edit", "{}", "--args", "-c 7")])
def test_any_shape_of_the_recipe(
    verb: Sequence[str],
    made: tuple[CommandLine, Path],
    here: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    manifest = manifest_of(made[1])
    assert manifest["recipe"] == {}
    for place in places(RECIPE):
        for value in VALUES:
            recipe = changed(RECIPE, place, value)
            answers(verb, {**manifest, "recipe": recipe}, made[1], here, capfd)
