"""Where engines for Windows go, which starts no program of 4 GiB or more: `NAME.exe`, a file of its
own, or the bundle itself as a script of cmd.exe."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

AUTO, EXTERNAL, CMD, NONE = "auto", "external", "cmd", "none"
CHOICES = {
    AUTO: "in the bundle, or external if it would reach 4 GiB",
    EXTERNAL: "in NAME.exe, which finds NAME.llamafile or NAME.gguf in its folder",
    CMD: "in the bundle of any size, which Windows starts by the name NAME.cmd",
    NONE: "leave them out",
}
LIMIT = 1 << 32
"""Windows refuses to start a file of this many bytes or more."""


def is_windows(target: str) -> bool:
    """Whether this is the name of a target of Windows."""
    return target.startswith("windows-")


def divided(choice: str, targets: Collection[str], size: int) -> tuple[list[str], list[str]]:
    """The targets whose engines go into the bundle, and those for its `NAME.exe`.

    Args:
        choice: a key of `CHOICES`.
        size: bytes of a bundle with all engines.
    """
    others = [target for target in targets if not is_windows(target)]
    windows = [target for target in targets if is_windows(target)]
    if choice == NONE:
        return others, []
    if choice == EXTERNAL or (choice != CMD and size >= LIMIT):
        return others, windows
    return [*others, *windows], []


def path_beside(bundle: Path) -> Path:
    """Where `NAME.exe` for the bundle at this path belongs."""
    stem = bundle.name.removesuffix(".llamafile")
    return bundle.with_name(f"{stem}.exe")
