"""Cosmopolitan's tools: where they are, whether their versions fit, and how they are run.

Sources: cosmopolitan's `tool/cosmocc/README.md`, `package.sh`, `bin/cosmocc` and `cosmocross`,
`tool/build/apelink.c` and `assimilate.c`, and zipalign's `zipalign.c`.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from packer.engines import logged, toolchain
from runtime.errors import InputError
from runtime.machine.head import SIZE, kind_of

ARCHS = ("x86_64", "aarch64")
LOADERS = tuple(f"ape-{arch}.elf" for arch in ARCHS)
M1_LOADER = "ape-m1.c"
"""Source of the loader for Apple's processors; it is compiled when the program first starts."""


@dataclass(frozen=True)
class VersionRule:
    """How to ask a tool for its version, and what it must answer."""

    words: tuple[str, ...]
    answer: re.Pattern[str]
    """Its group is the version; empty for a tool without versions."""
    oldest: tuple[int, ...] = ()
    status: int = 0
    """Its exit status."""


_COMPILERS = (
    "cosmocc",
    "cosmoc++",
    *(f"{arch}-unknown-cosmo-{kind}" for arch in ARCHS for kind in ("cc", "c++")),
)
# cosmocc's releases have had GCC 14.1 since 2024; older ones have 11.2.
_COMPILER = VersionRule(("--version",), re.compile(r"\(GCC\) (\d[\d.]*)"), (14, 1))
_ARCHIVER = VersionRule(("--version",), re.compile(r"^GNU ar\b.* (\d[\d.]*)", re.MULTILINE))
_PROGRAMS: dict[str, VersionRule] = {
    **dict.fromkeys(_COMPILERS, _COMPILER),
    **{f"{arch}-unknown-cosmo-ar": _ARCHIVER for arch in ARCHS},
    "apelink": VersionRule(("-v",), re.compile(r"\bapelink v(\d[\d.]*)")),
    # 1.6 is the first with today's meaning of `-e`, `-x` and `-a`.
    "assimilate": VersionRule(("-v",), re.compile(r"\bassimilate v(\d[\d.]*)"), (1, 6)),
    # It has neither a version nor help; Android's tool of this name answers differently.
    "zipalign": VersionRule((), re.compile(r"missing output argument()"), status=1),
}
_PATIENCE = 60  # seconds

_GET_COSMOCC = (
    "Unpack the release zip of cosmocc (Cosmopolitan project) and name its folder with "
    "`--cosmocc DIR` or `COSMOCC`; the tools are in its `bin`."
)
_GET_ZIPALIGN = (
    "It is not in cosmocc's zip. It is a separate project by Cosmopolitan's author "
    "(Android's `zipalign` is another program). Compile it, and put it into PATH or cosmocc's "
    "`bin`."
)

_LINES = 3
_LONGEST = 400
_FAILED = re.compile(r"FAILED: (?:\[code=(\d+)\])?")
_TOOL = re.compile(r"[\w.+-]+-unknown-cosmo-(?:cc|c\+\+|ar)(?=\s)")


@dataclass(frozen=True)
class CosmoTools:
    """All tools, and the versions that they state."""

    paths: Mapping[str, Path]
    """Programs, and the files that apelink takes, by name."""
    versions: Mapping[str, str]
    """Of the programs."""

    @property
    def deciding(self) -> list[Path]:
        """The files whose contents decide what is built."""
        # Releases with the same compiler differ in their C library.
        homes = {arch: self.paths[f"{arch}-unknown-cosmo-cc"].parent.parent for arch in ARCHS}
        libraries = [homes[arch] / f"{arch}-linux-cosmo" / "lib" / "libcosmo.a" for arch in ARCHS]
        return [*self.paths.values(), *filter(Path.is_file, libraries)]


def find(cosmocc: Path | None) -> CosmoTools:
    """The tools in `bin` of the folder `cosmocc`, else of `$COSMOCC`, else in PATH.

    Raises:
        InputError: one is missing, too old, another program, or from another release.
    """
    places = list(_places(cosmocc))
    paths = {name: _program(name, places) for name in _PROGRAMS}
    paths |= {name: _file(name, places) for name in (*LOADERS, M1_LOADER)}
    versions = {name: _version(paths[name], rule, _tip(name)) for name, rule in _PROGRAMS.items()}
    for name in _COMPILERS:
        if versions[name] != versions["cosmocc"]:
            raise InputError(
                f"{paths[name]} has GCC {versions[name]}, but {paths['cosmocc']} has "
                f"{versions['cosmocc']}",
                "Take all tools from one release of cosmocc.",
            )
    return CosmoTools(paths, versions)


