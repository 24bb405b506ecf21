"""Files that go into a bundle: GGUF and documents from disks, archives, the Hub and the web."""

__all__ = ["archives", "documents", "downloads", "inputs", "locator", "selection"]
"""Modules that other packages may use."""
