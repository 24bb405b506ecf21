"""Which members are the old runtime, that an upgrade replaces, and which are the user's."""

from __future__ import annotations

from collections.abc import Iterable

from runtime.formats.bundle import ENGINES, GPU, GPU_SOURCES, MANIFEST, WEB_UI
from runtime.formats.zip_directory import Member

FOLDERS = (ENGINES, GPU, GPU_SOURCES, WEB_UI)
"""Members of llamapack itself, not of the user, begin with one of these."""

# What Mozilla's llamafile and Cosmopolitan put into their programs: symbol tables, time zones,
# sources and libraries for GPUs, pages of the server.
_FOLDERS = ("llama.cpp/", "llamafile/", "whisper.cpp/", "third_party/", "usr/share/zoneinfo/")
_NAMES = (".cosmo", ".symtab", "usr/", "usr/share/")
_LIBRARIES = (".so", ".dll", ".dylib")


def without_runtime(members: Iterable[Member], *, ours: bool) -> list[Member]:
    """The members that an upgrade keeps.

    Args:
        ours: whether llamapack made the file.
    """
    return [member for member in members if not is_runtime(member.name, ours=ours)]


def is_runtime(name: str, *, ours: bool) -> bool:
    """Whether the member of this name belongs to the runtime, or is made anew in any case."""
    if name.startswith(FOLDERS) or name == MANIFEST:
        return True
    if ours:
        return False
    at_root = "/" not in name
    return (
        name.startswith((*_FOLDERS, ".symtab."))
        or name in _NAMES
        or (at_root and name.endswith(_LIBRARIES))
    )
