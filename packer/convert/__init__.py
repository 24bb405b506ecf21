"""From checkpoints to GGUF: upstream's converter, the engine's quantizer, and bitsandbytes."""

__all__ = ["checkpoint", "converter", "quantizer", "workshop"]
"""Modules that other packages may use."""
