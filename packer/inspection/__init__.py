"""What a bundle says about itself: its description, verification and provenance."""

__all__ = ["provenance", "summary", "verification"]
"""Modules that other packages may use."""
