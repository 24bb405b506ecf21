"""All that a folder holds, to see that a command changed nothing, and lost no byte."""

from __future__ import annotations

from pathlib import Path


def tree(folder: Path) -> dict[str, bytes | str | None]:
    """Contents of files, targets of links and None for folders, by path."""
    return {
        str(path.relative_to(folder)): f"-> {path.readlink()}"
        if path.is_symlink()
        else path.read_bytes()
        if path.is_file()
        else None
        for path in sorted(folder.rglob("*"))
    }


def unharmed(before: dict[str, bytes | str | None], folder: Path, *own: str) -> None:
    """Everything in the folder is as it was, but for files of these names."""
    after = tree(folder)
    for name, content in before.items():
        if Path(name).name not in own:
            assert after.get(name, "gone") == content, name
    new = [name for name in after if name not in before and Path(name).name not in own]
    assert not [name for name in new if not name.endswith(".partial")], new
