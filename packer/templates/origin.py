"""Finds the chat template in whatever file is named."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from packer.templates import huggingface
from packer.templates.cards import of_card
from packer.templates.found import ChatTemplate
from packer.templates.named import named, names
from packer.templates.texts import text_of
from packer.templates.vocabulary import Vocabulary
from runtime.errors import InputError
from runtime.formats.args_file import ZIP, parse
from runtime.formats.bundle import TEMPLATE, Bundle
from runtime.formats.gguf_header import MAGIC, Header, read_header_of
from runtime.formats.model_facts import model_facts
from runtime.formats.zip_directory import Member
from runtime.launch.flags import read_flags

_OWN, _OWN_FOR_TOOLS = "tokenizer.chat_template", "tokenizer.chat_template.tool_use"
_CARDS = (".md", ".markdown")
_PROGRAMS = (b"MZ", b"jart", b"PK\3\4", b"\x7fELF", b"\xcf\xfa\xed\xfe")
"""How bundles and other llamafiles begin: polyglots, ZIP, and native programs."""


def chat_template(word: str) -> ChatTemplate:
    """The chat template of that name, or in that file.

    Args:
        word: one of `packer.names()`, or the path of a bundle, another llamafile, a
            GGUF, a model card, a `tokenizer_config.json`, a folder with one, or a Jinja file.

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
    """The same, with an empty text for a model that has no template.

    Raises:
        InputError: it is none of these.
    """
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
    if not start.startswith(_PROGRAMS):
        return _of_text(path)
    with Bundle.open(path) as bundle:
        return of_bundle(bundle)


def _of_text(path: Path) -> ChatTemplate:
    ending = path.suffix.lower()
    if ending == ".json":
        return huggingface.of_json(path)
    return ChatTemplate(of_card(path) if ending in _CARDS else text_of(path))


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


def of_bundle(bundle: Bundle) -> ChatTemplate:
    """The template that the engine uses for the model that a bundle starts with.

    Raises:
        InputError: it has neither.
    """
    member = _first_model(bundle)
    if member is not None:
        return of_member(bundle, member, bundle.header(member))
    if TEMPLATE not in bundle.members:
        raise InputError(f"{bundle.path} has neither weights nor a template", "Name a bundle.")
    return _own(bundle).of_model(ChatTemplate(""))


def of_member(bundle: Bundle, member: Member, header: Header) -> ChatTemplate:
    """The template that the engine uses for one model of a bundle, whose header was read."""
    model = of_model(header, lambda: _start(bundle, member, header))
    return _own(bundle).of_model(model) if TEMPLATE in bundle.members else model


def _own(bundle: Bundle) -> ChatTemplate:
    return ChatTemplate(bundle.read(TEMPLATE).decode("utf-8", "replace"))


def _start(bundle: Bundle, member: Member, header: Header) -> BinaryIO:
    """The metadata of a model: bundles in parts are no file that could be opened again."""
    size = max((end for _, end in header.pairs.values()), default=0)
    data = bytearray()
    pieces = bundle.stream(member)
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
        header = bundle.header(member)
        if model_facts([header], member.size).kind == "model":
            return member
    return None
