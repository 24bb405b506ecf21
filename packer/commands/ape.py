"""`llamapack ape`: explains an APE file and says which rules of its specification it breaks."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from packer.commands import Subparsers, print_json
from packer.io.console import Exit, error, printable


def register(verbs: Subparsers) -> None:
    parser = verbs.add_parser(
        "ape", help="explain an APE file and check it against the specification"
    )
    parser.add_argument(
        "file",
        type=Path,
        metavar="FILE",
        help="bundle, llamafile, or another program made with Cosmopolitan",
    )
    parser.add_argument(
        "--json", action="store_true", help="print JSON, including the script's text"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    from packer.ape.anatomy import take_apart
    from packer.ape.description import described, refused

    anatomy = take_apart(args.file)
    facts = described(anatomy)
    if args.json:
        print_json(facts)
    else:
        # Text from strangers must not steer the terminal.
        print("\n".join(printable(line) for line in _lines(facts)))
    if not anatomy.kind.is_ape:
        error(
            f"{args.file} is {anatomy.kind.value}, not an APE file",
            "Only the rules for its parts apply; `llamapack inspect` shows its contents.",
        )
        raise Exit(1)
    if names := dict.fromkeys(one.rule for one in refused(anatomy)):
        error(
            f"{args.file} breaks {', '.join(names)}",
            "It may not start everywhere. Build it again, or get another copy.",
        )
        raise Exit(1)


def _lines(facts: dict[str, Any]) -> Iterator[str]:
    yield f"{facts['file']}  {facts['size']:,} bytes"
    yield f"magic {facts['magic']}  {facts['kind']}"
    if script := facts["script"]:
        yield f"script from {script['start']:,} to {script['end']:,}"
    for program in facts["elf"]:
        yield ""
        yield from _elf_lines(program)
    if facts["pe"]:
        yield ""
        yield from _pe_lines(facts["pe"])
    for macho in facts["macho"]:
        if macho["segments"] is not None:
            yield ""
            yield from _macho_lines(macho)
    if facts["embedded"]:
        yield ""
        yield "copied out by the script"
    for one in facts["embedded"]:
        size = "the rest" if one["size"] is None else f"{one['size']:,} bytes"
        yield f"  {one['target'] or '':22} {size} at {one['offset']:,}: {one['kind']}"
    if archive := facts["zip"]:
        yield ""
        yield f"ZIP of {archive['members']:,} members, directory at {archive['offset']:,}"
        if archive["behind"]:
            yield f"  {archive['behind']:,} bytes after its end"
    yield ""
    yield from _rule_lines(facts)


def _elf_lines(program: dict[str, Any]) -> Iterator[str]:
    yield (
        f"ELF {program['machine']}  {program['type']}, {program['os_abi']}, "
        f"entry {program['entry']:#x}, e_flags {program['flags']:#x}, "
        f"program headers at {program['phoff']:,}"
    )
    for segment in program["segments"]:
        yield (
            f"  {segment['type']:10} {segment['flags']}  {segment['filesz']:>10,} bytes "
            f"at {segment['offset']:>12,}  {segment['memsz']:>10,} at {segment['vaddr']:#x}, "
            f"aligned to {segment['align']:,}"
        )


def _pe_lines(image: dict[str, Any]) -> Iterator[str]:
    yield (
        f"PE {image['machine']}  headers at {image['offset']:,}, "
        f"entry {image['image_base'] + image['entry']:#x}"
    )
    for section in image["sections"]:
        yield (
            f"  {section['name']:10} {section['raw_size']:>10,} bytes at "
            f"{section['raw_offset']:>12,}  {section['virtual_size']:>10,} at "
            f"{section['address']:#x}"
        )


def _macho_lines(macho: dict[str, Any]) -> Iterator[str]:
    yield f"Mach-O {macho['target'].partition('-')[2]}  header at {macho['offset']:,}"
    for segment in macho["segments"]:
        yield (
            f"  {segment['name']:10} {segment['rights']}  {segment['filesz']:>10,} bytes "
            f"at {segment['offset']:>12,}  {segment['memsz']:>10,} at {segment['vaddr']:#x}"
        )


def _rule_lines(facts: dict[str, Any]) -> Iterator[str]:
    states = list(facts["rules"].values())
    yield f"rules  {states.count('holds')} hold, {states.count('broken')} broken"
    for one in facts["broken"]:
        word = "broken" if one["required"] else "advice"
        where = f"{one['where']}: " if one["where"] else ""
        yield f"  {word}  {one['rule']}: {where}{one['what']}"
