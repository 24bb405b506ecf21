"""The block of YAML that a card begins with, which the Hub reads."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import yaml

# The Hub's documentation, pages "Model Cards" and "Gated models"; the templates are llamafile's.
FIELDS = (
    "language",
    "license",
    "license_name",
    "license_link",
    "base_model",
    "base_model_relation",
    "library_name",
    "pipeline_tag",
    "tags",
    "model_creator",
    "quantized_by",
    "prompt_template",
    "history_template",
    "datasets",
    "widget",
    "inference",
    "extra_gated_heading",
    "extra_gated_prompt",
    "extra_gated_description",
    "extra_gated_fields",
    "extra_gated_button_content",
)
"""In the order in which they are written."""

_BLOCK = re.compile(r"\A\s*---[ \t]*\r?\n.*?^---[ \t]*(?:\r?\n|\Z)", re.DOTALL | re.MULTILINE)

# YAML takes some of these for line ends.
_OTHER_BLANKS = re.compile(r"[^\S\n ]")


def write(fields: Mapping[str, Any]) -> str:
    """The block with those of `FIELDS` that are known, between its two lines of `---`."""
    known = {name: fields[name] for name in FIELDS if fields.get(name) not in (None, "", [], {})}
    text = yaml.dump(known, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=2**31)
    return f"---\n{text}---\n"


def without(card: str) -> str:
    """The text of a card behind its front matter."""
    return _BLOCK.sub("", card, count=1).strip("\n") + "\n"


def unique(*lists: Iterable[str]) -> list[str]:
    """All of them once, in their order."""
    return list(dict.fromkeys(one for names in lists for one in names))


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as such."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = '"' if _OTHER_BLANKS.search(text) else "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)
