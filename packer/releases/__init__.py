"""Released engines and what goes with them: archives that spare the user all compiling."""

__all__ = ["archive", "engine_archive", "fetching", "index", "pieces"]
"""Modules that other packages may use."""
