"""Fetches weights from the Hub and from any HTTP server: resumable, verified."""

__all__ = ["choice", "hub", "hub_api", "progress", "settings", "web", "words"]
"""Modules that other packages may use."""
