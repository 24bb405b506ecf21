"""The files that `pack` writes: what goes into each, and what it says of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from packer.bundle.pack import BundlePlan
from packer.engines import front
from packer.engines.front import APE, EXE
from packer.head import windows_exe
from packer.head.windows_exe import CMD, LIMIT, is_windows
from packer.io.console import note
from runtime.errors import InputError, shell_word
from runtime.machine.targets import SYSTEMS

_MORE_TARGETS = (
    "Also name a target other than Windows, as in `--format ape --targets "
    "linux-x86_64,windows-x86_64`. Then the weights go into one file, and the engines for Windows "
    "into a small NAME.exe in the same folder."
)


def planned(
    whole: BundlePlan, folders: Mapping[str, Path], output: Path, *, kind: str, windows: str | None
) -> dict[Path, BundlePlan]:
    """Complete a plan with the bytes before the archive, and divide it if needed; plans by output
    path, the bundle's first. Raises InputError if the engines do not fit into a file of this kind.

    Args:
        whole: the plan with all engines in it.
        folders: of these engines, by target.
        kind: a key of `front.FORMATS`.
        windows: a key of `windows_exe.CHOICES`; None: automatic.
    """
    if kind != APE:
        return {output: _native(whole, folders, kind)}
    inside, beside = windows_exe.divided(
        windows or windows_exe.AUTO, whole.targets, whole.size_limit
    )
    if not inside:
        raise InputError(
            f"{output} would be left without engines: all of them are for Windows",
            _MORE_TARGETS
            if whole.size_limit >= windows_exe.LIMIT
            else "Use `--windows auto` or `--format exe`, or name more with `--targets`.",
        )
    bundle = _with_engines(whole, inside)
    plans = {output: replace(bundle, front=front.polyglot(inside, cmd=windows == CMD))}
    if beside:
        engines_only = replace(
            _with_engines(whole, beside), weights={}, models=(), files={}, recipe=None
        )
        of_windows = {target: folders[target] for target in beside}
        path = windows_exe.path_beside(output)
        plans[path] = replace(engines_only, front=front.native(EXE, of_windows))
    return plans


def _native(whole: BundlePlan, folders: Mapping[str, Path], kind: str) -> BundlePlan:
    first = front.native(kind, folders)
    plan = replace(whole, front=first, engines=() if first.is_engine else whole.engines)
    if kind == EXE and plan.size_limit >= windows_exe.LIMIT:
        raise InputError(
            f"{whole.name} would have {plan.size_limit:,} bytes, but Windows cannot run a "
            f"file of {windows_exe.LIMIT:,} or more",
            _MORE_TARGETS,
        )
    return plan


def _with_engines(whole: BundlePlan, targets: Iterable[str]) -> BundlePlan:
    wanted = set(targets)
    return replace(
        whole,
        engines=[packed for packed in whole.engines if packed.engine.target in wanted],
        gpu_modules=[one for one in whole.gpu_modules if one.module.target in wanted],
    )


def report(plans: Mapping[Path, BundlePlan], written: Mapping[Path, list[Path]]) -> None:
    """Print what was written: for each plan its file, or parts and list of hashes."""
    for path, plan in plans.items():
        targets = ", ".join(plan.targets)
        files = written[path]
        size = sum(file.stat().st_size for file in files) / 1e6
        if len(files) > 1:
            note(
                f"{path}: {size:,.1f} MB for {targets} in {len(files) - 1} parts and their hashes; "
                f"`llamapack join {shell_word(files[0])}` joins them, as `cat` does"
            )
        elif plan.weights:
            start = str(path) if path.parent != Path() else f"./{path}"
            note(f"{path}: {size:,.1f} MB for {targets}; start it with `{shell_word(start)}`")
            _report_gpu(plan)
            _report_windows(plan, path)
            _report_runtime(plan, path)
        else:
            note(
                f"{path}: {size:,.1f} MB for {targets}, without weights, since Windows starts no "
                f"file of 4 GiB; keep it beside {next(iter(plans)).name}, or pack one file for all "
                "systems by `--windows cmd`"
            )


def _report_runtime(plan: BundlePlan, path: Path) -> None:
    if plan.runtime and plan.runtime.kind.for_windows and path.stat().st_size >= LIMIT:
        note(
            "Windows starts no file of 4 GiB or more; there, start the program of --runtime with "
            "`-m` and the weights as a file of their own"
        )


def _report_windows(plan: BundlePlan, path: Path) -> None:
    if plan.front.stubs:
        if path.suffix != ".cmd":
            note(f"Windows starts it by the name {path.name.removesuffix('.llamafile')}.cmd")
        return
    if plan.front.program or not any(map(is_windows, plan.targets)):
        return
    systems = {name.split("-")[0] for name in plan.targets}
    for system in SYSTEMS.values():
        if system.name in systems and system.bash:
            note(
                f"{system.title}'s own shells do not start a file that Windows starts, too: there "
                "it takes `bash FILE`; `--windows cmd` makes one that they start"
            )


def _report_gpu(plan: BundlePlan) -> None:
    for one in plan.gpu_modules:
        size = one.packed.compressed_size / 1e6
        note(f"with {one.module.title} ({size:,.1f} MB), which needs {one.module.needs}")
