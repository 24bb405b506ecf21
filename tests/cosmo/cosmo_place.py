"""Where one test builds: runs `llamapack engine build --toolchain cosmo` with its own tools."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from cosmocc import Cosmocc

SOURCE = Path(__file__).with_name("runtime_source")


@dataclass
class Place:
    """A build cache, tools and sources of one test."""

    cosmocc: Cosmocc
    source: Path
    cache: Path

    def __call__(self, *words: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run `llamapack` with these words."""
        kept = {name: value for name, value in os.environ.items() if name != "COSMOCC"}
        return subprocess.run(
            [sys.executable, "-m", "packer", *map(str, words)],
            cwd=Path(__file__).parents[2],
            env={**kept, "LLAMAPACK_BUILD_CACHE": str(self.cache), **environment},
            capture_output=True,
            text=True,
            timeout=500,
            check=False,
        )

    def build(self, *words: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
        given = ["--toolchain", "cosmo", "--source", self.source]
        given += ["--cosmocc", self.cosmocc.folder] if "COSMOCC" not in environment else []
        return self("engine", "build", *given, *words, **environment)

    def built(self, *words: str | Path, **environment: str) -> Path:
        done = self.build(*words, **environment)
        assert done.returncode == 0, done.stderr
        name, _, path = done.stdout.rstrip("\n").partition(" ")
        assert name == "cosmo"
        return Path(path)


def make(folder: Path) -> Place:
    pytest.importorskip("ziglang")
    pytest.importorskip("cmake")
    pytest.importorskip("ninja")
    source = shutil.copytree(SOURCE, folder / "source")
    return Place(Cosmocc(folder / "cosmocc"), source, folder / "the cache")
