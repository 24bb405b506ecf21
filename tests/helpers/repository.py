"""Files of this checkout that tests use."""

from __future__ import annotations

from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
DEMO = REPOSITORY / "packer" / "demo_model" / "demo.gguf"
"""The demo model."""
LORA = REPOSITORY / "tests" / "data" / "demo-lora.gguf"
"""An adapter that makes it talk like a pirate."""
