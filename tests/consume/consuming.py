"""A model to consume, alone in its folder, and what must come of it."""

from __future__ import annotations

import subprocess
from pathlib import Path

from helpers.killing import calls, killed_at
from helpers.part_sets import large_gguf, names
from helpers.stand_ins import CommandLine

# Where the engines go for Windows, of which these tests have none.
EXE_BESIDE = """
from packer.engines import front; from packer.head import windows_exe
windows_exe.divided = lambda choice, targets, size: ([*targets], [*targets])
front.native = lambda kind, engines: front.Front(b"MZ".ljust(65536, b"\\0"))
"""


class Scene:
    """A GGUF and the command that makes a bundle of it."""

    def __init__(self, folder: Path, llamapack: CommandLine, *words: str | Path, first: str = ""):
        """Pack a copy of the model in the usual way, to compare with.

        Args:
            words: more words for `pack`.
            first: Python that the command runs before anything else.
        """
        self.folder = folder / "here"
        self.model, self.bundle = self.folder / "m.gguf", self.folder / "m.llamafile"
        self.folder.mkdir()
        (folder / "plain").mkdir()
        self.old = large_gguf(folder / "plain", 3 << 20, "m.gguf").read_bytes()
        self.llamapack = llamapack.beginning(first)
        self.words = ["pack", "--consume", "-q", self.model, *words]
        plain = folder / "plain" / "m.llamafile"
        self.llamapack.ran("pack", folder / "plain" / "m.gguf", "-o", plain, *words)
        self.new = {
            path.name: path.read_bytes() for path in plain.parent.iterdir() if path.name != "m.gguf"
        }
        self.restore()

    def restore(self) -> None:
        for path in self.folder.iterdir():
            path.unlink()
        self.model.write_bytes(self.old)

    def run(self, *more: str | Path) -> subprocess.CompletedProcess[str]:
        return self.llamapack(*self.words, *more)

    def killed_before_the_undo_file_goes(self) -> None:
        """The last moment at which anything is left to do."""
        made = calls(self.llamapack, self.model, *self.words)
        self.restore()
        killed_at(self.llamapack, [call for call in made if call.name == "unlink"][-1], *self.words)
        assert not self.model.exists()

    def is_made(self) -> None:
        """Nothing but the bundle, and what belongs to it, is there."""
        # A temporary file may stay, as everywhere after a kill.
        left = [name for name in names(self.folder) if not name.endswith(".partial")]
        assert left == sorted(self.new)
        for name, data in self.new.items():
            assert (self.folder / name).read_bytes() == data
        assert self.bundle.stat().st_mode & 0o111

    def is_untouched(self) -> None:
        """Nothing but the model is there."""
        left = names(self.folder)
        assert left == ["m.gguf"], left
        assert not self.model.stat().st_mode & 0o111
        assert self.model.read_bytes() == self.old
