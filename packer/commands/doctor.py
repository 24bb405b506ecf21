"""`llamapack doctor`: what keeps a bundle from starting on this machine, and how to fix it."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from packer.commands import Subparsers, print_json
from packer.io.console import Exit, printable

if TYPE_CHECKING:
    from runtime.doctor.check import Finding


def register(verbs: Subparsers) -> None:
    parser = verbs.add_parser(
        "doctor",
        help="say what would go wrong on this machine, and how to fix it",
        description="Looks at this machine and at a bundle. Exit status 1 if a start would fail.",
    )
    parser.add_argument(
        "file", type=Path, nargs="?", metavar="FILE", help="bundle; default: only this machine"
    )
    parser.add_argument(
        "--gpu",
        action="store_true",
        help="examine graphics cards, drivers, modules and compilers instead",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    from runtime.doctor import CHECKS, GPU_CHECKS, examine
    from runtime.launch.cpu_finding import variant
    from runtime.machine.machine import Machine

    checks = GPU_CHECKS if args.gpu else (*CHECKS, variant)
    findings = list(examine(Machine.this(), args.file, checks))
    if args.json:
        print_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            print("\n".join(map(printable, _lines(finding))))
    if any(finding.state == "problem" for finding in findings):
        raise Exit(1)


def _lines(finding: Finding) -> Iterator[str]:
    yield f"{finding.state.upper():7} {finding.check}: {finding.what}"
    yield from (f"        TIP {line}" for line in finding.mend.splitlines())
