"""Builds a runtime with Cosmopolitan's tools and puts it into the cache.

Command lines: cosmopolitan's `tool/cosmocc/bin/cosmocc` (as it calls apelink), the manuals of
`apelink` and `assimilate`, and zipalign's README.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from packer.ape.anatomy import take_apart
from packer.engines import environment, layout, logged, native, ninja, sums, toolchain
from packer.engines.cosmo import cache, sources, steps, tools
from packer.engines.cosmo.start import start_command
from packer.engines.cosmo.tools import ARCHS, CosmoTools
from packer.engines.license_files import license_files
from packer.engines.lock import locked
from packer.io.console import note
from packer.io.epoch import VARIABLE, ZIP_BEGINS
from runtime.errors import InputError
from runtime.formats.sha256_file import file_sha256

_GOAL = "llamapack-cosmo-files"
"""The CMake target that leaves the ELF program `runtime` in the build folder."""
_LICENSES = Path("licenses", "runtime")


@dataclass(frozen=True)
class CosmoRequest:
    """What the user wants to have built."""

    source: Path
    """Folder of a CMake project."""
    program: str = ""
    """Its target that is the runtime; empty where it makes only one program."""
    definitions: tuple[str, ...] = ()
    """CMake variables, `NAME=VALUE`."""
    cosmocc: Path | None = None
    """Where the tools are looked for first."""


@dataclass(frozen=True)
class _CosmoWork:
    request: CosmoRequest
    tools: CosmoTools
    folder: Path
    """Holds `source/` and `native/` (what is compiled), and a build folder for each arch."""
    log: Path
    env: dict[str, str]


def build(request: CosmoRequest, jobs: int | None = None) -> Path:
    """The APE program made of what is in the source now; built if it is not in the cache.

    Args:
        jobs: how many compilers run at once; as many as there are CPUs if None.

    Raises:
        InputError: the source cannot be compiled, a tool is missing or too old, or a step fails.
    """
    source = sources.checked(request.source)
    found = tools.find(request.cosmocc)
    with locked(layout.lock(cache.KIND)):
        if ready := cache.find(_key(request, found, source, native.directory())):
            return ready
        began = time.monotonic()
        folder = layout.build(cache.KIND)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        try:
            program = _built(request, found, folder, jobs or os.cpu_count() or 1)
        except (KeyboardInterrupt, SystemExit):
            shutil.rmtree(folder, ignore_errors=True)
            raise
        # After a failure the folder stays, to be looked at; the next build begins by removing it.
        shutil.rmtree(folder, ignore_errors=True)
        note(f"built the runtime of {request.source} in {time.monotonic() - began:.0f} s")
        return program


def _key(request: CosmoRequest, found: CosmoTools, source: Path, ours: Path) -> str:
    parts = {
        "definitions": request.definitions,
        "ours": sources.our_digest(ours),
        "program": request.program,
        "source": sources.digest(source),
        "tools": [dict(found.versions), [file_sha256(path) for path in found.deciding]],
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _built(request: CosmoRequest, found: CosmoTools, folder: Path, jobs: int) -> Path:
    log = layout.log(cache.KIND)
    logged.start(log)
    # zipalign writes its one fixed date in local time.
    env = environment.clean() | {VARIABLE: str(ZIP_BEGINS), "TZ": "UTC"}
    work = _CosmoWork(request, found, folder, log, env)
    source = sources.snapshot(request.source, folder)
    key = _key(request, found, source, folder / "native")
    note(f"building the runtime of {request.source} (log: {log})")
    programs = [_compile(work, arch, jobs) for arch in ARCHS]
    ape = folder / cache.PROGRAM
    _link(work, programs, ape)
    _add_licenses(work, source, ape)
    for arch, flag in zip(ARCHS, ("-x", "-a"), strict=True):
        _check(work, ape, arch, flag)
    return _publish(work, ape, key)


def _compile(work: _CosmoWork, arch: str, jobs: int) -> Path:
    """The ELF program for one architecture."""
    out, paths, name = work.folder / arch, work.tools.paths, f"{cache.KIND} for {arch}"
    ours = {
        "CMAKE_MAKE_PROGRAM": toolchain.program("ninja"),
        "CMAKE_TOOLCHAIN_FILE": work.folder / "native" / "cosmo" / "toolchain.cmake",
        "COSMO_ARCH": arch,
        "COSMO_CC": paths[f"{arch}-unknown-cosmo-cc"],
        "COSMO_CXX": paths[f"{arch}-unknown-cosmo-c++"],
        "COSMO_AR": paths[f"{arch}-unknown-cosmo-ar"],
        "COSMO_HOST_CC": paths["cosmocc"],
        "COSMO_HOST_CXX": paths["cosmoc++"],
        "COSMO_SOURCE": work.folder / "source",
        "COSMO_PROGRAM": work.request.program,
    }
    words: list[str | Path] = [toolchain.program("cmake"), "-S", work.folder / "native" / "cosmo"]
    words += ["-B", out, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release"]
    words += [f"-D{one}" for one in work.request.definitions]
    words += [f"-D{variable}={value}" for variable, value in ours.items()]
    tip = f"Note that {sources.ABOUT_UPSTREAM}; "
    steps.run(words, f"configuring {name}", work.log, tool="cmake", env=work.env, tip=tip)
    with ninja.shown(name) as on_line:
        words = [toolchain.program("ninja"), "-C", out, "-j", str(jobs), _GOAL]
        steps.run(
            words, f"compiling {name}", work.log, tool="ninja", env=work.env, on_line=on_line,
            tip=tip,
        )  # fmt: skip
    return out / "runtime"


def _start(work: _CosmoWork, tool: str, words: list[str | Path], doing: str) -> None:
    command = [*start_command(work.tools.paths[tool]), *words]
    steps.run(command, doing, work.log, tool=tool, env=work.env, cwd=work.folder)


def _link(work: _CosmoWork, programs: list[Path], ape: Path) -> None:
    words: list[str | Path] = []
    for loader in tools.LOADERS:
        words += ["-l", work.tools.paths[loader]]
    words += ["-M", work.tools.paths[tools.M1_LOADER], "-o", ape, *programs]
    _start(work, "apelink", words, "joining the programs of both architectures")
    if not ape.is_file() or not take_apart(ape).kind.is_ape:
        raise InputError(
            "`apelink` ended with status 0, but made no APE program",
            f"The whole output is in `{work.log}`.",
        )
    ape.chmod(0o755)


def _add_licenses(work: _CosmoWork, source: Path, ape: Path) -> None:
    names = license_files(path.name for path in source.iterdir() if path.is_file())
    if not names:
        return
    (work.folder / _LICENSES).mkdir(parents=True)
    for name in names:
        shutil.copyfile(source / name, work.folder / _LICENSES / name)
    words: list[str | Path] = ["-6", "-a", "1", ape, *(_LICENSES / name for name in names)]
    _start(work, "zipalign", words, "adding the runtime's licence")


def _check(work: _CosmoWork, ape: Path, arch: str, flag: str) -> None:
    """Let assimilate make the native program of one architecture out of a copy."""
    copy = work.folder / f"{arch}.elf"
    shutil.copyfile(ape, copy)
    _start(work, "assimilate", ["-e", flag, copy], f"looking for the program for {arch}")
    target = take_apart(copy).native
    if not target or not target.endswith(f"-{arch}"):
        raise InputError(
            f"the output of `apelink` has no program for {arch}",
            f"The whole output is in `{work.log}`.",
        )
    copy.unlink()


def _publish(work: _CosmoWork, ape: Path, key: str) -> Path:
    """Move the program into the cache, with its sum and facts, in one step."""
    listing = sums.listing([ape])
    place = cache.folder(key)
    built = cache.Built(
        folder=place,
        id=hashlib.sha256(listing.encode()).hexdigest(),
        key=key,
        source=str(work.request.source.resolve()),
        made=work.request.program,
        built_with=dict(work.tools.versions),
        ours=sources.our_digest(work.folder / "native"),
        size=ape.stat().st_size,
    )
    facts = {name: value for name, value in asdict(built).items() if name != "folder"}
    with layout.unfinished(place.parent) as folder:
        ready = folder / "engine"
        ready.mkdir()
        ape.rename(ready / ape.name)
        (ready / sums.NAME).write_text(listing, encoding="utf-8", newline="")
        (ready / cache.FACTS).write_text(
            json.dumps(facts, indent=2, sort_keys=True) + "\n", encoding="utf-8"
        )
        shutil.rmtree(place, ignore_errors=True)
        ready.rename(place)
    for other in cache.runtimes():
        # One for each program: `pack` could not tell an older one from the one that is meant.
        if (other.source, other.made) == (built.source, built.made) and other.folder != place:
            shutil.rmtree(other.folder, ignore_errors=True)
    return built.program
