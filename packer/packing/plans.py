"""The files that `pack` writes: the bundle, and a `NAME.exe` if Windows needs one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from packer.bundle.pack import BundlePlan
from packer.engines import front
from packer.engines.front import APE, EXE
from packer.head import windows_exe
from runtime.errors import InputError

_MORE_TARGETS = (
    "Also name a target other than Windows, as in `--format ape --targets "
    "linux-x86_64,windows-x86_64`. Then the weights go into one file, and the engines for Windows "
    "into a small NAME.exe in the same folder."
)


def planned(
    whole: BundlePlan, folders: Mapping[str, Path], output: Path, *, kind: str, windows: str | None
) -> dict[Path, BundlePlan]:
    """Complete a plan with the bytes before the archive, and divide it if needed.

    Args:
        whole: the plan with all engines in it.
        folders: of these engines, by target.
        output: where the bundle goes.
        kind: a key of `front.FORMATS`.
        windows: a key of `windows_exe.CHOICES`; None: automatic.

    Returns:
        plans by the path of the file to write, the bundle's first.

    Raises:
        InputError: these engines do not go into a file of this kind.
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
    plans = {output: replace(bundle, front=front.polyglot(inside))}
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
