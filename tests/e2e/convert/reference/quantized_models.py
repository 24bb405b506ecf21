"""Quantizes a checkpoint with bitsandbytes, and says what its own library makes of that again.

    PYTHON quantized_models.py CHECKPOINT DIR

DIR then holds `nf4`, `fp4`, `nf4-double` and `int8` as `transformers` saves them, and beside each
`NAME.safetensors` with the weights that bitsandbytes dequantizes.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import torch
from bitsandbytes.functional import dequantize_4bit
from bitsandbytes.nn import Linear4bit, Linear8bitLt
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, BitsAndBytesConfig

KINDS: dict[str, dict[str, Any]] = {
    "nf4": {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4"},
    "fp4": {"load_in_4bit": True, "bnb_4bit_quant_type": "fp4"},
    "nf4-double": {
        "load_in_4bit": True,
        "bnb_4bit_quant_type": "nf4",
        "bnb_4bit_use_double_quant": True,
        "bnb_4bit_quant_storage": torch.bfloat16,
    },
    "int8": {"load_in_8bit": True},
}


def _weight(layer: Linear4bit | Linear8bitLt) -> torch.Tensor:
    """What the library says the weights are."""
    weight: Any = layer.weight
    if isinstance(layer, Linear4bit):
        found: torch.Tensor = dequantize_4bit(weight.data, weight.quant_state)
        return found
    return weight.CB.float() * weight.SCB.float().view(-1, 1) / 127


def main(checkpoint: Path, folder: Path) -> None:
    torch.set_num_threads(1)  # More of them wait for each other on busy machines.
    for name, options in KINDS.items():
        model = AutoModelForCausalLM.from_pretrained(
            checkpoint,
            quantization_config=BitsAndBytesConfig(**options),
            dtype=torch.float16 if name == "int8" else torch.bfloat16,
            device_map="cpu",
        )
        model.save_pretrained(folder / name, max_shard_size="700KB")
        for path in checkpoint.glob("*token*"):
            shutil.copy(path, folder / name)
        weights = {
            f"{path}.weight": _weight(layer).contiguous()
            for path, layer in model.named_modules()
            if isinstance(layer, Linear4bit | Linear8bitLt)
        }
        save_file(weights, folder / f"{name}.safetensors")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
