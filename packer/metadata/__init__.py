"""A model's card, licences and sampling: read from its files, written for bundles."""

__all__ = [
    "card",
    "fields",
    "flags",
    "front_matter",
    "model_metadata",
    "render",
    "sampling",
    "tasks",
]
"""Modules that other packages may use."""
