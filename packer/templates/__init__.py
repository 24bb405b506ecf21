"""Chat templates: where they come from, how an engine renders them, and what may be wrong."""

__all__ = [
    "cards",
    "engine",
    "environment",
    "found",
    "limited",
    "load",
    "named",
    "origin",
    "problems",
    "render",
    "warnings",
]
"""Modules that other packages may use."""
