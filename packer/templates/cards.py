"""Chat templates out of the front matter of model cards."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from packer.io.console import warning
from packer.metadata.front_matter import front_matter
from packer.templates.legacy import HISTORY_FIELD, PROMPT_FIELD, LegacyTemplates, to_jinja
from packer.templates.texts import text_of
from packer.weights.collected import Inputs
from runtime.errors import InputError


def of_card(path: Path) -> str:
    """Jinja for what the card at `path` says.

    Raises:
        InputError: it has no such fields, or they make no template.
    """
    found = _stated(front_matter(text_of(path), str(path)), str(path))
    if found is None:
        raise InputError(
            f"{path} has no `{PROMPT_FIELD}` in its front matter",
            "Name a chat template, or leave `--chat-template` out to use the model's own.",
        )
    return found


def stated_template(card: Mapping[str, Any], inputs: Inputs) -> bytes | None:
    """Jinja for what the card of models says that have no template; None if it says nothing usable.

    Args:
        card: its front matter.
    """
    if any(model.chat_template for model in inputs.models):
        return None
    try:
        found = _stated(card, "the model card")
    except InputError as problem:
        warning(f"{problem.message}, so its `{PROMPT_FIELD}` is not used")
        return None
    return found.encode() if found else None


def _stated(card: Mapping[str, Any], name: str) -> str | None:
    prompt, history = card.get(PROMPT_FIELD), card.get(HISTORY_FIELD)
    if not isinstance(prompt, str) or not isinstance(history, str | None):
        return None
    if "{{" not in prompt and history is None:
        # Cards of other quantizers write it so.
        prompt = prompt.replace("{prompt}", "{{prompt}}")
    return to_jinja(LegacyTemplates(prompt, history), name)
