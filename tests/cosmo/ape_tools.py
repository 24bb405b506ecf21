"""apelink, assimilate and zipalign, as far as their manuals say what they do with our words.

Run as a program: `python ape_tools.py TOOL WORD…`. The head of what apelink makes is ours.
"""

from __future__ import annotations

import getopt
import sys
import zipfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from packer.ape.elf_rules import printed
from packer.head import elf
from packer.head.head import build_head
from runtime.machine.head import native_target

MACHINES = {"-x": 62, "-a": 183}


def apelink(words: list[str]) -> None:
    """`apelink -l LOADER… -M M1_SOURCE -o OUTPUT INPUT…`"""
    flags, inputs = getopt.getopt(words, "l:M:o:")
    loaders = [Path(value).read_text() for flag, value in flags if flag == "-l"]
    assert loaders == ["loader x86_64", "loader aarch64"]
    named = dict(flags)
    assert Path(named["-M"]).read_text() == "source"
    programs = [Path(path).read_bytes() for path in inputs]
    halves = {str(native_target(data)): data for data in programs}
    Path(named["-o"]).write_bytes(build_head(halves))


def apelink_half(words: list[str]) -> None:
    """An apelink that leaves out the last program."""
    apelink(words[:-1])


def assimilate(words: list[str]) -> None:
    """`assimilate -e -x|-a FILE`"""
    flags, [path] = getopt.getopt(words, "exa")
    [machine] = [MACHINES[flag] for flag, _ in flags if flag in MACHINES]
    assert ("-e", "") in flags
    data = Path(path).read_bytes()
    for header in printed(data):
        if elf.parse(header, data).machine == machine:
            Path(path).write_bytes(header + data[len(header) :])
            return
    sys.exit(f"{path}: printf statement not found in first 8192 bytes of image")


def zipalign(words: list[str]) -> None:
    """`zipalign -6 -a N ZIP FILE…`"""
    flags, [archive, *files] = getopt.getopt(words, "0123456789vjNa:")
    assert ("-6", "") in flags
    with zipfile.ZipFile(archive, "a", zipfile.ZIP_DEFLATED) as target:
        for name in files:
            info = zipfile.ZipInfo(name, (2023, 11, 14, 22, 13, 20))
            info.compress_type = zipfile.ZIP_DEFLATED
            target.writestr(info, Path(name).read_bytes())


if __name__ == "__main__":
    globals()[sys.argv[1]](sys.argv[2:])
