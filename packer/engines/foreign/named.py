"""What `--runtime` and a recipe's `runtime` name: a file, or what Cosmopolitan's tools made."""

from __future__ import annotations

from pathlib import Path

from packer.engines.cosmo.cache import KIND

COSMO = Path(KIND)


def named_runtime(word: str, folder: Path = Path()) -> Path:
    """`COSMO`, or the path of a file; a file of that very name is `./cosmo`.

    Args:
        folder: from where a path counts.
    """
    if word == KIND:
        return COSMO
    path = folder / word
    return path.absolute() if path == COSMO else path
