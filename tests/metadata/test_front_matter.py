"""The YAML in front of model cards."""

from __future__ import annotations

import json
import re
from contextlib import suppress

import pytest
import yaml
from helpers.cards import GEMMA_CARD
from hypothesis import example, given, settings
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


def nested(depth: int) -> str:
    return f"a: {'[' * depth}{']' * depth}"


def bomb(first: str, form: str) -> str:
    """Each line states the one before it nine times."""
    lines = [form.format(n=n, before=f"*a{n - 1}," * 9) for n in range(1, 12)]
    return "\n".join([first, *lines])


MOST = (1 << 19) - len("a: \n")  # characters
REFUSED = {
    "broken": ("license: mit\ntags: [a", "README.md, line 3 of its YAML: "),
    "a program": ("a: !!python/object/apply:os.getcwd []", "could not determine a constructor"),
    "a bomb": (bomb("a0: &a0 [x]", "a{n}: &a{n} [{before}]"), "more than a card can"),
    "a bomb of merges": (bomb("a0: &a0 {k: v}", "a{n}: &a{n} {{<<: [{before}]}}"), "README.md"),
    "itself": ("a: &a [*a]", "more than a card can"),
    "too deep": (nested(51), "more than a card can"),
    "too long": ("a: " + "x" * (MOST + 1), "more than a card can"),
    "too many": ("a: [" + "1," * 100_000 + "]", "more than a card can"),
    "a tag on nothing": ("a: !!int ''", "README.md"),
    "a tag on less": ("a: !!float ''", "README.md"),
    "a tag on a sign": ("a: !!int '-'", "README.md"),
    "a tag on a word": ("a: !!bool maybe", "README.md"),
    "a tag on no date": ("a: !!timestamp soon", "README.md"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case: str) -> None:
    block, message = REFUSED[case]
    with pytest.raises(InputError, match=re.escape(message)):
        front_matter(f"---\n{block}\n---\n", "README.md")


def test_the_most_that_a_card_can_state() -> None:
    assert front_matter(f"---\na: {'x' * MOST}\n---\n", "README.md") == {"a": "x" * MOST}
    found = front_matter(f"---\n{nested(50)}\n---\n", "README.md")
    assert str(found["a"]) == "[" * 50 + "]" * 50


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
@example({"True0": "falsehood"})
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
