"""Windows starts no file of 4 GiB or more: then its engines go into a `NAME.exe` of their own."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

AUTO, EXTERNAL, NONE = "auto", "external", "none"
CHOICES = {
    AUTO: "in the bundle, or external if it would reach 4 GiB",
    EXTERNAL: "in NAME.exe, which finds NAME.llamafile or NAME.gguf in its folder",
    NONE: "leave them out",
}
LIMIT = 1 << 32
"""Bytes from which on Windows refuses to start a file."""


def is_windows(target: str) -> bool:
    """Whether a target, named as in the bundle format, is one of Windows."""
    return target.startswith("windows-")


def divided(choice: str, targets: Collection[str], size: int) -> tuple[list[str], list[str]]:
    """The targets whose engines go into the bundle, and the targets of its `NAME.exe`.

    Args:
        choice: a key of `CHOICES`.
        size: bytes that the bundle would have with all engines in it.
    """
    others = [target for target in targets if not is_windows(target)]
    windows = [target for target in targets if is_windows(target)]
    if choice == NONE:
        return others, []
    if choice == EXTERNAL or size >= LIMIT:
        return others, windows
    return [*others, *windows], []


def path_beside(bundle: Path) -> Path:
    """Where `NAME.exe` for the bundle at this path belongs."""
    stem = bundle.name.removesuffix(".llamafile")
    return bundle.with_name(f"{stem}.exe")
