"""Which GPU modules there are, and what each of them is: `native/gpu/modules.toml`."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

from packer.engines import native
from packer.engines import pins as engine_pins
from runtime.errors import InputError


@dataclass(frozen=True)
class Module:
    """A prebuilt module, and the npm package that it comes from."""

    kind: str
    """`cuda`, `metal` or `vulkan`."""
    target: str
    """The target whose engines load it."""
    package: str
    version: str
    integrity: str
    """Hash of the package's tarball, as npm writes it: `sha512-` and base64."""
    file: str
    """Its path inside the tarball."""
    needs: str
    """What the user's system must have, in words."""

    @property
    def name(self) -> str:
        """File name of the library."""
        return self.file.rsplit("/", 1)[1]

    @property
    def title(self) -> str:
        return f"{self.kind} for {self.target}"


def load(sources: Path | None = None) -> list[Module]:
    """All pinned modules of the engines' release.

    Args:
        sources: the `native/` folder, if it is not the usual one.

    Raises:
        InputError: the file is not as it should be.
    """
    folder = sources or native.directory()
    path = folder / "gpu" / "modules.toml"
    try:
        text = tomllib.loads(path.read_text(encoding="utf-8"))
        package, table = text["package"], text["modules"]
        modules = [
            Module(kind=kind, target=target, version=package["version"], **facts)
            for kind, targets in table.items()
            for target, facts in targets.items()
        ]
        release = package["release"]
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, KeyError, TypeError, OSError) as problem:
        raise InputError(f"{path}: {problem}", "Restore the file from the repository.") from None
    # A module of another release does not fit an engine.
    return modules if release == engine_pins.load(folder).release else []


def kinds(modules: list[Module]) -> list[str]:
    """The kinds that there are, sorted."""
    return sorted({module.kind for module in modules})
