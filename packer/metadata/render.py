"""Renders a card with Jinja templates, which maintainers may replace one by one."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import jinja2

from packer.io.data_folders import data_folder
from packer.io.sizes import in_words
from packer.metadata.card import CardFacts, facts
from packer.metadata.front_matter import write
from packer.parts.layout import Layout
from runtime.errors import InputError, shell_word
from runtime.formats.bundle import Bundle
from runtime.hub.settings import settings
from runtime.hub.words import HubWord

FOLDER = data_folder("templates") / "card"
_MAIN = "README.md.jinja"
_PLAIN_ON_WINDOWS = re.compile(r"[\w.+\\-]+", re.ASCII)


def card_text(
    layout: Layout,
    bundle: Bundle,
    sums: Mapping[str, str],
    *,
    repo: HubWord | None,
    folder: Path | None,
) -> str:
    """The text of a bundle's README.md.

    Args:
        sums: SHA-256 by name, of all files of `layout`.
        repo: where the files will be; None: the card has no addresses.
        folder: as for `render`.

    Raises:
        InputError: the bundle states too little, or as for `render`.
    """
    return render(facts(layout, bundle, sums, hub=settings().endpoint, repo=repo), folder)


def render(card: CardFacts, folder: Path | None = None) -> str:
    """The text of README.md.

    Args:
        folder: templates that replace the included ones of the same names.

    Raises:
        InputError: `folder` is not a folder, or a template fails.
    """
    if folder is not None and not folder.is_dir():
        raise InputError(f"{folder} is not a folder of templates", "Name a folder of `*.md.jinja`.")
    folders = [folder, FOLDER] if folder else [FOLDER]
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folders),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # it is Markdown
    )
    environment.filters |= {
        "sh": shell_word, "cmd": _cmd, "listed": _listed, "size": in_words, "text": _text,
    }  # fmt: skip
    try:
        body = environment.get_template(_MAIN).render(card=card)
    except Exception as problem:  # a maintainer's template can fail in any way
        raise InputError(*_explained(problem)) from None
    body = re.sub(r"\n{3,}", "\n\n", body).strip("\n")
    parts = [write(card.front_matter), f"{body}\n"]
    if card.base_card:
        # As it is: blank lines may mean something in it.
        parts.append(f"---\n\n{card.base_card}")
    return "\n".join(parts)


def _explained(problem: Exception) -> tuple[str, str]:
    tip = "docs/model-cards.md lists what templates can use."
    if isinstance(problem, jinja2.TemplateNotFound):
        return f"there is no card template {problem.name}", f"Put it into {FOLDER}."
    if isinstance(problem, jinja2.TemplateSyntaxError):
        return f"{problem.filename or problem.name}:{problem.lineno}: {problem.message}", tip
    return f"a card template fails: {problem}", tip


def _cmd(name: str) -> str:
    """A file name as a word of Windows' command line; names there cannot hold quotes."""
    return name if _PLAIN_ON_WINDOWS.fullmatch(name) else f'"{name}"'


def _listed(names: Sequence[str]) -> str:
    """`A, B and C`."""
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def _text(text: str) -> str:
    """A stranger's text in a line, without the start of a link, a tag or a code span."""
    return re.sub(r"([\\`*_\[\]<>|])", r"\\\1", " ".join(text.split()))
