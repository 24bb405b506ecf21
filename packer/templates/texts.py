"""Small text files that hold templates."""

from __future__ import annotations

from pathlib import Path

from runtime.errors import InputError

_LIMIT = 64 << 20  # bytes; a tokenizer_config.json can list a whole vocabulary
_TIP = "Give a Jinja file, a model card, a tokenizer_config.json, a GGUF or a bundle."


def text_of(path: Path) -> str:
    """The text in a file.

    Raises:
        InputError: it is missing, too large, or no text.
    """
    if not path.is_file():
        raise InputError(f"{path} does not exist", _TIP)
    if path.stat().st_size > _LIMIT:
        raise InputError(f"{path} is too large for a chat template", _TIP)
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{path} is not UTF-8 text", _TIP) from None
    if "\0" in text or not text.strip():
        raise InputError(f"{path} holds no chat template", _TIP)
    return text
