"""Builds the start stubs with zig."""

from __future__ import annotations

import functools
import hashlib
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from packer.engines import native
from packer.engines.wheels import installed
from packer.head import elf, macho_signature
from packer.io import build_cache
from runtime.machine.targets import SYSTEMS, TARGETS

STUB_TARGETS = tuple(dict.fromkeys(target.stub for target in TARGETS.values()))
"""All targets that a bundle can start on."""

FOLDER = "stubs"
"""Of the build cache."""

SECTION_ALIGNMENT = 65536
"""Bytes between the starts of a Windows stub's sections in memory."""

_FLAGS = (
    "-std=c11", "-Oz", "-s", "-fno-sanitize=all", "-ffunction-sections", "-fdata-sections",
    "-fno-asynchronous-unwind-tables", "-Wl,--gc-sections",
)  # fmt: skip
_FORMAT_FLAGS = {
    "elf": ("-Wl,--build-id=none",),
    "macho": ("-Wl,-dead_strip",),
    "pe": ("-DUNICODE", "-D_UNICODE", "-ladvapi32"),
}
_LINUX_FLAGS = (
    "-D_GNU_SOURCE", "-static", "-no-pie",
    # One segment to write to, and 64 KiB apart: the APE loader's rules, and arm64's larger pages.
    "-Wl,-z,norelro", "-Wl,-z,max-page-size=65536",
)  # fmt: skip

_FOLDERS = {"linux": ("posix", "linux"), "windows": ("windows",)}
_COMPILED = (".c", ".rc")
_INCLUDED = (".h", ".manifest")
_WORD = re.compile(r" (?=[-/]|[A-Za-z]:[\\/])")
"""Between the words of zig's report, which quotes nothing: paths in it may contain spaces."""


def _files(target: str, suffixes: tuple[str, ...]) -> list[Path]:
    """The sources of the stub of `target` with these suffixes, sorted."""
    stub = native.directory() / "stub"
    folders = [stub, *(stub / name for name in _FOLDERS.get(TARGETS[target].os, ("posix",)))]
    folders.append(native.directory() / "bundle")
    return [p for folder in folders for p in sorted(folder.iterdir()) if p.suffix in suffixes]


def _flags(target: str) -> tuple[str, ...]:
    row = TARGETS[target]
    system = SYSTEMS[row.os]
    more = _LINUX_FLAGS if row.os == "linux" else ()
    return (
        "-target", f"{row.arch}-{system.stub}", *_FLAGS, *_FORMAT_FLAGS[system.format], *more,
    )  # fmt: skip


def _key(target: str, zig_version: str) -> str:
    """Hash of everything that the stub's bytes depend on."""
    modules = (__file__, elf.__file__, macho_signature.__file__)
    digest = hashlib.sha256("\0".join((target, zig_version, *_flags(target))).encode())
    files = _files(target, (*_COMPILED, *_INCLUDED))
    # In a frozen llamapack the modules are `.pyc` files, with their sources beside them.
    for path in (*files, *(Path(module).with_suffix(".py") for module in modules)):
        digest.update(path.name.encode() + b"\0" + _content(path) + b"\0")
    return digest.hexdigest()[:32]


@functools.cache
def _content(path: Path) -> bytes:
    """A file that the keys of several stubs depend on."""
    return path.read_bytes()


def cached(target: str, zig_version: str) -> Path:
    """The path of the stub in the build cache, whether it exists or not."""
    return build_cache.root() / FOLDER / f"{target}-{_key(target, zig_version)}"


def all_cached(targets: Iterable[str], zig_version: str) -> dict[str, bytes] | None:
    """The stubs by target, in the order of `targets`, from wheels or the build cache; None if both
    lack one of them."""
    paths = {target: installed(cached(target, zig_version)) for target in targets}
    if not all(path.is_file() for path in paths.values()):
        return None
    return {target: path.read_bytes() for target, path in paths.items()}


