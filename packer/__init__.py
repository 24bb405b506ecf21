"""Makes and edits bundles: one file with engines, weights and metadata that runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

__version__: str

if not TYPE_CHECKING:

    def __getattr__(name: str) -> str:
        # Read when it is asked for: finding the metadata takes as long as a quick command.
        if name != "__version__":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        globals()[name] = found = _version()
        return found


def _version() -> str:
    from pathlib import Path

    # A checkout first: what is installed of it in editable form may be of an earlier version.
    project = Path(__file__).resolve().parent.parent / "pyproject.toml"
    if project.is_file():
        import tomllib

        return str(tomllib.loads(project.read_text(encoding="utf-8"))["project"]["version"])
    from importlib.metadata import version

    return version("llamapack")
