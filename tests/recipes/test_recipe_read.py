"""Recipes that are not as they should be: what is wrong, and where."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
import tomli_w
from helpers.stand_ins import CommandLine, Refused
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from packer.recipes.fields import FIELDS
from packer.recipes.read import file_of, read
from runtime.errors import InputError


@pytest.mark.parametrize(
    ("text", "message", "tip"),
    [
        ('name = "n"\nweight = "x"', "line 2: a recipe has no key `weight`", "`weights`"),
        ("chat_template = 1", "line 1: a recipe has no key `chat_template`", "`chat-template`"),
        ("\n\nname = 5", "line 3: `name` must be a text", ""),
        ('merge = "yes"', "`merge` must be true or false", ""),
        ("ctx-size = true", "`ctx-size` must be a whole number", ""),
        ("ctx-size = -1", "`ctx-size` must be a whole number from 0 on", ""),
        ('format = "zip"', "`format` must be one of ape, elf, exe, macho", ""),
        ("targets = [1]", "`targets` must be texts", ""),
        ('weights = ""', "`weights` must be the name of a file", ""),
        ('lora = [{ scale = 1 }]', "`lora` must be adapters", ""),
        ('split-size = "big"', "`split-size` must be a size", ""),
        ("no-split = false", "`no-split` must be true", ""),
        ('split-size = "1GB"\nno-split = true', "line 2: `no-split` and `split-size` exclude", ""),
        ('args = ""\nargs-file = "x"', "line 2: `args-file` and `args` exclude", ""),
        ('\n[sampling]\nheat = 1', "line 2: there is no sampling default 'heat'", "temperature"),
        ('[sampling]\ntop_k = 0.5', "sampling default top_k is 0.5, not a whole number", ""),
        ('[card-fields]\nlicence = "mit"', "line 1: a card has no field 'licence'", "license"),
        ('[card-fields]\ntags = "a"', "card field tags is 'a', not a list of texts", ""),
        ('[[card-fields.sections]]\ntitle = "T"', "card field sections is", ""),
        ('weights = "a\\u0000b"', "`weights` must be a text without NUL", ""),
        ("[card-fields]\nwidget = 2024-01-01", "card field widget is", ""),
        ("[card-fields]\ninference = { a = [nan] }", "card field inference is", ""),
        ("name = = 1", "line 1", "TOML"),
    ],
)  # fmt: skip
def test_mistakes(text: str, message: str, tip: str, tmp_path: Path) -> None:
    path = tmp_path / "r.toml"
    path.write_text(text)
    with pytest.raises(InputError) as problem:
        read(path)
    assert str(path) in problem.value.message
    assert message in problem.value.message
    assert tip in problem.value.tip


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "r.toml"
    path.write_bytes(b'name = "\xff"')
    with pytest.raises(InputError, match="not UTF-8"):
        read(path)


_VALUES = st.recursive(
    st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.dictionaries(st.sampled_from([field.key for field in FIELDS]), _VALUES, max_size=3),
)
def test_any_values_are_read_or_refused(tmp_path: Path, document: dict[str, object]) -> None:
    path = tmp_path / "r.toml"
    path.write_text(tomli_w.dumps(document), encoding="utf-8")
    with suppress(InputError):  # and nothing else
        assert len(read(path)) == len(document)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.text())
def test_any_text_is_read_or_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "r.toml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    with suppress(InputError):  # and nothing else
        read(path)


def test_unknown_names() -> None:
    with pytest.raises(InputError) as problem:
        file_of("nowhere.toml")
    assert "demo" in problem.value.tip


def test_command(llamapack: CommandLine, tmp_path: Path, refused: Refused) -> None:
    recipe = tmp_path / "r.toml"
    recipe.write_text('name = "n"\n')
    assert "names no weights" in refused(llamapack("pack", "--recipe", recipe, cwd=tmp_path))
    recipe.write_text('weights = "none.gguf"\n')
    line = refused(llamapack("pack", "--recipe", recipe, cwd=tmp_path))
    assert f"{tmp_path / 'none.gguf'} does not exist" in line
    assert llamapack("pack", cwd=tmp_path).returncode == 2
    assert sorted(path.name for path in tmp_path.glob("*")) == ["llamapack-under-test", "r.toml"]
