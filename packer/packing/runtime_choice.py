"""What `pack --runtime` says: the program in front, and what cannot be asked for beside it."""

from __future__ import annotations

from packer.bundle.request import PackRequest
from packer.engines.cosmo import chosen
from packer.engines.front import APE
from packer.engines.gpu.sources import AUTO
from packer.engines.other_runtimes import COSMO, Runtime, read_runtime
from runtime.errors import InputError


def chosen_runtime(request: PackRequest) -> Runtime | None:
    """The program of others to pack into, if one was named.

    Raises:
        InputError: it cannot be used, or other arguments ask for an engine of ours.
    """
    path = request.runtime
    if path is None:
        return None
    refused = {
        "--targets": request.targets,
        "--gpu": request.gpu,
        "--gpu-sources": None if request.gpu_sources == AUTO else request.gpu_sources,
        "--format": None if request.format == APE else request.format,
        "--windows": request.windows,
        "--model": request.named_models,
        "--consume": request.consume,
    }
    for flag, value in refused.items():
        if value:
            raise InputError(
                f"`{flag}` is for bundles with llamapack's own engine, and {path} brings another",
                "Leave one of the two out.",
            )
    return read_runtime(chosen() if path == COSMO else path)
