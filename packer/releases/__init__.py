"""Released engines and the other pieces of bundles: archives that spare the user all compiling."""

from pathlib import Path

__all__ = ["NAME", "PINNED", "engine_archive", "index", "pieces"]

NAME = "llamapack-engines.json"
"""The file name of a release's index, among its archives."""
PINNED = Path(__file__).with_name(NAME)
"""The index of this llamapack's own release; absent where none was made."""
