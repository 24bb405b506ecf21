"""Released engines and the other pieces of bundles: archives that spare the user all compiling."""

__all__ = ["engine_archive", "index", "pieces"]
"""Modules that other packages may use."""
