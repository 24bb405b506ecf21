"""Downloads weights from the Hub and from any HTTP server, resumable and verified."""

__all__ = ["answers", "choice", "hub", "hub_api", "settings", "web", "words"]
"""Modules that other packages may use."""
