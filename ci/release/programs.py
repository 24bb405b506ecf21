"""Freezes `llamapack` and `llamapack-run` into programs that need no Python, out of a wheel.

Usage: python -m ci.release.programs FOLDER WHEEL

PyInstaller's "onedir" form: a folder that starts in 37 ms. "onefile" unpacks itself at every start,
which takes 228 ms, needs a temporary folder that allows programs, and alarms virus scanners. On
Linux they run where glibc is not older than this machine's.
"""

from __future__ import annotations

import argparse
import ctypes
import gzip
import os
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

from ci.ending import status_of
from ci.release import checkout, signing
from packer import __version__
from packer.engines.targets import for_this_machine
from packer.io.epoch import source_date_epoch
from runtime.errors import InputError

PROGRAMS = {
    "llamapack": ("packer.cli", ("packer", "runtime")),
    "llamapack-run": ("packer.commands.run", ("runtime",)),
}
"""Module with `main` of each program, and the packages of which it takes all modules: what else it
imports, PyInstaller finds."""

_LIBGCC = "libgcc_s.so.1"
_UNUSED = ("IPython", "lief", "matplotlib", "pytest", "setuptools", "tkinter", "torch")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m ci.release.programs", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("wheel", type=Path)
    args = parser.parse_args()

    def work() -> None:
        checkout.stop_the_clock()
        print(*freeze(args.folder, args.wheel), sep="\n")

    return status_of(work)


def freeze(folder: Path, wheel: Path) -> list[Path]:
    """Make an archive with each program; their paths.

    Raises:
        InputError: `wheel` is not a wheel.
    """
    if not zipfile.is_zipfile(wheel):
        raise InputError(f"{wheel} is not a wheel", "`python -m ci.release.packages` builds one.")
    folder.mkdir(parents=True, exist_ok=True)
    archives = []
    with tempfile.TemporaryDirectory() as scratch:
        code = Path(scratch, "code")
        zipfile.ZipFile(wheel).extractall(code)
        for name, (module, packages) in PROGRAMS.items():
            program = _frozen(name, module, packages, code, Path(scratch, name))
            signing.sign_program(program)
            archives.append(_archive(program, folder))
    return archives


def _frozen(name: str, module: str, packages: Sequence[str], code: Path, work: Path) -> Path:
    work.mkdir()
    entry = work / "start.py"
    entry.write_text(f"import sys\nfrom {module} import main\nsys.exit(main())\n")
    # The packer as data, too: native sources, templates, demo model, and the modules' own text,
    # by which stubs are known.
    words: list[str | Path] = [
        *(sys.executable, "-m", "PyInstaller", "--onedir", "--noconfirm", "--log-level", "WARN"),
        *("--name", name, "--paths", code, "--specpath", work),
        *("--workpath", work / "build", "--distpath", work / "dist"),
        *(word for one in packages for word in ("--collect-submodules", one)),
        *("--copy-metadata", "hf_xet"),  # by which huggingface_hub knows that it is installed
        *("--copy-metadata", "llamapack"),
        *("--add-data", f"{code / 'packer'}{os.pathsep}packer"),
        *(word for one in _UNUSED for word in ("--exclude-module", one)),
        entry,
    ]
    environment = os.environ | {"PYTHONHASHSEED": "0", "PYTHONPATH": str(code)}
    subprocess.run(words, check=True, cwd=work, env=environment, stdout=sys.stderr)
    program = work / "dist" / name
    if sys.platform == "linux":
        _complete(program)
    return program


def _complete(program: Path) -> None:
    """Let a program for Linux do with glibc alone: PyInstaller's start program wants the system's
    zlib, and a thread that ends wants libgcc_s, which glibc looks for only then."""
    inside = program / "_internal"
    ctypes.CDLL(_LIBGCC)
    # Where the loader has found it is where this system keeps it.
    mapped = re.search(rf"/.*/{re.escape(_LIBGCC)}", Path("/proc/self/maps").read_text())
    assert mapped
    shutil.copy(mapped[0], inside)
    # Not RUNPATH, which what is loaded later would not see.
    path = ["--force-rpath", "--set-rpath", f"$ORIGIN/{inside.name}"]
    subprocess.run(["patchelf", *path, program / program.name], check=True)


def _archive(program: Path, folder: Path) -> Path:
    """The program's folder as one file: ZIP for Windows, which has no tar for a double click."""
    name = f"{program.name}-{__version__}-{for_this_machine()[0].name}"
    files = sorted(path for path in program.rglob("*") if not path.is_dir() or path.is_symlink())
    names = {path: f"{program.name}/{path.relative_to(program).as_posix()}" for path in files}
    if platform.system() == "Windows":
        target = folder / f"{name}.zip"
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
            for path, inside in names.items():
                archive.write(path, inside)
        return target
    target = folder / f"{name}.tar.gz"
    with (
        target.open("wb") as file,
        # Else gzip notes name and time.
        gzip.GzipFile("", "wb", fileobj=file, mtime=source_date_epoch()) as packed,
        tarfile.open(fileobj=packed, mode="w") as tar,
    ):
        for path, inside in names.items():
            tar.add(path, inside, filter=_plain)
    return target


def _plain(info: tarfile.TarInfo) -> tarfile.TarInfo:
    """Without what differs from one machine to the next."""
    info.uid = info.gid = 0
    info.uname = info.gname = ""
    info.mtime = source_date_epoch()
    info.mode = 0o755 if info.mode & 0o100 else 0o644
    return info


if __name__ == "__main__":
    sys.exit(main())
