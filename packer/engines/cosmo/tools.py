"""Cosmopolitan's tools: where they are, and that they belong together.

Facts: cosmopolitan's `tool/cosmocc/README.md` and `package.sh`.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from packer.engines.cosmo import versions
from packer.engines.cosmo.versions import VersionRule
from runtime.errors import InputError

ARCHS = ("x86_64", "aarch64")

_COMPILERS = (
    "cosmocc",
    "cosmoc++",
    *(f"{arch}-unknown-cosmo-{kind}" for arch in ARCHS for kind in ("cc", "c++")),
)
_PROGRAMS: dict[str, VersionRule] = {
    **dict.fromkeys(_COMPILERS, versions.COMPILER),
    **{f"{arch}-unknown-cosmo-ar": versions.ARCHIVER for arch in ARCHS},
    "apelink": versions.APELINK,
    "assimilate": versions.ASSIMILATE,
    "zipalign": versions.ZIPALIGN,
}
LOADERS = tuple(f"ape-{arch}.elf" for arch in ARCHS)
M1_LOADER = "ape-m1.c"
"""Source of the loader for Apple's processors, compiled where the program starts."""

_GET_COSMOCC = (
    "Unpack the release zip of cosmocc (Cosmopolitan project) and name its folder with "
    "`--cosmocc DIR` or `COSMOCC`; the tools are in its `bin`."
)
_GET_ZIPALIGN = (
    "It is not in cosmocc's zip. It is a separate project by Cosmopolitan's author "
    "(Android's `zipalign` is another program). Compile it, and put it into PATH or cosmocc's "
    "`bin`."
)


@dataclass(frozen=True)
class CosmoTools:
    """All of them, found and asked for their versions."""

    paths: Mapping[str, Path]
    """Programs, and the files that apelink takes, by name."""
    versions: Mapping[str, str]
    """Of the programs."""

    @property
    def deciding(self) -> list[Path]:
        """The files whose contents decide what is built."""
        return [*self.paths.values(), *self._libraries()]

    def _libraries(self) -> Iterator[Path]:
        # Releases with the same compiler differ in their C library.
        for arch in ARCHS:
            home = self.paths[f"{arch}-unknown-cosmo-cc"].parent.parent
            library = home / f"{arch}-linux-cosmo" / "lib" / "libcosmo.a"
            if library.is_file():
                yield library


def find(cosmocc: Path | None) -> CosmoTools:
    """The tools in `bin` of the folder `cosmocc`, else of `$COSMOCC`, else in PATH.

    Raises:
        InputError: one is missing, too old, another program, or of another release than the rest.
    """
    places = list(_places(cosmocc))
    paths = {name: _program(name, places) for name in _PROGRAMS}
    paths |= {name: _file(name, places) for name in (*LOADERS, M1_LOADER)}
    said = {
        name: versions.version(paths[name], rule, _tip(name)) for name, rule in _PROGRAMS.items()
    }
    for name in _COMPILERS:
        if said[name] != said["cosmocc"]:
            raise InputError(
                f"{paths[name]} has GCC {said[name]}, but {paths['cosmocc']} has {said['cosmocc']}",
                "Take all tools from one release of cosmocc.",
            )
    return CosmoTools(paths, said)


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
                # Its scripts take their own folder's path apart at spaces.
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
