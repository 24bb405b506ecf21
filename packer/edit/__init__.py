"""Changes bundles, in place or by a new file, so that a crash at any moment loses nothing."""

__all__ = ["adoption", "apply", "assimilation", "edits", "opened", "upgrade"]
"""Modules that other packages may use."""
