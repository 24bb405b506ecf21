"""Programs of others that read their own ZIP: what they are, and weights packed into them."""

__all__ = ["args", "named", "runtime"]
"""Modules that other packages may use."""