def link_windows(zig: Path, arguments: Sequence[str | Path], out: Path) -> None:
    """Do what `zig cc ARGUMENTS -o OUT` does, with sections 64 KiB apart.

    Windows checks the signature of a program only if its NT headers begin in the first half of the
    first SectionAlignment bytes; those of a bundle are behind its script. `zig cc` has no option
    for that, but it reports how it calls its linker, which has one.

    Raises:
        subprocess.CalledProcessError: zig fails; its messages went to stderr.
        ValueError: zig does not report how it links.
    """
    # A new cache: zig does not link a program that it finds in its cache.
    with tempfile.TemporaryDirectory() as scratch:
        env = {**os.environ, "ZIG_VERBOSE_LINK": "1", "ZIG_LOCAL_CACHE_DIR": scratch}
        report = _run([str(zig), "cc", *map(str, arguments), "-o", str(out)], env)
        links = [line for line in report.splitlines() if line.startswith("lld-link ")]
        if len(links) != 1:
            raise ValueError(f"zig reported {len(links)} calls of its linker, not one")
        _, *words = _WORD.split(links[0])
        # Without `-timestamp` the linker writes the present time into the program.
        mine = [f"-align:{SECTION_ALIGNMENT}", "-timestamp:0"]
        _run([str(zig), "lld-link", *words, *mine], env)


def _run(command: Sequence[str], env: Mapping[str, str]) -> str:
    """Run, and show the output only of a failure: lld warns of any unusual alignment."""
    done = subprocess.run(command, env=env, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        sys.stderr.write(done.stderr)
        raise subprocess.CalledProcessError(done.returncode, command)
    return done.stderr


def _compile(target: str, zig: Path, program: Path) -> None:
    arguments: list[str | Path] = [
        *_flags(target), f"-ffile-prefix-map={native.directory()}=native",
        *_files(target, _COMPILED),
    ]  # fmt: skip
    if target.startswith("windows"):
        link_windows(zig, arguments, program)
    else:
        # Only its name, not its path: the name is part of a program's signature.
        command = [zig, "cc", *arguments, "-o", program.name]
        subprocess.run(command, check=True, cwd=program.parent)
    if target.startswith("linux"):
        program.write_bytes(elf.hide_phdr(program.read_bytes()))
    elif target == "macos-x86_64":  # zig signs what it links for arm64.
        program.write_bytes(macho_signature.sign(program.read_bytes(), "stub"))
    program.chmod(0o755)


def build_stub(target: str, zig: Path, out_dir: Path) -> Path:
    """Compile the stub of `target`, or take it from the build cache.

    Args:
        target: one of `STUB_TARGETS`.
        zig: the `zig` executable.

    Returns:
        the path of a program in the native format of its system, in `out_dir`; for Linux a static
        ELF program that keeps the APE loader's rules.

    Raises:
        subprocess.CalledProcessError: zig fails; its messages went to stderr.
    """
    version = subprocess.run(
        [zig, "version"], check=True, capture_output=True, text=True
    ).stdout.strip()
    place = cached(target, version)
    if not place.is_file():
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=place.parent) as scratch:
            program = Path(scratch) / "stub"
            _compile(target, zig, program)
            program.replace(place)
    out_dir.mkdir(parents=True, exist_ok=True)
    unfinished = out_dir / f".stub-{target}.{os.getpid()}"
    unfinished.write_bytes(place.read_bytes())
    unfinished.chmod(0o755)
    return unfinished.replace(out_dir / f"stub-{target}")


def build_stubs(targets: Iterable[str], zig: Path) -> dict[str, bytes]:
    """The stubs of several of `STUB_TARGETS`, by target; two are built at a time.

    Raises:
        subprocess.CalledProcessError: zig fails; its messages went to stderr.
    """
    names = list(targets)
    with (
        tempfile.TemporaryDirectory() as folder,
        ThreadPoolExecutor(max_workers=2) as pool,
    ):
        jobs = [pool.submit(build_stub, name, zig, Path(folder)) for name in names]
        try:
            return {name: job.result().read_bytes() for name, job in zip(names, jobs, strict=True)}
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
