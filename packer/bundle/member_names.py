"""What members, and bundles, may be called."""

from __future__ import annotations

from runtime.errors import InputError
from runtime.formats.bundle import ARGS, MANIFEST, TEMPLATE

# Members that llamapack writes itself.
_WAYS = {
    ARGS: "Use `--args-file`.",
    TEMPLATE: "Use `--chat-template`.",
    MANIFEST: "Rename the file.",
}


def check_member_name(name: str) -> str:
    """`name`, if a file of the user's can be a member under it: a file name, on every system.

    Raises:
        InputError: it cannot.
    """
    if name in _WAYS:
        raise InputError(f"{name} cannot be added under this name", _WAYS[name])
    if not _is_file_name(name):
        raise InputError(f"{name!r} cannot be the name of a member", "Rename the file.")
    return name


def check_bundle_name(name: str) -> str:
    """`name`, if a bundle can call itself so: in a list, in a card's title, in a file name.

    Raises:
        InputError: it cannot.
    """
    if not name.strip() or not _is_file_name(name):
        raise InputError(
            f"{name!r} cannot be the name of a bundle",
            "Use letters, digits and other characters of file names.",
        )
    return name


def _is_file_name(name: str) -> bool:
    return name not in ("", ".", "..") and name.isprintable() and not {"/", "\\"} & set(name)
