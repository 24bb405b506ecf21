"""Trains the demo model on conversations.txt and writes its GGUF. Minutes on two CPU cores.

    python ci/demo_model/train.py [--out FILE] [--steps N] [--threads N]

The same PyTorch on the same kind of processor gives the same file. Others round differently; if
then a question of check.py fails, short rounds of more training follow.
"""

import argparse
import math
import random
import sys
import time
from pathlib import Path

import torch
from batches import IGNORED, Batches
from check import failures
from dialogue import SYSTEM_PROMPTS, Dialogue
from gguf_io import read_model, write_model
from model import Config, Model
from tokenizer import Tokenizer
from torch.nn import functional

REPOSITORY = Path(__file__).resolve().parents[2]
DEMO = REPOSITORY / "packer" / "demo_model" / "demo.gguf"
_PEAK_RATE = 1.5e-3
_MORE_ROUNDS = 2  # rounding differs between machines, and so may one or two answers


def learn_tokenizer(dialogue: Dialogue, size: int) -> Tokenizer:
    """A vocabulary for the questions and answers of the dialogue."""
    rng = random.Random(1)
    texts = ["system\n", "user\n", "assistant\n", *SYSTEM_PROMPTS]
    for turn in dialogue.turns(4000, rng):
        texts += [turn.question, turn.answer]
    # Answers are few but are said often: weigh them more.
    texts += [topic.answer for topic in dialogue.topics] * 20 + dialogue.texts * 20
    return Tokenizer.learn(texts, size)


def rate(step: int, steps: int, peak: float) -> float:
    """Learning rate: a short rise, then half a cosine down to a hundredth."""
    if step < 100:
        return peak * (step + 1) / 100
    return peak * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * step / steps)))


def train(model: Model, batches: Batches, steps: int, peak: float) -> None:
    """Teaches the model, with a line of progress now and then."""
    matrices = [p for p in model.parameters() if p.dim() == 2]
    vectors = [p for p in model.parameters() if p.dim() != 2]
    optimizer = torch.optim.AdamW(
        [{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}],
        lr=peak,
        betas=(0.9, 0.98),
    )
    started = time.monotonic()
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = rate(step, steps, peak)
        ids, targets = batches.batch(step, model.config.n_ctx)
        learned = targets != IGNORED
        logits = model.logits(model.hidden(ids)[learned])
        loss = functional.cross_entropy(logits, targets[learned])
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward([loss])
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if step % 100 == 99:
            seconds = time.monotonic() - started
            left = seconds / (step + 1) * (steps - step - 1)
            print(f"step {step + 1}/{steps}, loss {loss.item():.4f}, {left:.0f} s left", flush=True)


def main() -> int:
    """Trains, writes, reads back and asks the fixed questions."""
    parser = argparse.ArgumentParser(description="Train the llamapack demo model.")
    parser.add_argument("--out", type=Path, default=DEMO)
    parser.add_argument("--steps", type=int, default=2400)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(1)
    started = time.monotonic()
    dialogue = Dialogue()
    config = Config()
    tokenizer = learn_tokenizer(dialogue, config.n_vocab)
    model = Model(config)
    count = sum(parameter.numel() for parameter in model.parameters())
    print(f"{count:,} parameters, {len(dialogue.topics)} topics", flush=True)
    batches = Batches(tokenizer, dialogue, random.Random(2))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    train(model, batches, options.steps, _PEAK_RATE)
    for more in range(_MORE_ROUNDS + 1):
        write_model(options.out, model, tokenizer)
        minutes = (time.monotonic() - started) / 60
        print(f"{options.out}: {options.out.stat().st_size:,} bytes, {minutes:.1f} minutes")
        # What counts is the written file, with what quantization did to it.
        failed = failures(*read_model(options.out))
        if not failed:
            return 0
        if more < _MORE_ROUNDS:
            train(model, batches, options.steps // 4, _PEAK_RATE / 2)
    return 1


if __name__ == "__main__":
    sys.exit(main())
