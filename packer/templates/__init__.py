"""Chat templates: where they come from, how an engine fills them in, and what may be wrong."""

__all__ = ["legacy", "origin", "problems", "template"]
"""Modules that other packages may use."""
