"""The chat templates that come with llamapack: `templates/chat/NAME.jinja`."""

from __future__ import annotations

import tomllib
from functools import cache

from packer.io.data_folders import data_folder
from packer.templates.found import ChatTemplate

FOLDER = data_folder("templates") / "chat"
_TOKENS = FOLDER / "tokens.toml"


def names() -> list[str]:
    """Their names."""
    return sorted(path.stem for path in FOLDER.glob("*.jinja"))


def named(name: str) -> ChatTemplate:
    """The template of that name, with the BOS and EOS that its models usually have."""
    text = (FOLDER / f"{name}.jinja").read_text(encoding="utf-8")
    tokens = _tokens().get(name, {})
    return ChatTemplate(text, bos=tokens.get("bos", ""), eos=tokens.get("eos", ""))


@cache
def _tokens() -> dict[str, dict[str, str]]:
    return tomllib.loads(_TOKENS.read_text(encoding="utf-8"))