def _places(cosmocc: Path | None) -> Iterator[Path]:
    if cosmocc is not None:
        if not (cosmocc / "bin").is_dir():
            raise InputError(f"{cosmocc} is not a folder of cosmocc: it has no `bin`", _GET_COSMOCC)
        yield cosmocc.absolute() / "bin"
    if named := os.environ.get("COSMOCC"):
        yield Path(named).absolute() / "bin"
    for folder in os.get_exec_path():
        yield Path(folder).absolute()


def _program(name: str, places: list[Path]) -> Path:
    for place in places:
        if found := shutil.which(name, path=str(place)):
            if " " in found:
                # Its scripts split the path of their own folder at spaces.
                raise InputError(
                    f"{found}: Cosmopolitan's tools do not work in a folder with a space in its "
                    "name",
                    "Move them to another folder.",
                )
            return Path(found)
    raise _missing(name)


def _file(name: str, places: list[Path]) -> Path:
    for place in places:
        if (place / name).is_file():
            return place / name
    raise _missing(name)


def _missing(name: str) -> InputError:
    return InputError(f"there is no `{name}` here; `--toolchain cosmo` needs it", _tip(name))


def _tip(name: str) -> str:
    return _GET_ZIPALIGN if name == "zipalign" else _GET_COSMOCC


def _version(tool: Path, rule: VersionRule, tip: str) -> str:
    status, text = _answer(tool, rule.words, tip)
    asked = f"`{' '.join((tool.name, *rule.words))}`"
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    last = " | ".join(lines[-3:])[:240] or "nothing"
    if status != rule.status:
        raise InputError(f"{tool}: {asked} ended with status {status}: {last}", tip)
    found = rule.answer.search(text)
    if not found:
        raise InputError(f"{tool} is another program: {asked} says: {last}", tip)
    if rule.oldest and tuple(map(int, found[1].strip(".").split("."))) < rule.oldest:
        oldest = ".".join(map(str, rule.oldest))
        raise InputError(f"{tool} is too old: it has {found[1]}, and {oldest} is needed", tip)
    return found[1]


def _answer(tool: Path, words: Sequence[str], tip: str) -> tuple[int, str]:
    # apelink writes its version to descriptor 0, so all three are one file.
    with tempfile.TemporaryFile() as said:
        try:
            done = subprocess.run(
                [*start_command(tool), *words],
                env=toolchain.clean_environment(),
                stdin=said,
                stdout=said,
                stderr=said,
                timeout=_PATIENCE,
                check=False,
            )
        except OSError as problem:
            raise InputError(f"{tool} does not run: {problem.strerror}", tip) from None
        except subprocess.TimeoutExpired:
            raise InputError(f"{tool} did not answer within {_PATIENCE} seconds", tip) from None
        said.seek(0)
        return done.returncode, said.read().decode("utf-8", "replace")


def start_command(tool: Path) -> list[str]:
    """The first words of a command line that starts a tool, which is an APE file or a script.

    `execve`, which Python uses, refuses APE files where no loader is registered; a shell runs them
    as scripts.
    """
    with tool.open("rb") as file:
        head = file.read(SIZE)
    return ["sh", str(tool)] if kind_of(head).is_ape else [str(tool)]


def run_step(
    command: Sequence[str | Path],
    doing: str,
    log: Path,
    *,
    tool: str,
    env: Mapping[str, str],
    cwd: Path | None = None,
    on_line: Callable[[str], None] = lambda line: None,
    tip: str = "",
) -> None:
    """Run one step of a build; a failure names the tool, its exit status and its last lines.

    Args:
        tool: the name of the program that the command starts.
        tip: what to say before the name of the log.

    Raises:
        InputError: it cannot be started, or ended with a status other than 0.
    """
    try:
        logged.run(command, doing, log, env=env, cwd=cwd, on_line=on_line)
    except logged.Failed as problem:
        name, status, last = _failure(problem.output)
        said = "" if problem.error in last else f"{problem.error}; "
        status = problem.status if status is None else status
        raise InputError(
            f"{doing} failed: {said}`{name or tool}` ended with status {status}: {last}",
            f"{tip}{problem.tip}",
        ) from None


def _failure(output: list[str]) -> tuple[str, int | None, str]:
    """Name, exit status and last lines of the tool that failed first, if ninja says which."""
    name, status = "", None
    at = next((i for i, line in enumerate(output) if _FAILED.match(line)), None)
    if at is not None:
        failed, tool = _FAILED.match(output[at]), _TOOL.search(" ".join(output[at + 1 : at + 2]))
        name = tool[0] if tool else ""
        status = int(failed[1]) if failed and failed[1] else None
        # The command follows in one line, then its output.
        output = list(
            takewhile(
                lambda line: not (toolchain.ninja_step(line) or line.startswith("ninja: ")),
                output[at + 2 :],
            )
        )
    return name, status, " | ".join(output[-_LINES:])[-_LONGEST:] or "it printed nothing"
