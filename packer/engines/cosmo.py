"""Runtimes built with Cosmopolitan's tools: one fat APE program for all systems.

A runtime is made of a CMake project of the user's and of our own files in `native/`. It is kept in
the build cache, and `pack --runtime cosmo` puts it in front of weights.

Sources of the command lines: cosmopolitan's `tool/cosmocc/bin/cosmocc` (as it calls apelink), the
manuals of `apelink` and `assimilate`, and zipalign's README.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from packer.ape.anatomy import take_apart
from packer.engines import cosmo_tools, layout, logged, native, sums, toolchain
from packer.engines.cosmo_tools import ARCHS, CosmoTools, run_step
from packer.engines.layout import locked
from packer.engines.license_files import license_files
from packer.io import build_cache
from packer.io.console import note
from packer.io.epoch import VARIABLE, ZIP_BEGINS
from runtime.errors import InputError
from runtime.formats.sha256_file import file_sha256

KIND = "cosmo"
"""The name of this kind of engine, also on the command line."""
_FACTS = "runtime.json"
_PROGRAM = "llamapack-runtime"
"""File name of the APE program, which also runs where it is."""
_ABOUT_UPSTREAM = "upstream llama.cpp is known not to compile with cosmocc unless it is patched"
_GIT = ".git"
_OURS = ("bundle", "cosmo")
"""Folders of `native/` that are compiled into a runtime."""
_GOAL = "llamapack-cosmo-files"
"""The CMake target that leaves the ELF program `runtime` in the build folder."""
_LICENSES = Path("licenses", "runtime")

_ZIG = "zig"
_FLAGS = {
    "--source": "source",
    "--program": "program",
    "--define": "definitions",
    "--cosmocc": "cosmocc",
}
_DEFINITION = re.compile(r"\w+(:[A-Z]+)?=.*", re.ASCII)


@dataclass(frozen=True)
class CosmoRequest:
    """What the user wants to have built."""

    source: Path
    """Folder of a CMake project."""
    program: str = ""
    """The CMake target that is the runtime; empty if the project has only one program."""
    definitions: tuple[str, ...] = ()
    """CMake variables, `NAME=VALUE`."""
    cosmocc: Path | None = None
    """Where the tools are searched first."""


@dataclass(frozen=True)
class CosmoRuntime:
    """A finished runtime: its program, `SHA256SUMS` and `runtime.json` are in `folder`."""

    folder: Path
    id: str
    """SHA-256 of its `SHA256SUMS`."""
    key: str
    """SHA-256 of everything that it was built from."""
    source: str
    """The folder that it was compiled from."""
    made: str
    """Name of the program there; empty if there was only one."""
    built_with: dict[str, str]
    """Versions of the tools."""
    ours: str
    """SHA-256 of our own files in it."""
    size: int
    """Bytes of the program."""

    @property
    def program(self) -> Path:
        return self.folder / _PROGRAM

    @property
    def current(self) -> bool:
        """Built with the present `native/`; the next build finds out whether its source changed."""
        return self.ours == _our_digest(native.directory())


@dataclass(frozen=True)
class _CosmoWork:
    request: CosmoRequest
    tools: CosmoTools
    folder: Path
    """Holds `source/` and `native/` (what is compiled), and a build folder for each arch."""
    log: Path
    env: dict[str, str]

    def run_tool(self, tool: str, words: list[str | Path], doing: str) -> None:
        command = [*cosmo_tools.start_command(self.tools.paths[tool]), *words]
        run_step(command, doing, self.log, tool=tool, env=self.env, cwd=self.folder)


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `engine build` that choose the tools, and those for Cosmopolitan's."""
    parser.add_argument(
        "--toolchain",
        choices=(_ZIG, KIND),
        default=_ZIG,
        help=f"{_ZIG}: one native engine per target (default); {KIND}: one program for all "
        "systems, built with Cosmopolitan's tools, for `pack --runtime cosmo`",
    )
    cosmo = parser.add_argument_group(f"for --toolchain {KIND}")
    cosmo.add_argument(
        "--source", type=Path, metavar="DIR", help="sources of the runtime, a CMake project"
    )
    cosmo.add_argument(
        "--program", metavar="NAME", help="program to use, if the sources build several"
    )
    cosmo.add_argument(
        "-D",
        "--define",
        dest="definitions",
        type=_definition,
        action="append",
        metavar="NAME=VALUE",
        help="CMake variable for the sources; repeatable",
    )
    cosmo.add_argument(
        "--cosmocc",
        type=Path,
        metavar="DIR",
        help="folder of cosmocc; default: $COSMOCC, or the tools in PATH",
    )
    parser.set_defaults(refuse=parser.error)


def conflict(stated: Mapping[str, Any]) -> str | None:
    """Why the values of these flags, by attribute, cannot be used together; None if they can."""
    if stated["toolchain"] == _ZIG:
        given = next((flag for flag, attribute in _FLAGS.items() if stated[attribute]), None)
        return f"{given} is for --toolchain {KIND}" if given else None
    if stated["source"] is None:
        return f"--toolchain {KIND} needs --source DIR, the sources to compile: {_ABOUT_UPSTREAM}"
    if stated["targets"] or stated["all"]:
        return f"--toolchain {KIND} makes one program for all systems; do not name a target"
    return None


