"""The machine that something is to run on: system, processor, cache folders, heads of files."""

__all__ = ["cache_places", "free_memory", "head", "machine", "targets"]
"""Modules that other packages may use."""
