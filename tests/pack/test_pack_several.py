"""Several models by name in one file, from outside: packed, inspected, changed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from helpers.stand_ins import CommandLine, Refused, write_engine, write_gguf

from runtime.formats.args_file import parse
from runtime.formats.bundle import MODELS, Bundle


@pytest.fixture
def two(tmp_path: Path, llamapack: CommandLine) -> Path:
    """`small`, and `eyes` with a projector, an adapter and arguments of its own."""
    small = write_gguf(tmp_path / "s.gguf", name="Small")
    eyes = write_gguf(tmp_path / "e.gguf", name="Eyes", seed=2)
    projector = write_gguf(tmp_path / "mmproj.gguf", kind="mmproj")
    lora = write_gguf(tmp_path / "lora.gguf", kind="adapter")
    path = tmp_path / "two.llamafile"
    llamapack.ran(
        "pack", "--model", f"small={small}", "--model", f"eyes={eyes}",
        "--mmproj", f"eyes={projector}", "--lora", f"eyes={lora}:0.5",
        "--model-args", "eyes=-c 512", "--args", "--temp 0", "-o", path, "-q",
    )  # fmt: skip
    return path


SMALL = "[small]\nmodel = /zip/s.gguf\n"
EYES = (
    "[eyes]\nmodel = /zip/e.gguf\nmmproj = /zip/mmproj.gguf\nlora-scaled = /zip/lora.gguf:0.5\n"
    "c = 512\n"
)


def served(path: Path) -> list[tuple[str, str | None]]:
    with Bundle.open(path) as bundle:
        assert bundle.manifest is not None
        return [(model["file"], model.get("served_as")) for model in bundle.manifest["models"]]


def models_ini(path: Path) -> str:
    with Bundle.open(path) as bundle:
        return bundle.read(MODELS).decode()


def test_what_the_file_says(two: Path, llamapack: CommandLine) -> None:
    with Bundle.open(two) as bundle:
        assert [m.name for m in bundle.weights] == ["s.gguf", "e.gguf", "mmproj.gguf", "lora.gguf"]
        assert all(bundle.data_offset(member) % 65536 == 0 for member in bundle.weights)
        assert parse(bundle.args, {}) == [
            "-m", "s.gguf", "--models-preset", "/zip/models.ini", "--temp", "0",
        ]  # fmt: skip
    assert models_ini(two) == f"{SMALL}\n{EYES}"
    assert served(two) == [("s.gguf", "small"), ("e.gguf", "eyes")]
    llamapack.ran("verify", two)


def test_inspect_shows_them_all(two: Path, llamapack: CommandLine) -> None:
    facts = json.loads(llamapack("inspect", two, "--json").stdout)
    assert [(m["name"], m["kind"], m.get("served_as")) for m in facts["models"]][:2] == [
        ("Small", "model", "small"),
        ("Eyes", "model", "eyes"),
    ]
    text = llamapack("inspect", two).stdout
    assert [line.split()[-1] for line in text.splitlines() if "served as" in line] == [
        "small",
        "eyes",
    ]


def test_one_model_is_as_ever(gguf: Path, tmp_path: Path, llamapack: CommandLine) -> None:
    llamapack("pack", gguf, "-o", tmp_path / "one.llamafile", "-q")
    with Bundle.open(tmp_path / "one.llamafile") as bundle:
        assert MODELS not in bundle.members
        assert bundle.args == "-m\ntiny.gguf\n"
    assert served(tmp_path / "one.llamafile") == [("tiny.gguf", None)]


def test_what_has_no_name_is_the_first_one_s(tmp_path: Path, llamapack: CommandLine) -> None:
    a, b = write_gguf(tmp_path / "a.gguf"), write_gguf(tmp_path / "b=c.gguf", seed=2)
    lora = write_gguf(tmp_path / "x=y.gguf", kind="adapter")
    llamapack.ran(
        "pack", "--model", f"a={a}", "--model", f"b={b}", "--lora", lora, "-q",
        "-o", tmp_path / "x.llamafile",
    )  # fmt: skip
    assert models_ini(tmp_path / "x.llamafile") == (
        "[a]\nmodel = /zip/a.gguf\nlora = /zip/x=y.gguf\n\n[b]\nmodel = /zip/b=c.gguf\n"
    )


def test_models_come_and_go(
    two: Path, tmp_path: Path, llamapack: CommandLine, refused: Refused
) -> None:
    third = write_gguf(tmp_path / "third.gguf", name="Third", seed=3)
    old = two.read_bytes()
    llamapack.ran("edit", two, "--add", third)
    assert models_ini(two) == f"{SMALL}\n{EYES}\n[third]\nmodel = /zip/third.gguf\n"
    assert served(two)[2] == ("third.gguf", "third")
    llamapack.ran("verify", two)
    llamapack.ran("edit", two, "--remove", "third.gguf")
    assert two.read_bytes() == old

    llamapack.ran("edit", two, "--remove", "s.gguf", "mmproj.gguf")
    assert models_ini(two) == EYES.replace("mmproj = /zip/mmproj.gguf\n", "")
    with Bundle.open(two) as bundle:
        assert sorted(parse(bundle.args, {})) == sorted(
            ["-m", "e.gguf", "--models-preset", "/zip/models.ini", "--temp", "0"]
        )
    llamapack.ran("edit", two, "--args", "-c 9")
    assert models_ini(two).startswith("[eyes]")
    llamapack.ran("verify", two)
    two_words = write_gguf(tmp_path / "two words.gguf", seed=4)
    assert "cannot be the name of a model" in refused(llamapack("edit", two, "--add", two_words))


def test_without_models_ini_it_is_a_bundle_with_one(two: Path, llamapack: CommandLine) -> None:
    llamapack.ran("edit", two, "--remove", MODELS)
    with Bundle.open(two) as bundle:
        assert MODELS not in bundle.members
        assert bundle.args == "-m\ns.gguf\n--temp 0\n"
    assert served(two) == [("s.gguf", None), ("e.gguf", None)]
    llamapack.ran("verify", two)


def test_upgrade_keeps_them(two: Path, llamapack: CommandLine) -> None:
    shutil.rmtree(llamapack.engine)
    write_engine(llamapack.engine, {"llamapack-engine": b"another engine"})
    llamapack.ran("upgrade", two)
    llamapack.ran("verify", two)
    assert models_ini(two) == f"{SMALL}\n{EYES}"
    assert served(two) == [("s.gguf", "small"), ("e.gguf", "eyes")]


def test_refusals(gguf: Path, tmp_path: Path, llamapack: CommandLine, refused: Refused) -> None:
    other = write_gguf(tmp_path / "other.gguf", seed=2)
    a, b = ["--model", f"a={gguf}"], ["--model", f"b={other}"]
    cases: list[tuple[list[str | Path], str]] = [
        ([gguf, *a], "some models have names"),
        (["--model", gguf], "has no name"),
        ([*a, "--model", f"a={other}"], "two models have the name a"),
        (["--model", f"a:b={gguf}"], "cannot be the name of a model"),
        ([*a, "--model", f"b={gguf}"], "two inputs would be member"),
        ([*a, *b, "--mmproj", f"a={gguf}", "--mmproj", gguf], "`--mmproj` is given twice for a"),
        ([gguf, "--draft", other, "--draft", other], "`--draft` is given twice"),
        ([gguf, "--model-args", "-c 1"], "for one of several"),
        ([*a, *b, "--model-args", "b=4096"], "is not an option"),
        ([*a, *b, "--model-args", "b=--grammar '#'"], "in which a value ends"),
    ]
    for words, message in cases:
        done = llamapack("pack", *words, "-o", tmp_path / "x.llamafile")
        assert message in refused(done), words
        assert not (tmp_path / "x.llamafile").exists()
