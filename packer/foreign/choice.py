"""What `pack --runtime` says: the program in front, and what cannot be asked for beside it."""

from __future__ import annotations

import argparse
from pathlib import Path

from packer.cosmo.cache import chosen
from packer.foreign.named import COSMO
from packer.foreign.runtime import Runtime, read_runtime
from packer.front import APE
from packer.gpu.sources import AUTO
from runtime.errors import InputError


def chosen_runtime(args: argparse.Namespace) -> Runtime | None:
    """The program of others to pack into, if one was named.

    Args:
        args: of `pack`, complete.

    Raises:
        InputError: it cannot be used, or other arguments ask for an engine of ours.
    """
    path: Path | None = args.runtime
    if path is None:
        return None
    refused = {
        "--targets": args.targets,
        "--gpu": args.gpu,
        "--gpu-sources": None if args.gpu_sources == AUTO else args.gpu_sources,
        "--format": None if args.format == APE else args.format,
        "--windows": args.windows,
        "--model": args.named_models,
        "--consume": args.consume,
    }
    for flag, value in refused.items():
        if value:
            raise InputError(
                f"`{flag}` is for bundles with llamapack's own engine, and {path} brings another",
                "Leave one of the two out.",
            )
    return read_runtime(chosen() if path == COSMO else path)
