"""From what the linker left to files that their system loads."""

from __future__ import annotations

from pathlib import Path

from packer.engines.targets import Target
from packer.head.macho_signature import sign
from packer.head.openbsd_marker import without_landing_pads
from runtime.errors import InputError


def finish(target: Target, files: list[Path], log: Path) -> None:
    """Add what zig leaves out, set the modes, and check what can be checked without a start.

    Args:
        files: of one engine, all in one folder.
        log: of the build, for the message.

    Raises:
        InputError: the system would not load one of them.
    """
    # The checks need lief, and the key of an engine is asked for without them.
    from packer.checks import check

    for path in files:
        if target.name == "macos-x86_64":  # zig signs what it links for arm64.
            path.write_bytes(sign(path.read_bytes(), path.name))
        elif target.os == "openbsd" and path.name == target.executable:
            path.write_bytes(without_landing_pads(path.read_bytes()))
        path.chmod(0o755 if path.name == target.executable else 0o644)
    problems = check(target.name, {path.name: path.read_bytes() for path in files})
    if problems:
        with log.open("a", encoding="utf-8") as file:
            file.writelines(f"{problem}\n" for problem in problems)
        raise InputError(
            f"the engine for {target.name} would not start there: {problems[0]}",
            f"all {len(problems)} problems are in `{log}`",
        )
