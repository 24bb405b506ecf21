"""`llamapack edit` from outside: the file is what `pack` would have made of the new wishes."""

from __future__ import annotations

from pathlib import Path

import pytest
from edit_files import packed, ran, same_file
from stand_ins import CommandLine


@pytest.mark.parametrize("extra", [(), ("--copy",)])
@pytest.mark.parametrize(
    ("before", "change", "after"),
    [
        ([], ["--args", "-c 4096"], ["--args", "-c 4096"]),
        (["--args", "-c 4096"], ["--args", ""], []),
        ([], ["--chat-template", "chatml"], ["--chat-template", "chatml"]),
        (
            ["--chat-template", "chatml", "--args", "--temp 0"],
            ["--chat-template", "none"],
            ["--args", "--temp 0"],
        ),
        (
            ["--chat-template", "chatml"],
            ["--name", "Ä name"],
            ["--chat-template", "chatml", "--name", "Ä name"],
        ),
    ],
)
def test_an_edit_gives_what_pack_gives(  # noqa: PLR0917
    before: list[str], change: list[str], after: list[str], extra: tuple[str, ...],
    large: Path, tmp_path: Path, llamapack: CommandLine,
) -> None:  # fmt: skip
    path = packed(llamapack, tmp_path / "large.llamafile", large, *before)
    inode = path.stat().st_ino
    ran(llamapack, "edit", path, *change, *extra)
    assert same_file(
        path, packed(llamapack, tmp_path / "fresh.llamafile", large, "--name", "large", *after)
    )
    assert (path.stat().st_ino == inode) is not bool(extra)
    ran(llamapack, "verify", path)
