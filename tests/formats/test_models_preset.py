"""`models.ini`: what llamapack writes another reader reads, and it reads what others wrote."""

from __future__ import annotations

from configparser import ConfigParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packer.bundle.models_ini import (
    Draft,
    Lora,
    ModelSection,
    preset,
    section_of,
    served_as,
    without,
)
from runtime.errors import InputError

NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,9}", fullmatch=True).filter(
    lambda name: name.lower() != "default"
)
MEMBERS = st.from_regex(r"[a-z0-9 ='._-]{1,9}\.gguf", fullmatch=True).filter(
    lambda name: name == name.strip()
)


def read(text: str) -> dict[str, dict[str, str]]:
    """What Python's own reader finds."""
    reader = ConfigParser(delimiters=("=",), comment_prefixes=("#", ";"), interpolation=None)
    reader.optionxform = str  # type: ignore[assignment,method-assign]
    reader.read_string(text)
    return {name: dict(reader[name]) for name in reader.sections()}


def test_everything_that_a_model_has() -> None:
    eyes = ModelSection(
        "eyes", "eyes.gguf", "mmproj.gguf",
        [Lora("a.gguf"), Lora("b.gguf", "0.5"), Lora("c.gguf")],
        Draft("d.gguf", "draft-simple"),
        ["-c", "4096", "--temp", "-0.5", "--no-mmap"],
    )  # fmt: skip
    assert read(preset([ModelSection("small", "s.gguf"), eyes])) == {
        "small": {"model": "/zip/s.gguf"},
        "eyes": {
            "model": "/zip/eyes.gguf",
            "mmproj": "/zip/mmproj.gguf",
            "lora": "/zip/a.gguf,/zip/c.gguf",
            "lora-scaled": "/zip/b.gguf:0.5",
            "model-draft": "/zip/d.gguf",
            "spec-type": "draft-simple",
            "c": "4096",
            "temp": "-0.5",
            "no-mmap": "true",
        },
    }


@given(st.dictionaries(NAMES, MEMBERS, min_size=1))
def test_any_names(models: dict[str, str]) -> None:
    text = preset(ModelSection(name, model) for name, model in models.items())
    assert read(text) == {name: {"model": f"/zip/{model}"} for name, model in models.items()}
    by_member: dict[str, str] = {}
    for name, model in models.items():
        by_member.setdefault(model, name)
    assert served_as(text) == by_member
    assert without(text, ()) == text


@pytest.mark.parametrize("name", ["", "two words", "a:b", "[x]", "*", "default", "-m", "ü", "a/b"])
def test_names_that_cannot_be_asked_for(name: str) -> None:
    with pytest.raises(InputError, match="cannot be the name of a model"):
        section_of(name, "m.gguf", ())


@pytest.mark.parametrize("member", ["a#1.gguf", "a;1.gguf"])
def test_values_that_would_be_cut_off(member: str) -> None:
    with pytest.raises(InputError, match="in which a value ends"):
        section_of("a", member, ())


def test_words_that_are_no_options() -> None:
    with pytest.raises(InputError, match="'4096' is not an option"):
        preset([ModelSection("a", "a.gguf", args=["4096"])])


def test_what_goes_with_members() -> None:
    text = (
        "# mine\n[*]\nc = 512 ; for all\n\n[a]\nmodel = /zip/a.gguf\nlora = /zip/x.gguf,y.gguf\n"
        "lora-scaled = /zip/z.gguf:2\n\n[b]\nm = b.gguf\nmmproj = /zip/eyes.gguf\n"
    )
    assert read(without(text, {"y.gguf", "z.gguf", "eyes.gguf"})) == {
        "*": {"c": "512 ; for all"},
        "a": {"model": "/zip/a.gguf", "lora": "/zip/x.gguf"},
        "b": {"m": "b.gguf"},
    }
    assert list(read(without(text, {"a.gguf"}))) == ["*", "b"]
    assert served_as(without(text, {"a.gguf", "b.gguf"})) == {}


@given(st.text(alphabet="[]=#;ab/zip.gguf \n\t", max_size=60))
def test_any_text_is_read(text: str) -> None:
    """A file that a user added may hold anything."""
    served_as(text)
    assert served_as(without(text, {"a.gguf"})).keys() == served_as(text).keys() - {"a.gguf"}
