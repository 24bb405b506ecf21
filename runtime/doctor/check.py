"""Input and output of checks: a file, read once for all of them, and findings."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from runtime.errors import InputError, shell_word
from runtime.formats.bundle import GPU_SOURCES, Bundle, Engine, GpuModule
from runtime.formats.zip_directory import Member
from runtime.machine.head import SIZE, Kind, kind_of

_RECIPE = re.compile(rf"{GPU_SOURCES}([a-z]+/[a-z]+)\.json")


@dataclass(frozen=True)
class Subject:
    """The file that is examined: a bundle, another tool's llamafile, or neither."""

    path: Path
    size: int
    """Bytes."""
    head: bytes
    """Its first bytes, up to 64 KiB."""
    made_by: str = ""
    """The tool that its manifest names; empty if it has no manifest."""
    engines: tuple[Engine, ...] = ()
    weights: tuple[Member, ...] = ()
    gpu_modules: tuple[GpuModule, ...] = ()
    gpu_recipes: Mapping[str, bytes] = field(default_factory=dict)
    """Recipes of `--recompile`, by `SYSTEM/KIND`."""
    trouble: InputError | None = None
    """Why its archive cannot be read."""

    @classmethod
    def read(cls, path: Path) -> Subject:
        """Read head and directory of a file; `InputError` if it does not exist or is a folder."""
        if path.is_dir():
            raise InputError(f"{path} is a directory, not a bundle", "Name the file inside it.")
        try:
            with path.open("rb") as file:
                head = file.read(SIZE)
                size = file.seek(0, 2)
        except FileNotFoundError:
            raise InputError(f"{path} does not exist", "Check the path of the bundle.") from None
        try:
            with Bundle.open(path) as bundle:
                manifest = bundle.manifest or {}
                return cls(
                    path, size, head,
                    str(manifest.get("tool", "")), tuple(bundle.engines), tuple(bundle.weights),
                    tuple(bundle.gpu_modules), _gpu_recipes(bundle),
                )  # fmt: skip
        except InputError as trouble:
            return cls(path, size, head, trouble=trouble)

    @property
    def kind(self) -> Kind:
        return kind_of(self.head)

    @property
    def is_engine(self) -> bool:
        """Whether the file itself is the static engine, which unpacks nothing."""
        return self.kind is Kind.ELF and bool(self.made_by) and not self.engines

    @property
    def shell(self) -> str:
        """Its path as a word of a shell command, never an option or a name in PATH."""
        return word(self.path)


def _gpu_recipes(bundle: Bundle) -> dict[str, bytes]:
    named = ((name, _RECIPE.fullmatch(name)) for name in bundle.members)
    return {match[1]: bundle.read(name) for name, match in named if match}


def word(path: Path) -> str:
    """A path as one word of a shell command."""
    text = str(path)
    return shell_word(text if "/" in text or "\\" in text else f"./{text}")


State: TypeAlias = Literal["ok", "note", "problem"]


@dataclass(frozen=True)
class Finding:
    """One line of the report."""

    check: str
    """Short name of the check, such as `cache`; several findings may share one."""
    state: State
    what: str
    """One sentence without a full stop."""
    mend: str = ""
    """Ways out, one per line, best first, with commands in backticks; empty if there is none."""


def ok(check: str, what: str, *mend: str) -> Finding:
    """Something in order."""
    return Finding(check, "ok", what, "\n".join(mend))


def note(check: str, what: str, *mend: str) -> Finding:
    """Something to know that does not prevent a start."""
    return Finding(check, "note", what, "\n".join(mend))


def problem(check: str, what: str, *mend: str) -> Finding:
    """Something that makes a start fail."""
    return Finding(check, "problem", what, "\n".join(mend))
