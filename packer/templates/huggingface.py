"""Chat templates in text files: Jinja, and the repositories of Hugging Face.

Forms: `chat_template` in `tokenizer_config.json`, a text or a list of named texts (documentation of
transformers, "Chat templates"); since 2025 `chat_template.jinja`, with more of them under
`additional_chat_templates/`; `chat_template.json` of processors.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from packer.templates.template import ChatTemplate
from runtime.errors import InputError
from runtime.formats.json_input import parse_json
from runtime.formats.user_text import decoded

CONFIG, JINJA, MORE = "tokenizer_config.json", "chat_template.jinja", "additional_chat_templates"
_TOOL_USE = "tool_use"
_LIMIT = 64 << 20  # bytes; a tokenizer_config.json can list a whole vocabulary
_TIP = "Give a Jinja file, a model card, a tokenizer_config.json, a GGUF or a bundle."


def text_of(path: Path) -> str:
    """The text in a file. Raises InputError if it is missing, too large, empty, or not text."""
    if not path.is_file():
        raise InputError(f"{path} does not exist", _TIP)
    if path.stat().st_size > _LIMIT:
        raise InputError(f"{path} is too large for a chat template", _TIP)
    try:
        text = decoded(path.read_bytes())
    except UnicodeDecodeError:
        raise InputError(f"{path} is not UTF-8 text", "Save it as UTF-8.") from None
    if "\0" in text or not text.strip():
        raise InputError(f"{path} holds no chat template", _TIP)
    return text


def of_json(path: Path) -> ChatTemplate:
    """The template in a `tokenizer_config.json` or `chat_template.json`. Raises InputError if there
    is none."""
    config = _config(path)
    text, tool_use = _named(config.get("chat_template"))
    if text is None:
        if path.name == CONFIG and path.with_name(JINJA).is_file():
            return of_folder(path.parent)
        raise InputError(
            f"{path} holds no chat template",
            f"Base models have none; else look for {JINJA} beside it.",
        )
    return ChatTemplate(text, tool_use, bos=_token(config, "bos"), eos=_token(config, "eos"))


def of_folder(folder: Path) -> ChatTemplate:
    """The template of a model as transformers saves it. Raises InputError if there is none."""
    jinja, config = folder / JINJA, folder / CONFIG
    if not jinja.is_file():
        if config.is_file():
            return of_json(config)
        raise InputError(
            f"{folder} holds neither {JINJA} nor {CONFIG}", "Name the file with the template."
        )
    tokens = _config(config) if config.is_file() else {}
    tool_use = folder / MORE / f"{_TOOL_USE}.jinja"
    return ChatTemplate(
        text_of(jinja),
        text_of(tool_use) if tool_use.is_file() else None,
        bos=_token(tokens, "bos"),
        eos=_token(tokens, "eos"),
    )


def _config(path: Path) -> dict[str, Any]:
    try:
        config = parse_json(text_of(path))
    except ValueError:
        config = None
    if not isinstance(config, dict):
        raise InputError(f"{path} is not a JSON object", f"Give a {CONFIG} or a Jinja file.")
    return config


def _named(value: object) -> tuple[str | None, str | None]:
    """The usual template and the one for tools: of a text, a list of named ones or an object."""
    if isinstance(value, str):
        return _text(value), None
    if isinstance(value, list):
        value = {
            one["name"]: one.get("template")
            for one in value
            if isinstance(one, dict) and isinstance(one.get("name"), str)
        }
    if not isinstance(value, dict):
        return None, None
    texts = {name: _text(text) for name, text in value.items() if isinstance(text, str)}
    tool_use = texts.get(_TOOL_USE)
    return texts.get("default", tool_use), tool_use if "default" in texts else None


def _token(config: dict[str, Any], name: str) -> str:
    """The text of BOS or EOS: a text, or an object that says more about it."""
    token = config.get(f"{name}_token")
    if isinstance(token, dict):
        token = token.get("content")
    return _text(token) if isinstance(token, str) else ""


def _text(value: str) -> str:
    """As text that has a form in UTF-8: JSON can spell half of a surrogate pair."""
    return value.encode(errors="replace").decode()
