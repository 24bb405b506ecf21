"""Trains the demo model on conversations.txt and writes its GGUF. Minutes on two CPU cores.

The same PyTorch on the same kind of processor gives the same file. Others round differently; if
then a question of check.py fails, short rounds of more training follow.
"""

import math
import random
import time
from pathlib import Path

import torch
from torch.nn import functional

from ci.demo_model.batches import IGNORED, Batches
from ci.demo_model.check import failures
from ci.demo_model.dialogue import SYSTEM_PROMPTS, Dialogue
from ci.demo_model.gguf_io import read_model, write_model
from ci.demo_model.model import Config, Model
from ci.demo_model.tokenizer import Tokenizer

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


def learn(model: Model, batches: Batches, steps: int, peak: float) -> None:
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


def train(out: Path, steps: int, threads: int) -> int:
    """Train, write, read back and ask the fixed questions; exit status 1 if one fails."""
    torch.set_num_threads(threads)
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
    out.parent.mkdir(parents=True, exist_ok=True)
    learn(model, batches, steps, _PEAK_RATE)
    for more in range(_MORE_ROUNDS + 1):
        write_model(out, model, tokenizer)
        minutes = (time.monotonic() - started) / 60
        print(f"{out}: {out.stat().st_size:,} bytes, {minutes:.1f} minutes")
        # What counts is the written file, with what quantization did to it.
        failed = failures(*read_model(out))
        if not failed:
            return 0
        if more < _MORE_ROUNDS:
            learn(model, batches, steps // 4, _PEAK_RATE / 2)
    return 1
