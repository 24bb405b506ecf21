"""Bundles in parts: written, split, checked, joined."""

__all__ = ["in_place", "joining", "layout", "splitting"]  # modules that other packages may use
