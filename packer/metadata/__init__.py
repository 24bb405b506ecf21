"""A model's card, licences and sampling: read from its files, written for bundles."""

__all__ = ["card", "fields", "front_matter", "model_metadata", "render", "sampling"]
"""Modules that other packages may use."""
