"""Other files in a bundle than weights: grammars, presets, anything that options may name."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from packer.bundle.contents import check_member_name
from packer.io.sources import FileSource, Source
from packer.weights.zipped import ZippedSource, named_member
from runtime.errors import InputError
from runtime.formats.bundle import Bundle


def extra_files(words: Iterable[str]) -> dict[str, Source]:
    """Contents by member name.

    Args:
        words: files, or `ARCHIVE:MEMBER`.

    Raises:
        InputError: one is not there, or cannot be a member under its name.
    """
    found: dict[str, Source] = {}
    for word in words:
        parts = named_member(word)
        source = _zipped(*parts) if parts else FileSource.of(Path(word))
        name = check_member_name(PurePosixPath(parts[1]).name if parts else Path(word).name)
        if name.lower().endswith(".gguf"):
            raise InputError(
                f"{word} are weights",
                "Name it as MODEL, or with `--mmproj`, `--lora` or `--draft`.",
            )
        if name in found:
            raise InputError(f"two files would be member {name}", "Rename one of them.")
        found[name] = source
    return found


def _zipped(path: Path, member: str) -> Source:
    with Bundle.open(path, old_names=True) as archive:
        if member not in archive.members:
            raise InputError(f"{path} has no member {member}", f"`llamapack ls {path}` lists them.")
        return ZippedSource(path, archive.members[member])
