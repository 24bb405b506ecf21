"""The native parts of a bundle: which engines there are, and the head and stubs that start them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

from runtime.errors import InputError


def engines(targets: Iterable[str] | None) -> dict[str, Path]:
    """Folders of finished engines, by target, sorted.

    Args:
        targets: the wanted ones; None: all that are built.

    Raises:
        InputError: none is built, or not one that was asked for.
    """
    from packer.engine import cache
    from packer.engine.targets import named

    found = cache.built()
    wanted = sorted(found) if targets is None else sorted({named(name).name for name in targets})
    missing = [target for target in wanted if target not in found]
    if missing or not wanted:
        raise InputError(
            f"no engine is built for {', '.join(missing)}" if missing else "no engine is built",
            f"Run `{' '.join(['llamapack engine build', *missing])}`.",
        )
    return {target: found[target] for target in wanted}


def front(targets: Iterable[str]) -> bytes:
    """Head and stubs for these targets, a multiple of 64 KiB.

    An engine without libc shares the stub of its system with the one that needs it.

    Raises:
        InputError: zig is not installed.
    """
    from packer.engine import native, pins, toolchain
    from packer.polyglot.head import build_head
    from packer.polyglot.stubs import build_stub

    zig = toolchain.find(pins.load(native.directory())).zig
    names = sorted({target.removesuffix("-static") for target in targets})
    with TemporaryDirectory() as folder:
        stubs = {name: build_stub(name, zig, Path(folder)).read_bytes() for name in names}
    return build_head(stubs)
