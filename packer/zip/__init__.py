"""Writes ZIP archives: aligned, streamed, the same bytes each time."""
