"""Chat templates that are packed in place of a model's own."""

from __future__ import annotations

from packer.templates import limited
from packer.templates.environment import RenderError
from packer.templates.origin import chat_template
from runtime.errors import InputError

_LIMIT = 1 << 20  # bytes


def load(word: str) -> bytes:
    """The Jinja text of a template.

    Args:
        word: one of `names()`, or the path of a file: Jinja, a model card with the template fields
            of old ones, a `tokenizer_config.json`, a GGUF or a bundle.

    Raises:
        InputError: it is neither, holds no template, or a template that is no Jinja.
    """
    text = chat_template(word).in_one()
    if len(text.encode()) > _LIMIT:
        raise InputError(f"{word} is too large for a chat template", "Give a Jinja file.")
    try:
        limited.check(text)
    except RenderError as problem:
        raise InputError(
            f"{word} does not contain a chat template: {problem}",
            "Correct it, or name another Jinja file.",
        ) from None
    return text.encode()
