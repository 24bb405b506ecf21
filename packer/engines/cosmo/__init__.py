"""Builds runtimes with Cosmopolitan's tools: one fat APE program for all systems."""

__all__ = ["build", "cache", "flags"]
"""Modules that other packages may use."""