def _definition(text: str) -> str:
    if not _DEFINITION.fullmatch(text):
        raise argparse.ArgumentTypeError(f"`{text}` is not NAME=VALUE")
    return text


def runtimes() -> list[CosmoRuntime]:
    """All finished runtimes, also those that are out of date."""
    found = []
    for path in sorted(layout.engines().glob(f"{KIND}-*/{_FACTS}")):
        try:
            facts = json.loads(path.read_text(encoding="utf-8"))
            found.append(CosmoRuntime(path.parent, **facts))
        except (ValueError, TypeError):
            continue  # Written by another version of llamapack; `clean --all` removes it.
    return found


def chosen() -> Path:
    """The program of the one runtime that is built.

    Raises:
        InputError: there is none, there are several, or its bytes have changed.
    """
    current = [one for one in runtimes() if one.current]
    if not current:
        raise InputError(
            "no runtime is built with Cosmopolitan's tools",
            f"Run `llamapack engine build --toolchain {KIND} --source DIR`.",
        )
    if len(current) > 1:
        listed = ", ".join(f"{one.program} ({one.source})" for one in current)
        raise InputError(
            f"{len(current)} runtimes are built with Cosmopolitan's tools: {listed}",
            "Choose one with `--runtime FILE`.",
        )
    [one] = current
    if file_sha256(one.program) != sums.read(one.folder).sums.get(_PROGRAM):
        raise sums.damaged(one.folder, f"{_PROGRAM} differs from the built program")
    return one.program


def build_runtime(request: CosmoRequest, jobs: int | None = None) -> Path:
    """The APE program made from the present sources; built if it is not in the cache.

    Args:
        jobs: how many compilers run at once; None: one for each CPU.

    Raises:
        InputError: the source cannot be compiled, a tool is missing or too old, or a step fails.
    """
    source = _checked_source(request.source)
    tools = cosmo_tools.find(request.cosmocc)
    with locked(layout.lock(KIND)):
        key = _key(request, tools, source, native.directory())
        ready = (one.program for one in runtimes() if one.key == key and one.program.is_file())
        if program := next(ready, None):
            return program
        began = time.monotonic()
        folder = layout.build(KIND)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        try:
            program = _built(request, tools, folder, jobs or os.cpu_count() or 1)
        except (KeyboardInterrupt, SystemExit):
            shutil.rmtree(folder, ignore_errors=True)
            raise
        # After a failure the folder stays for inspection; the next build removes it first.
        shutil.rmtree(folder, ignore_errors=True)
        note(f"built the runtime of {request.source} in {time.monotonic() - began:.0f} s")
        return program


def _checked_source(source: Path) -> Path:
    place = source.resolve()
    if not place.is_dir():
        raise InputError(f"{source} is not a folder", "Name the folder of the runtime's sources.")
    if not (place / "CMakeLists.txt").is_file():
        raise InputError(
            f"{source} has no `CMakeLists.txt`: only CMake projects can be compiled",
            f"Name the top folder of the runtime's sources; {_ABOUT_UPSTREAM}.",
        )
    if build_cache.root().resolve().is_relative_to(place):
        raise InputError(
            f"the build cache, {build_cache.root()}, is inside {source}",
            "Set `LLAMAPACK_BUILD_CACHE` to another folder.",
        )
    return place


def _key(request: CosmoRequest, tools: CosmoTools, source: Path, ours: Path) -> str:
    files = (path for path in source.rglob("*") if _GIT not in path.relative_to(source).parts)
    files = (path for path in files if path.is_symlink() or path.is_file())
    parts = {
        "definitions": request.definitions,
        "ours": _our_digest(ours),
        "program": request.program,
        "source": _digest(source, sorted(files)),
        "tools": [dict(tools.versions), [file_sha256(path) for path in tools.deciding]],
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _our_digest(ours: Path) -> str:
    return _digest(ours, list(_our_files(ours)))


def _our_files(ours: Path) -> Iterator[Path]:
    for name in _OURS:
        yield from sorted(path for path in (ours / name).rglob("[!.]*.*") if path.is_file())


def _digest(folder: Path, files: list[Path]) -> str:
    """SHA-256 (hexadecimal) of the files' names and contents."""
    whole = hashlib.sha256()
    for path in files:
        content = f"-> {path.readlink()}" if path.is_symlink() else file_sha256(path)
        whole.update(f"{path.relative_to(folder).as_posix()}\0{content}\0".encode())
    return whole.hexdigest()


def _built(request: CosmoRequest, tools: CosmoTools, folder: Path, jobs: int) -> Path:
    log = layout.log(KIND)
    logged.start(log)
    # zipalign writes its one fixed date in local time.
    env = toolchain.clean_environment() | {VARIABLE: str(ZIP_BEGINS), "TZ": "UTC"}
    work = _CosmoWork(request, tools, folder, log, env)
    source = _snapshot(request.source, folder)
    key = _key(request, tools, source, folder / "native")
    note(f"building the runtime of {request.source} (log: {log})")
    programs = [_compile(work, arch, jobs) for arch in ARCHS]
    ape = folder / _PROGRAM
    _link(work, programs, ape)
    _add_licenses(work, source, ape)
    for arch, flag in zip(ARCHS, ("-x", "-a"), strict=True):
        _check(work, ape, arch, flag)
    return _publish(work, ape, key)


def _snapshot(source: Path, folder: Path) -> Path:
    """Copy all sources: an edit during the build cannot get into its result."""
    ours = native.directory()
    for path in _our_files(ours):
        copy = folder / "native" / path.relative_to(ours)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, copy)
    ignored = shutil.ignore_patterns(_GIT)
    return shutil.copytree(source, folder / "source", symlinks=True, ignore=ignored)


