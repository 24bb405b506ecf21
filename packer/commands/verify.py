"""`llamapack verify`: hashes every member of a bundle and names each that is not as packed."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

from packer.commands import Subparsers, print_json
from packer.io.console import Exit, error, note, printable
from runtime.errors import InputError, shell_word

_NO_MANIFEST = "Only bundles that llamapack made have provenance."


def register(verbs: Subparsers) -> None:
    parser = verbs.add_parser("verify", help="compare every member of a bundle with its hash")
    parser.add_argument("file", type=Path, metavar="FILE", help="bundle, or any other ZIP file")
    parser.add_argument(
        "--provenance",
        type=Path,
        metavar="P",
        help="statement to compare with too (in-toto, SLSA v1): what FILE was built from",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    from packer.inspection import provenance
    from packer.inspection.verification import REPAIRABLE, verify
    from packer.io.console import progress
    from runtime.formats.bundle import MANIFEST, Bundle

    stated = provenance.read(args.provenance) if args.provenance else None
    with Bundle.open(args.file) as bundle:
        total = sum(member.size for member in bundle.members.values())
        with progress("verifying", total + (bundle.size if stated else 0)) as advance:
            problems = list(verify(bundle, advance))
            if stated and MANIFEST not in bundle.members:
                raise InputError(f"{args.file} has no manifest to compare", _NO_MANIFEST)
            if stated and not problems:
                problems += provenance.check(bundle, stated, advance)
        listed = MANIFEST in bundle.members
        count = len(bundle.members)
    if args.json:
        report = {
            "bytes": total,
            "file": str(args.file),
            "manifest": listed,
            "members": count,
            "ok": not problems,
            "problems": [asdict(problem) for problem in problems],
        }
        if stated:
            report["provenance"] = {"builder": stated.builder, "commit": stated.commit}
        print_json(report)
    elif not problems:
        against = "manifest and CRC-32" if listed else "CRC-32 only, because it has no manifest"
        print(f"{args.file}: {count} members, {total:,} bytes agree with {against}")
        if stated:
            print(
                f"{args.provenance}: file, members and pins are as {stated.builder} built them "
                f"from llamapack's commit {stated.commit}"
            )
    else:
        for problem in problems:
            print(printable(f"{problem.kind} {problem.member}: {problem.detail}"))
    if problems:
        names = ", ".join(dict.fromkeys(problem.member for problem in problems))
        tip = "Download or copy the file again."
        if all(problem.kind in REPAIRABLE for problem in problems):
            tip = f"Run `llamapack upgrade {shell_word(args.file)}`."
        error(f"{args.file} is not as it was packed: {names}", tip)
        raise Exit(1)
    if not listed and not args.json:
        note(f"{args.file} was not made by llamapack, or its manifest was removed")
