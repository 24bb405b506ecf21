"""Writes ZIP archives: aligned, streamed, the same bytes each time."""

__all__ = ["headers", "writer"]  # modules that other packages may use
