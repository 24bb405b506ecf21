"""What `pack` says of the files that it wrote."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path

from packer.bundle.pack import BundlePlan
from packer.head.windows_exe import LIMIT, is_windows
from packer.io.console import note
from runtime.machine.targets import SYSTEMS


def report(plans: Mapping[Path, BundlePlan], written: Mapping[Path, list[Path]]) -> None:
    """Print notes.

    Args:
        plans: by the path of the file that each is for, the bundle's first.
        written: the files that were written for each, more than one if it is in parts.
    """
    for path, plan in plans.items():
        targets = ", ".join(plan.targets)
        files = written[path]
        size = sum(file.stat().st_size for file in files) / 1e6
        if len(files) > 1:
            note(
                f"{path}: {size:,.1f} MB for {targets} in {len(files) - 1} parts and their hashes; "
                f"`llamapack join {shlex.quote(str(files[0]))}` joins them, as `cat` does"
            )
        elif plan.weights:
            start = str(path) if path.parent != Path() else f"./{path}"
            note(f"{path}: {size:,.1f} MB for {targets}; start it with `{shlex.quote(start)}`")
            _report_gpu(plan)
            _report_shells(plan)
            _report_runtime(plan, path)
        else:
            note(
                f"{path}: {size:,.1f} MB for {targets}, without weights, since Windows starts no "
                f"file of 4 GiB; keep it beside {next(iter(plans)).name}"
            )


def _report_runtime(plan: BundlePlan, path: Path) -> None:
    if plan.runtime and plan.runtime.kind.for_windows and path.stat().st_size >= LIMIT:
        note(
            "Windows starts no file of 4 GiB or more; there, start the program of --runtime with "
            "`-m` and the weights as a file of their own"
        )


def _report_shells(plan: BundlePlan) -> None:
    if plan.front.program or not any(map(is_windows, plan.targets)):
        return
    systems = {name.split("-")[0] for name in plan.targets}
    for system in SYSTEMS.values():
        if system.name in systems and system.bash:
            note(
                f"{system.title}'s own shells do not start a file that Windows starts, too: there "
                "it takes `bash FILE`; `--windows external` makes one that they start"
            )


def _report_gpu(plan: BundlePlan) -> None:
    for one in plan.gpu_modules:
        size = one.packed.compressed_size / 1e6
        note(f"with {one.module.title} ({size:,.1f} MB), which needs {one.module.needs}")
