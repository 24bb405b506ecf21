"""Chat templates that can be packed in place of a model's own: named ones and files."""

from __future__ import annotations

from pathlib import Path

from runtime.errors import InputError

FOLDER = Path(__file__).parent.parent / "templates" / "chat"

_LIMIT = 1 << 20  # bytes


def names() -> list[str]:
    """Names of the templates that come with llamapack."""
    return sorted(path.stem for path in FOLDER.glob("*.jinja"))


def load(name: str) -> bytes:
    """The Jinja text of a template.

    Args:
        name: one of `names()`, or the path of a file.

    Raises:
        InputError: it is neither, or no text.
    """
    path = FOLDER / f"{name}.jinja" if name in names() else Path(name)
    if not path.is_file():
        raise InputError(
            f"there is no chat template {name}",
            f"Name a file, or one of these: {', '.join(names())}.",
        )
    if path.stat().st_size > _LIMIT:
        raise InputError(f"{path} is too large for a chat template", "Give a Jinja file.")
    data = path.read_bytes()
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise InputError(f"{path} is not UTF-8 text", "Give a Jinja file.") from None
    if "\0" in text or not text.strip():
        raise InputError(f"{path} holds no chat template", "Give a Jinja file.")
    return data
