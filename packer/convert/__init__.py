"""From checkpoints of other programs to GGUF: upstream's converter, the engine's quantizer, and
what upstream does not read."""

__all__ = ["checkpoint", "converter", "formats", "quantizer", "workshop"]
"""Modules that other packages may use."""
