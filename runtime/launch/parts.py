"""Bundles in parts: read as they are, and joined in place before they are started."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from runtime.console import in_words, note
from runtime.errors import InputError, shell_word
from runtime.formats.bundle import Bundle
from runtime.formats.parts import Parts, find, of_whole, part_name, siblings
from runtime.formats.weights import is_gguf
from runtime.formats.zip_directory import read_directory

Join: TypeAlias = Callable[[Path], Path]
"""Joins the parts of the file that a part belongs to, in place; the path of the file."""


@dataclass(frozen=True)
class Parted:
    """A file in parts."""

    part: Path
    """One of them."""
    whole: Path
    """The joined file, which may not exist yet."""

    @property
    def half_joined(self) -> bool:
        """Whether joining was interrupted, so that the parts are incomplete."""
        return self.whole.with_name(f"{self.whole.name}.joining.json").exists()

    def join(self, join: Join | None, ask: Callable[[str], bool | None]) -> None:
        """Make one file of them without a second copy; resumes an interrupted join.

        Args:
            join: None if this program cannot.
            ask: returns None when there is no terminal; the parts are then joined without asking.

        Raises:
            InputError: a part is missing or damaged, or the user declines.
        """
        part = shell_word(self.part)
        joins = (
            f"`llamapack join {part}` joins them and keeps them; with `--in-place` they "
            "become the file. Without llamapack, join them in their order with `cat`."
        )
        if join is None:
            raise InputError(
                f"{self.whole} is split into parts, and this program cannot join them", joins
            )
        size = "" if self.half_joined else f" ({in_words(find(self.part).size)})"
        question = f"{self.whole} is split into parts. Join them in place{size}?"
        if ask(question) is False:
            raise InputError(f"{self.whole} is split into parts, which engines cannot map", joins)
        note(f"joining the parts of {self.whole} in place")
        join(self.part)


def parted(path: Path) -> Parted | Path:
    """The file that a path names: in parts, or whole.

    A part that is the complete file is whole. So is a joined file in the folder of its parts.

    Raises:
        InputError: parts are missing, or the file exists and is not theirs.
    """
    name = part_name(path.name)
    if name is None or is_gguf(path):
        return path
    whole = path.with_name(name.whole)
    here = Parted(path, whole)
    if here.half_joined:
        return here
    if whole.is_file() and not path.exists():
        return whole  # it has become the file
    parts = find(path)
    if len(parts.paths) == 1:
        return parts.paths[0]
    if not whole.exists():
        return here
    if not whole.is_file() or whole.stat().st_size != parts.size:
        raise InputError(
            f"{whole} exists next to its parts, and has another size",
            "Move it away if it is old, or name it instead of the parts.",
        )
    return whole


class Bundles(ExitStack):
    """Bundles of one start: each is opened once, and all are closed at its end."""

    def __init__(self) -> None:
        super().__init__()
        self._open: dict[Path, Bundle] = {}

    def opened(self, path: Path) -> Bundle:
        """A bundle, in one file or in parts; `InputError` if it is neither, or damaged."""
        if path not in self._open:
            parts = [] if path.exists() else list(_parts(path).values())
            bundle = open_parts(find(parts[0])) if parts else Bundle.open(path)
            self._open[path] = self.enter_context(bundle)
        return self._open[path]


def open_parts(parts: Parts) -> Bundle:
    """The bundle that the parts make up; the caller closes it.

    Raises:
        InputError: it is not a bundle, or its directory is damaged.
    """
    stream = parts.open()
    try:
        return Bundle(parts.whole, stream, read_directory(stream, str(parts.whole)))
    except BaseException:
        stream.close()
        raise


def _parts(whole: Path) -> dict[int, Path]:
    older = part_name(f"{whole.name.removesuffix('.llamafile')}.cat0.llamafile")
    found = siblings(whole.parent, of_whole(whole))
    return found or (siblings(whole.parent, older) if older else {})
