"""Starts engines: finds the one for a target and a host, and hands over to it."""

__all__ = [
    "archives",
    "cli",
    "cpu_finding",
    "engine_cache",
    "flags",
    "memory",
    "parts",
    "plan",
    "start",
    "target",
]
"""Modules that other packages may use."""
