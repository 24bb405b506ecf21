"""The YAML in front of model cards."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
import yaml
from helpers.cards import GEMMA_CARD
from hypothesis import given, settings
from hypothesis import strategies as st

from packer.metadata.fields import carried, checked
from packer.metadata.front_matter import front_matter
from runtime.errors import InputError

# As a quantizer's card quotes the one of its base model.
QUOTED = """Quantization made by somebody.

gemma-1.1-7b-it - bnb 8bits
---
A rule, and: text

---

Original model description:
---
library_name: transformers
widget:
- messages:
  - role: user
    content: How does the brain work?
inference:
  parameters:
    max_new_tokens: 200
extra_gated_prompt: >-
  To access Gemma on Hugging Face, you’re required to review and agree to
  Google’s usage license.
license: gemma
---

# Gemma
"""


def test_front_matter_of_a_llamafile() -> None:
    found = carried(front_matter(GEMMA_CARD, "README.md"))
    assert found["license"] == "other"
    assert found["base_model"] == "google/gemma-2-2b-it"
    assert found["tags"] == ["llamafile", "conversational"]
    assert found["prompt_template"].splitlines()[1] == "{{prompt}}<end_of_turn>"
    assert found["history_template"] == "<start_of_turn>{{name}}\n{{message}}<end_of_turn>\n"


def test_front_matter_of_a_quoted_card() -> None:
    found = carried(front_matter(QUOTED, "README.md"))
    assert found["inference"] == {"parameters": {"max_new_tokens": 200}}
    assert found["widget"] == [
        {"messages": [{"role": "user", "content": "How does the brain work?"}]}
    ]
    assert found["license"] == "gemma"
    assert found["extra_gated_prompt"].endswith("agree to Google’s usage license.")


@pytest.mark.parametrize(
    ("card", "expected"),
    [
        ("# No front matter\n", {}),
        ("---\nlicense: mit\n---\n", {"license": "mit"}),
        ("\ufeff---\r\nlicense: mit\r\n---\r\ntext", {"license": "mit"}),
        ("---\nlanguage: no\ndate: 2024-10-30\non: off\n---\n",
         {"language": "no", "date": "2024-10-30", "on": "off"}),
        ("---\n- a\n---\n", {}),
        ("---\nlicense: mit\n", {}),
        ("a\n\n---\nheading: 1\n---\nb", {}),
        ('---\nx: "a\\ud800"\n---\n', {"x": "a?"}),
        ("---\nx: .nan\ny: [.inf]\n1: true\n---\n", {"x": "nan", "y": ["inf"], "1": True}),
    ],
)  # fmt: skip
def test_forms(card: str, expected: object) -> None:
    assert front_matter(card, "README.md") == expected


def test_broken_yaml_is_named_with_its_line() -> None:
    with pytest.raises(InputError) as problem:
        front_matter("---\nlicense: mit\ntags: [a\n---\n", "README.md")
    assert problem.value.message.startswith("README.md, line ")


def test_neither_programs_nor_bombs() -> None:
    with pytest.raises(InputError):
        front_matter("---\na: !!python/object/apply:os.getcwd []\n---\n", "README.md")
    lines = ["a0: &a0 [x]"] + [f"a{n}: &a{n} [{f'*a{n - 1},' * 9}]" for n in range(1, 12)]
    with pytest.raises(InputError, match="more than a card can"):
        front_matter("---\n" + "\n".join(lines) + "\n---\n", "README.md")
    with pytest.raises(InputError, match="more than a card can"):
        front_matter("---\na: &a [*a]\n---\n", "README.md")


@pytest.mark.parametrize("depth", [50, 51])
def test_a_card_nests_so_deep_and_no_deeper(depth: int) -> None:
    card = f"---\na: {'[' * depth}{']' * depth}\n---\n"
    if depth > 50:
        with pytest.raises(InputError, match="more than a card can"):
            front_matter(card, "README.md")
    else:
        assert str(front_matter(card, "README.md")["a"]) == "[" * depth + "]" * depth


@pytest.mark.parametrize("size", [1 << 19, (1 << 19) + 1])
def test_a_card_states_so_much_and_no_more(size: int) -> None:
    value = "x" * (size - len("a: \n"))
    if size > 1 << 19:
        with pytest.raises(InputError, match="more than a card can"):
            front_matter(f"---\na: {value}\n---\n", "README.md")
    else:
        assert front_matter(f"---\na: {value}\n---\n", "README.md") == {"a": value}


@pytest.mark.parametrize(
    "value", ["!!int ''", "!!float ''", "!!int '-'", "!!bool maybe", "!!timestamp soon"]
)
def test_tags_that_their_values_belie(value: str) -> None:
    with pytest.raises(InputError, match=r"README\.md"):
        front_matter(f"---\na: {value}\n---\n", "README.md")


def test_a_bomb_of_merges() -> None:
    lines = ["a0: &a0 {k: v}"]
    lines += [f"a{n}: &a{n} {{<<: [{f'*a{n - 1},' * 9}]}}" for n in range(1, 12)]
    with pytest.raises(InputError):
        front_matter("---\n" + "\n".join(lines) + "\n---\n", "README.md")


@settings(deadline=None)
@given(st.text() | st.text().map(lambda text: f"---\n{text}\n---\n"))
def test_any_card_is_read_or_refused(card: str) -> None:
    with suppress(InputError):
        found = carried(front_matter(card, "README.md"))
        json.dumps(found, allow_nan=False, ensure_ascii=False).encode()


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None)
@given(st.dictionaries(st.text(), _VALUES, max_size=5))
def test_what_another_program_writes(values: dict[str, object]) -> None:
    # Without aliases, which nobody writes by hand.
    text = yaml.dump(
        values, Dumper=type("D", (yaml.SafeDumper,), {"ignore_aliases": lambda *_: True})
    )
    assert front_matter(f"---\n{text}---\n", "README.md") == values


def test_only_known_facts_of_their_type() -> None:
    assert carried({"license": ["mit", "other"], "tags": "a", "x": 1, "title": ""}) == {
        "license": ["mit", "other"]
    }
    assert checked("tags", []) == ("tags", [])
    with pytest.raises(InputError):
        checked("pipeline_tag", 1)
