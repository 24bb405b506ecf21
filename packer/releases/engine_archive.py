"""Makes an archive of the built engines, with which the launcher runs GGUF files."""

from __future__ import annotations

import hashlib
from contextlib import ExitStack, suppress
from pathlib import Path

from packer.bundle.pack import BundlePlan, pack, packed_runtime
from packer.engines import cache
from packer.engines.cache import web_ui
from packer.engines.front import Front
from packer.engines.gpu.chosen import chosen
from packer.engines.gpu.sources import wanted
from packer.engines.targets import for_this_machine
from packer.io.console import note
from packer.io.epoch import source_date_epoch
from packer.io.output import output_file
from runtime.errors import InputError
from runtime.launch.archives import FOLDER
from runtime.machine.cache_places import cache_folder
from runtime.machine.machine import Machine

_KEPT = 32  # hex digits of an id in a file's name


def of_built(machine: Machine) -> Path | None:
    """An archive of the built engines that run here; None if none is built. Raises InputError if it
    cannot be written."""
    try:
        built = cache.built()
        names = [target.name for target in for_this_machine() if target.name in built]
        pages = web_ui() if names else Path()
    except InputError:
        return None  # an installation that cannot build
    if not names:
        return None
    folders = {name: built[name] for name in names}
    modules = chosen(None, names)
    sources = wanted("auto", names)
    parts = [
        *folders.values(),
        *(path for _, path in modules),
        pages,
        *([sources] if sources else []),
    ]
    key = hashlib.sha256("\0".join(path.name for path in parts).encode()).hexdigest()
    path = cache_folder(machine, FOLDER) / f"built-{names[0]}-{key[:_KEPT]}.zip"
    if path.exists():
        path.touch()  # the newest is the one that is used
        return path
    note(f"packing the engine for {names[0]} that was built here")
    with ExitStack() as stack:
        engines, gpu_modules, shared = packed_runtime(stack, folders, modules, sources, pages)
        plan = BundlePlan(
            name="engines",
            front=Front(b""),
            engines=engines,
            gpu_modules=gpu_modules,
            shared=shared,
            weights={},
            models=[],
            chat_template=None,
            args="",
            epoch=source_date_epoch(),
        )
        with output_file(path, force=True, needed=plan.size_limit, mode=0o600) as file:
            pack(plan, file, lambda _: None)
    for old in set(path.parent.glob(f"built-{names[0]}-*.zip")) - {path}:
        with suppress(OSError):  # Windows: an engine has it open
            old.unlink()
    return path
