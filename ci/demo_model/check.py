"""Asks the model the fixed questions of questions.json, greedily, with PyTorch.

An item has either `ask`, the user's turns of a chat (the model's own answers stand between them),
or `text`, a prompt without chat template. Every string of `expect` must be in the last answer.
"""

import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from ci.demo_model.batches import chat_prompt
from ci.demo_model.dialogue import Turn
from ci.demo_model.gguf_io import read_model
from ci.demo_model.model import Model
from ci.demo_model.tokenizer import END_OF_TEXT, IM_END, Tokenizer

QUESTIONS = Path(__file__).with_name("questions.json")


@dataclass(frozen=True)
class Reply:
    """What the model said, and the smallest lead in logits that a chosen token had."""

    text: str
    lead: float


def complete(model: Model, tokenizer: Tokenizer, prompt: str) -> Reply:
    """The greedy continuation of a prompt."""
    stop = {tokenizer.id(IM_END), tokenizer.id(END_OF_TEXT)}
    ids, lead = model.greedy(tokenizer.encode(prompt), stop)
    return Reply(tokenizer.decode(ids), lead)


def complete_by_engine(engine: Path, gguf: Path, prompt: str) -> str:
    """The same, by llama.cpp."""
    command = [str(engine), "completion", "-m", str(gguf), "-no-cnv", "--no-display-prompt"]
    command += ["--temp", "0", "-n", "100", "-p", prompt]
    done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, check=True)
    return done.stdout.decode().split(" [end of text]")[0]


def prompt_of(model: Model, tokenizer: Tokenizer, item: dict[str, Any]) -> str:
    """What the model is to continue for an item of questions.json; it gives the earlier answers."""
    if "text" in item:
        return str(item["text"])
    turns: list[Turn] = []
    for question in item["ask"][:-1]:
        prompt = chat_prompt(turns, question, item.get("system", ""))
        turns.append(Turn(question, complete(model, tokenizer, prompt).text))
    return chat_prompt(turns, item["ask"][-1], item.get("system", ""))


def failures(
    model: Model,
    tokenizer: Tokenizer,
    verbose: bool = False,
    engine: Callable[[str], str] | None = None,
) -> int:
    """How many questions were not answered as expected; prints those, and a summary."""
    items = json.loads(QUESTIONS.read_text(encoding="utf-8"))
    failed, lead = 0, float("inf")
    for item in items:
        prompt = prompt_of(model, tokenizer, item)
        reply = complete(model, tokenizer, prompt)
        lead = min(lead, reply.lead)
        good = all(part in reply.text for part in item["expect"])
        if engine and (other := engine(prompt)) != reply.text:
            good = False
            print(f"the engine says {other!r}")
        failed += not good
        if verbose or not good:
            asked = item.get("text") or " / ".join(item["ask"])
            print(f"{'ok  ' if good else 'FAIL'} {asked} -> {reply.text!r} (lead {reply.lead:.2f})")
    print(f"{len(items) - failed} of {len(items)} questions answered; smallest lead {lead:.2f}")
    return failed


def check(gguf: Path, *, verbose: bool, llama: Path | None) -> int:
    """Check one GGUF; exit status 1 if any question failed.

    Args:
        llama: llama.cpp's program, which must give the same answers, letter by letter.
    """
    torch.set_num_threads(1)  # one token at a time: more threads only wait for each other
    engine = partial(complete_by_engine, llama, gguf) if llama else None
    return 1 if failures(*read_model(gguf), verbose, engine) else 0
