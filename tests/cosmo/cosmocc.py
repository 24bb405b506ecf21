"""A folder such as cosmocc's release zip has, with stand-ins that note how they were called.

The compilers hand their work to zig, the other tools to `ape_tools.py`. Those that are APE programs
in a real release begin as such here: only a shell starts them.
"""

from __future__ import annotations

import sys
from pathlib import Path

from packer.engines import toolchain

ARCHS = ("x86_64", "aarch64")
COMPILERS = [
    "cosmocc",
    "cosmoc++",
    *(f"{arch}-unknown-cosmo-{kind}" for arch in ARCHS for kind in ("cc", "c++")),
]
ARCHIVERS = [f"{arch}-unknown-cosmo-ar" for arch in ARCHS]
APE_TOOLS = {
    "apelink": "apelink v0.1",
    "assimilate": "actually portable executable assimilate v1.6",
}
PROGRAMS = [*COMPILERS, *ARCHIVERS, *APE_TOOLS, "zipalign"]
FILES = {
    "ape-x86_64.elf": "loader x86_64",
    "ape-aarch64.elf": "loader aarch64",
    "ape-m1.c": "source",
}

SCRIPT = "#!/bin/sh\n"
APE = "jartsr='\n'\n"


class Cosmocc:
    """The folder, and the calls of its tools."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bin = folder / "bin"
        self.bin.mkdir(parents=True)
        for name in COMPILERS:
            kind = "c++" if name.endswith("++") else "cc"
            arch = name.partition("-")[0] if "-" in name else "x86_64"
            link = "-static -no-pie -s -Wl,-z,max-page-size=65536"
            work = f"'{toolchain._zig()}' {kind} -target {arch}-linux-musl {link}"
            self.write(name, SCRIPT, "--version", f"{name} (GCC) 14.1.0", work)
        for name in ARCHIVERS:
            work = f"'{toolchain._zig()}' ar"
            self.write(name, APE, "--version", "GNU ar (GNU Binutils) 2.35.2", work)
        helper = Path(__file__).with_name("ape_tools.py")
        for name, said in APE_TOOLS.items():
            self.write(name, APE, "-v", said, f"'{sys.executable}' '{helper}' {name}")
        said = "zipalign: fatal error: missing output argument"
        self.write("zipalign", APE, "", said, f"'{sys.executable}' '{helper}' zipalign")
        for name, text in FILES.items():
            (self.bin / name).write_text(text)

    def write(self, name: str, begin: str, question: str, answer: str, work: str) -> None:
        status = 1 if name == "zipalign" else 0
        # The real one says its version there.
        to = 0 if name == "apelink" else 1
        path = self.bin / name
        path.write_text(
            f"{begin}"
            f"if [ \"$*\" = '{question}' ]; then echo '{answer}' >&{to}; exit {status}; fi\n"
            f"echo {name} \"$@\" >>'{self.folder}/calls'\n"
            f"if [ -f '{path}.fails' ]; then cat '{path}.fails'; exit 3; fi\n"
            f'exec {work} "$@"\n'
        )
        path.chmod(0o755)

    def answers(self, name: str, old: str, new: str) -> None:
        """Let a tool say something else of its version."""
        path = self.bin / name
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    def fails(self, name: str, text: str) -> None:
        """Let a tool print this and end with status 3 when it is to work."""
        (self.bin / f"{name}.fails").write_text(text)

    @property
    def calls(self) -> list[str]:
        path = self.folder / "calls"
        return path.read_text().splitlines() if path.exists() else []
