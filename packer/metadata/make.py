"""The card of a bundle in one step, for the commands."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from packer.metadata.card import facts
from packer.metadata.render import render
from packer.parts.layout import Layout
from runtime.bundle import Bundle
from runtime.download.settings import settings
from runtime.download.words import HubWord


def made(
    layout: Layout,
    bundle: Bundle,
    sums: Mapping[str, str],
    *,
    repo: HubWord | None,
    folder: Path | None,
) -> str:
    """The text of README.md.

    Args:
        sums: SHA-256 by name, of all files of `layout`.
        repo: where the files will be; None: the card has no addresses.
        folder: templates in place of ours.

    Raises:
        InputError: the bundle says too little, or a template fails.
    """
    hub = settings().endpoint
    return render(facts(layout, bundle, sums, hub=hub, repo=repo), folder)
