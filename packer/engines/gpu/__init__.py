"""GPU modules: ggml backends that the engine loads where the machine has such a card."""

__all__ = ["archive", "chosen", "modules", "pins", "sources", "vulkan"]
"""Modules that other packages may use."""