def _compile(work: _CosmoWork, arch: str, jobs: int) -> Path:
    """The ELF program for one architecture."""
    out, tools, name = work.folder / arch, work.tools.paths, f"{KIND} for {arch}"
    definitions = {
        "CMAKE_MAKE_PROGRAM": toolchain.program("ninja"),
        "CMAKE_TOOLCHAIN_FILE": work.folder / "native" / "cosmo" / "toolchain.cmake",
        "COSMO_ARCH": arch,
        "COSMO_CC": tools[f"{arch}-unknown-cosmo-cc"],
        "COSMO_CXX": tools[f"{arch}-unknown-cosmo-c++"],
        "COSMO_AR": tools[f"{arch}-unknown-cosmo-ar"],
        "COSMO_HOST_CC": tools["cosmocc"],
        "COSMO_HOST_CXX": tools["cosmoc++"],
        "COSMO_SOURCE": work.folder / "source",
        "COSMO_PROGRAM": work.request.program,
    }
    words: list[str | Path] = [toolchain.program("cmake"), "-S", work.folder / "native" / "cosmo"]
    words += ["-B", out, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release"]
    words += [f"-D{one}" for one in work.request.definitions]
    words += [f"-D{variable}={value}" for variable, value in definitions.items()]
    tip = f"Note that {_ABOUT_UPSTREAM}; "
    run_step(words, f"configuring {name}", work.log, tool="cmake", env=work.env, tip=tip)
    with toolchain.ninja_progress(name) as on_line:
        words = [toolchain.program("ninja"), "-C", out, "-j", str(jobs), _GOAL]
        run_step(
            words, f"compiling {name}", work.log, tool="ninja", env=work.env, on_line=on_line,
            tip=tip,
        )  # fmt: skip
    return out / "runtime"


def _link(work: _CosmoWork, programs: list[Path], ape: Path) -> None:
    tools = work.tools.paths
    words: list[str | Path] = []
    for loader in cosmo_tools.LOADERS:
        words += ["-l", tools[loader]]
    words += ["-M", tools[cosmo_tools.M1_LOADER], "-o", ape, *programs]
    work.run_tool("apelink", words, "joining the programs of both architectures")
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
    work.run_tool("zipalign", words, "adding the runtime's licence")


def _check(work: _CosmoWork, ape: Path, arch: str, flag: str) -> None:
    """Let assimilate turn a copy into the native program of one architecture."""
    copy = work.folder / f"{arch}.elf"
    shutil.copyfile(ape, copy)
    work.run_tool("assimilate", ["-e", flag, copy], f"looking for the program for {arch}")
    target = take_apart(copy).native
    if not target or not target.endswith(f"-{arch}"):
        raise InputError(
            f"the output of `apelink` has no program for {arch}",
            f"The whole output is in `{work.log}`.",
        )
    copy.unlink()


def _publish(work: _CosmoWork, ape: Path, key: str) -> Path:
    """Move the program into the cache, with its sum and facts, in one step."""
    made = work.folder / "finished"
    made.mkdir()
    ape.rename(made / ape.name)
    listing = sums.listing([made / ape.name])
    (made / sums.NAME).write_text(listing, encoding="utf-8", newline="")
    place = layout.engines() / f"{KIND}-{key[:16]}"
    built = CosmoRuntime(
        folder=place,
        id=hashlib.sha256(listing.encode()).hexdigest(),
        key=key,
        source=str(work.request.source.resolve()),
        made=work.request.program,
        built_with=dict(work.tools.versions),
        ours=_our_digest(work.folder / "native"),
        size=(made / ape.name).stat().st_size,
    )
    facts = {name: value for name, value in asdict(built).items() if name != "folder"}
    layout.publish(made, _FACTS, facts, place)
    for other in runtimes():
        # One for each program: `pack` could not choose between versions of it.
        if (other.source, other.made) == (built.source, built.made) and other.folder != place:
            shutil.rmtree(other.folder, ignore_errors=True)
    return built.program
