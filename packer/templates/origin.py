"""Finds the chat template in whatever file is named, or the included one of that name."""

from __future__ import annotations

import io
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from packer.io.data_folders import data_folder
from packer.templates import huggingface
from packer.templates.huggingface import text_of
from packer.templates.legacy import PROMPT_FIELD, stated_template
from packer.templates.template import ChatTemplate, RenderError, check_syntax
from packer.templates.vocabulary import Vocabulary
from runtime.errors import InputError
from runtime.formats.args_file import ZIP, parse
from runtime.formats.bundle import TEMPLATE, Bundle
from runtime.formats.gguf_header import MAGIC, Header, read_header_of
from runtime.formats.model_facts import model_facts
from runtime.formats.zip_directory import Member
from runtime.launch.flags import read_flags

FOLDER = data_folder("templates") / "chat"
"""The included templates, `NAME.jinja`, and the BOS and EOS that their models usually have."""

_OWN, _OWN_FOR_TOOLS = "tokenizer.chat_template", "tokenizer.chat_template.tool_use"
_CARDS = (".md", ".markdown")
_PROGRAMS = (b"MZ", b"jart", b"PK\3\4", b"\x7fELF", b"\xcf\xfa\xed\xfe")
"""How bundles and other llamafiles begin: polyglots, ZIP, and native programs."""


def names() -> list[str]:
    """The names of the included templates."""
    return sorted(path.stem for path in FOLDER.glob("*.jinja"))


def load(word: str) -> bytes:
    """The Jinja text of the template that `word` names, as for `chat_template`. Raises InputError
    if there is none, or it is not Jinja."""
    text = chat_template(word).in_one()
    try:
        check_syntax(text)
    except RenderError as problem:
        raise InputError(
            f"{word} does not contain a chat template: {problem}",
            "Correct it, or name another Jinja file.",
        ) from None
    return text.encode()


def chat_template(word: str) -> ChatTemplate:
    """The chat template of that name, or in that file.

    Args:
        word: one of `names()`, or the path of a bundle, another llamafile, a GGUF, a model card, a
            `tokenizer_config.json`, a folder with one, or a Jinja file.

    Raises:
        InputError: it is none of these, or holds no template.
    """
    found = any_template(word)
    if not found.text:
        raise InputError(
            f"{word} has no chat template",
            f"Name one with `--chat-template`: {', '.join(names())}, or a file.",
        )
    return found


def any_template(word: str) -> ChatTemplate:
    """The same, but with an empty text for a model that has no template."""
    if word in names():
        return named(word)
    path = Path(word)
    if path.is_dir():
        return huggingface.of_folder(path)
    if not path.is_file():
        raise InputError(
            f"there is no chat template {word}",
            f"Name a file, or one of these: {', '.join(names())}.",
        )
    with path.open("rb") as file:
        start = file.read(len(MAGIC))
    if start == MAGIC:
        return of_model(read_header_of(path), lambda: path.open("rb"))
    if start.startswith(_PROGRAMS):
        with Bundle.open(path) as bundle:
            return _of_bundle(bundle)
    ending = path.suffix.lower()
    if ending == ".json":
        return huggingface.of_json(path)
    return ChatTemplate(of_card(path) if ending in _CARDS else text_of(path))


def named(name: str) -> ChatTemplate:
    """An included template."""
    text = (FOLDER / f"{name}.jinja").read_text(encoding="utf-8")
    tokens = tomllib.loads((FOLDER / "tokens.toml").read_text(encoding="utf-8")).get(name, {})
    return ChatTemplate(text, bos=tokens.get("bos", ""), eos=tokens.get("eos", ""))


def of_card(path: Path) -> str:
    """Jinja for the template fields of an old model card. Raises InputError if it has no such
    fields, or they make no template."""
    from packer.metadata.front_matter import front_matter  # and a YAML library

    found = stated_template(front_matter(text_of(path), str(path)), str(path))
    if found is None:
        raise InputError(
            f"{path} has no `{PROMPT_FIELD}` in its front matter",
            "Name a chat template, or leave `--chat-template` out to use the model's own.",
        )
    return found


def of_model(header: Header, opened: Callable[[], BinaryIO]) -> ChatTemplate:
    """The template in the GGUF with this header; `opened` opens it."""
    vocabulary = Vocabulary.of(header, opened)
    bos, eos = vocabulary.bos_and_eos if vocabulary else ("", "")
    text, tool_use = header.metadata.get(_OWN), header.metadata.get(_OWN_FOR_TOOLS)
    return ChatTemplate(
        text if isinstance(text, str) else tool_use if isinstance(tool_use, str) else "",
        tool_use if isinstance(tool_use, str) else None,
        bos=bos,
        eos=eos,
        vocabulary=vocabulary,
    )


def _of_bundle(bundle: Bundle) -> ChatTemplate:
    """The template that the engine uses for the model that a bundle starts with."""
    member = _first_model(bundle)
    model = ChatTemplate("")
    if member is not None:
        header = bundle.header(member)
        model = of_model(header, lambda: _start(bundle.path, member.name, header))
    elif TEMPLATE not in bundle.members:
        raise InputError(f"{bundle.path} has neither weights nor a template", "Name a bundle.")
    if TEMPLATE not in bundle.members:
        return model
    return ChatTemplate(bundle.read(TEMPLATE).decode("utf-8", "replace")).of_model(model)


def _start(path: Path, name: str, header: Header) -> BinaryIO:
    """The metadata of a model. The vocabulary is read again after its bundle was closed, and a
    bundle in parts is not a file that could be opened."""
    size = max((end for _, end in header.pairs.values()), default=0)
    data = bytearray()
    with Bundle.open(path) as bundle:
        pieces = bundle.stream(bundle.members[name])
        while len(data) < size and (piece := next(pieces, b"")):
            data += piece
    return io.BytesIO(bytes(data))


def _first_model(bundle: Bundle) -> Member | None:
    """The model that the bundle starts with."""
    members = {member.name: member for member in bundle.weights}
    try:
        words = parse(bundle.args, {})
    except InputError:
        words = []
    named = read_flags(words).model.removeprefix(ZIP)
    if named in members:
        return members[named]
    for member in members.values():
        if model_facts([bundle.header(member)], member.size).kind == "model":
            return member
    return None
