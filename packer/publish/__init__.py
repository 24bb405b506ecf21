"""Puts a bundle into a repository of the Hub, with its card, checksums and licence."""

__all__ = ["hub", "uploads"]  # modules that other packages may use
