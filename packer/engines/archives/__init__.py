"""What bundles have in common, deflated once and then copied into each."""

__all__ = ["deflated", "engine", "web_ui"]
"""Modules that other packages may use."""
