"""Builds the start stubs with zig."""

from __future__ import annotations

import concurrent.futures
import hashlib
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from packer.engines import native
from packer.head import elf, macho_signature, pe_link
from packer.io import build_cache
from runtime.machine.targets import SYSTEMS, TARGETS

STUB_TARGETS = tuple(dict.fromkeys(target.stub for target in TARGETS.values()))
"""Every target that a bundle can start on."""

FOLDER = "stubs"
"""Of the build cache."""

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


def _files(target: str, suffixes: tuple[str, ...]) -> list[Path]:
    """The files with these suffixes that make up the stub of `target`, sorted."""
    stub = native.directory() / "stub"
    system = TARGETS[target].os
    folders = [stub, *(stub / name for name in _FOLDERS.get(system, ("posix",)))]
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
    """Identifies everything that the stub's bytes depend on."""
    modules = (__file__, elf.__file__, macho_signature.__file__, pe_link.__file__)
    digest = hashlib.sha256("\0".join((target, zig_version, *_flags(target))).encode())
    files = _files(target, (*_COMPILED, *_INCLUDED))
    # In a frozen llamapack the modules are `.pyc` files, with their sources beside them.
    for path in (*files, *(Path(module).with_suffix(".py") for module in modules)):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:32]


def cached(target: str, zig_version: str) -> Path:
    """Where the stub of `target` lies in the build cache once it is compiled or fetched."""
    return build_cache.root() / FOLDER / f"{target}-{_key(target, zig_version)}"


def all_cached(targets: Iterable[str], zig_version: str) -> dict[str, bytes] | None:
    """The stubs by target, in the order of `targets`; None if the cache lacks one of them."""
    paths = {target: cached(target, zig_version) for target in targets}
    if not all(path.is_file() for path in paths.values()):
        return None
    return {target: path.read_bytes() for target, path in paths.items()}


def _compile(target: str, zig: Path, program: Path) -> None:
    arguments: list[str | Path] = [
        *_flags(target), f"-ffile-prefix-map={native.directory()}=native",
        *_files(target, _COMPILED),
    ]  # fmt: skip
    if target.startswith("windows"):
        pe_link.link(zig, arguments, program)
    else:
        # Only the name: that of a signed program is part of its signature.
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
        out_dir: where to put it.

    Returns:
        the path of a program in the native format of its system; for Linux a static ELF program
        that fits the rules of `ape_rules`.

    Raises:
        subprocess.CalledProcessError: if zig fails; its messages went to stderr.
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
    result = out_dir / f"stub-{target}"
    scratch_result = out_dir / f".stub-{target}.{os.getpid()}"
    scratch_result.write_bytes(place.read_bytes())
    scratch_result.chmod(0o755)
    return scratch_result.replace(result)


def build_stubs(
    targets: Iterable[str], zig: Path, progress: Callable[[str], None] | None = None
) -> dict[str, bytes]:
    """Build the stubs of several targets, two at a time.

    Args:
        targets: some of `STUB_TARGETS`.
        zig: the `zig` executable.
        progress: called with each target as its stub is ready, from this thread.

    Returns:
        the stubs by target, in the order of `targets`.

    Raises:
        subprocess.CalledProcessError: if zig fails; its messages went to stderr.
    """
    names = list(targets)
    built: dict[str, bytes] = {}
    with (
        tempfile.TemporaryDirectory() as folder,
        concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool,
    ):
        jobs = {pool.submit(build_stub, name, zig, Path(folder)): name for name in names}
        try:
            for job in concurrent.futures.as_completed(jobs):
                built[jobs[job]] = job.result().read_bytes()
                if progress:
                    progress(jobs[job])
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return {name: built[name] for name in names}
