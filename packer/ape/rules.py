"""The rules for APE files by name, and what it means to break one."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Rule:
    """One thing that a loader expects of a file."""

    states: str
    required: bool = True
    """Whether some loader refuses a file that breaks it. Others are advice."""


@dataclass(frozen=True)
class Broken:
    """A rule that a file breaks."""

    rule: str
    """A key of `RULES`."""
    what: str
    where: str = ""
    """The part of the file, such as `machine 62: segment 1`."""

    def __str__(self) -> str:
        return f"{self.where}: {self.what}" if self.where else self.what


RULES = {
    # The APE loader, shells, and systems that start the programs natively.
    "magic": Rule("the file begins with MZqFpD=', jartsr=' or APEDBG='"),
    "magic-newline": Rule("a newline follows the magic", required=False),
    "quote": Rule("the quote that the magic opens is closed before the script"),
    "script-text": Rule("the part that shells read is text without NULs", required=False),
    "script-exit": Rule("the script ends itself before binary data begin"),
    "script-extracts": Rule("the ranges that the script copies are inside the file"),
    "elf-present": Rule("a printf in the first 8192 bytes has an ELF header", required=False),
    "elf-printf": Rule("every printf there has the 64 bytes of one", required=False),
    "elf-escapes": Rule("shells and loaders read it alike: only ASCII and octal escapes"),
    "elf-header": Rule("it is a little-endian ELF64 header of a program header table in the file"),
    "elf-type": Rule("e_type is ET_EXEC or ET_DYN"),
    "elf-once": Rule("there is one header for each machine", required=False),
    "elf-argv0": Rule("e_flags asks for the caller's argv[0]", required=False),
    "elf-segment-count": Rule("there are at most 18 program headers"),
    "elf-static": Rule("there is neither PT_INTERP nor PT_DYNAMIC"),
    "elf-phdr": Rule("there is no PT_PHDR", required=False),
    "elf-table-in-head": Rule("program headers are in the first 8192 bytes", required=False),
    "elf-table-mapped": Rule("a PT_LOAD maps the program headers", required=False),
    "elf-entry": Rule("e_entry is in an executable segment"),
    "elf-in-file": Rule("segments end before the file does"),
    "elf-sizes": Rule("p_filesz does not exceed p_memsz"),
    "elf-address-space": Rule("segments are at addresses that programs may use"),
    "elf-align": Rule("p_align is 64 KiB or more", required=False),
    "elf-write-execute": Rule("no segment may be written and executed", required=False),
    "elf-congruent": Rule("p_vaddr is congruent to p_offset, modulo the page size"),
    "elf-overlap": Rule("segments share no pages, neither with each other nor with the loader"),
    "elf-merge": Rule("neighbours that the loader merges are one piece in file and memory"),
    "elf-64k-pages": Rule("the last three hold for pages of 64 KiB, too", required=False),
    # Windows.
    "pe-headers": Rule("e_lfanew points to PE32+ headers"),
    "pe-lfanew": Rule("e_lfanew is a multiple of 8"),
    "pe-machine": Rule("the machine is x86-64"),
    "pe-program": Rule("the characteristics are those of a program, not of a library"),
    "pe-image-base": Rule("ImageBase is a multiple of 64 KiB"),
    "pe-file-alignment": Rule("FileAlignment is a power of two from 512 to 65536, and is kept"),
    "pe-headers-size": Rule("SizeOfHeaders reaches the headers' end"),
    "pe-signatures": Rule(
        "the headers are in the part where signatures are checked", required=False
    ),
    "pe-checksum": Rule("CheckSum is not stated", required=False),
    "pe-file-offsets": Rule("no data directory contains file offsets", required=False),
    "pe-section-alignment": Rule("SectionAlignment is a power of two, 4096 or more"),
    "pe-section-count": Rule("there are 1 to 96 sections"),
    "pe-section-order": Rule("sections follow each other in memory without gaps"),
    "pe-overlap": Rule("sections do not overlap the headers"),
    "pe-in-file": Rule("sections end before the file does"),
    "pe-write-execute": Rule("no section may be written and executed", required=False),
    "pe-image-size": Rule("SizeOfImage is where the last section ends"),
    "pe-entry": Rule("the entry point is in an executable section"),
    "pe-directories": Rule("data directories are in sections"),
    # macOS on x86-64, where a script makes a native program of its own file.
    "macho-header": Rule(
        "the bytes copied over the file's start are a Mach-O header, from 64 or later"
    ),
    "macho-in-file": Rule("its segments end before the file does"),
    "macho-pages": Rule("they begin with a page, in file and memory"),
    "macho-sizes": Rule("they have no more bytes in the file than in memory"),
    # The archive at the end.
    "zip-directory": Rule("the ZIP directory is sound"),
    "zip-local": Rule("each member has its local header, and its data end before the directory"),
    "zip-behind-programs": Rule("members are after the ELF segments", required=False),
    "zip-aligned": Rule("stored weights begin on multiples of 64 KiB", required=False),
}
"""The prefix of a name, such as `pe-`, says which part of the file the rule is for."""
