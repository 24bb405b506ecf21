"""Writes ZIP archives: aligned, streamed, the same bytes each time."""

__all__ = ["headers", "writer"]
"""Modules that other packages may use."""
