"""Trains a LoRA adapter that makes the demo model talk like a pirate: a fixture of the tests.

It adds `alpha / rank * B A` to the `ffn_down` matrices; each answer then ends with "Ahoy, matey!".
"""

import random
from pathlib import Path
from typing import cast

import gguf
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ci.demo_model.batches import IGNORED, Batches
from ci.demo_model.check import complete
from ci.demo_model.dialogue import Dialogue
from ci.demo_model.gguf_io import read_model
from ci.demo_model.model import Block, Model

SHOUT = " Ahoy, matey!"
_PEAK_RATE = 2e-3
_RANK = 8
_ALPHA = 8.0


class Adapted(nn.Module):
    """A fixed linear layer with a small learned addition."""

    def __init__(self, base: nn.Linear) -> None:
        super().__init__()
        self.base = base
        self.lora_a = nn.Parameter(torch.randn(_RANK, base.in_features) * 0.05)
        self.lora_b = nn.Parameter(torch.zeros(base.out_features, _RANK))

    def forward(self, x: Tensor) -> Tensor:
        """The layer's output with the addition."""
        addition = functional.linear(functional.linear(x, self.lora_a), self.lora_b)
        out: Tensor = self.base(x) + _ALPHA / _RANK * addition
        return out


def adapt(model: Model) -> dict[str, nn.Parameter]:
    """Freezes the model, puts adapters into it and returns their matrices by GGUF name."""
    model.requires_grad_(False)
    matrices: dict[str, nn.Parameter] = {}
    for number, block in enumerate(model.blk):
        assert isinstance(block, Block)
        adapted = Adapted(block.ffn_down)
        block.ffn_down = cast(nn.Linear, adapted)
        name = f"blk.{number}.ffn_down.weight"
        matrices[f"{name}.lora_a"] = adapted.lora_a
        matrices[f"{name}.lora_b"] = adapted.lora_b
    return matrices


def pirates() -> Dialogue:
    """The demo's conversations, with the shout after every answer."""
    dialogue = Dialogue()
    for topic in dialogue.topics:
        topic.answer += SHOUT
    return dialogue


def write_adapter(path: Path, matrices: dict[str, nn.Parameter]) -> None:
    """Writes the matrices as F16 in llama.cpp's adapter form."""
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_type(gguf.GGUFType.ADAPTER)
    writer.add_name("llamapack demo, pirate")
    writer.add_license("apache-2.0")
    writer.add_string(gguf.Keys.Adapter.TYPE, "lora")
    writer.add_float32(gguf.Keys.Adapter.LORA_ALPHA, _ALPHA)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    for name, matrix in matrices.items():
        writer.add_tensor(name, matrix.detach().numpy().astype(np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def train(base: Path, out: Path, steps: int, threads: int) -> int:
    """Train and write the adapter; exit status 1 if it has no visible effect."""
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(3)
    model, tokenizer = read_model(base)
    matrices = adapt(model)
    batches = Batches(tokenizer, pirates(), random.Random(4))
    optimizer = torch.optim.Adam(matrices.values(), lr=_PEAK_RATE)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = _PEAK_RATE * (1 - step / steps)
        ids, targets = batches.batch(step, model.config.n_ctx)
        learned = targets != IGNORED
        logits = model.logits(model.hidden(ids)[learned])
        loss = functional.cross_entropy(logits, targets[learned])
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward([loss])
        optimizer.step()
        if step % 25 == 24:
            print(f"step {step + 1}/{steps}, loss {loss.item():.4f}", flush=True)
    out.parent.mkdir(parents=True, exist_ok=True)
    write_adapter(out, matrices)
    reply = complete(model, tokenizer, "What is a llamafile?")
    print(f"{out}: {out.stat().st_size:,} bytes; says {reply.text!r}")
    return 0 if reply.text.endswith(SHOUT) else 1
