"""The memory that a start takes, as its engine computes it, and whether that fits."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from runtime.console import in_words
from runtime.errors import InputError
from runtime.formats.json_input import MALFORMED, parse_json
from runtime.launch.plan import Plan
from runtime.machine.free_memory import free_memory
from runtime.machine.machine import Machine

_QUESTION = "--probe-memory"  # native/engine/mode_probe.cpp
_QUIET = {"GGML_NO_BACKTRACE": "1"}  # no debugger if upstream aborts
_SECONDS = 20  # for an answer, which takes 2; drivers of graphics cards can be slow
_SEARCH_SECONDS = 15
_SEARCH_STEPS = 12
_STEP = 256  # tokens; upstream rounds contexts up to a multiple


@dataclass(frozen=True)
class Use:
    """Bytes in RAM, or on one card."""

    weights: int
    cache: int
    compute: int

    @property
    def total(self) -> int:
        return self.weights + self.cache + self.compute


@dataclass(frozen=True)
class Card:
    """A graphics card that the engine uses."""

    name: str
    free: int
    """Bytes."""
    use: Use


@dataclass(frozen=True)
class Estimate:
    """An engine's answer about a start."""

    context: int
    """Tokens."""
    layers: int
    """Layers that can go to graphics cards, including the output."""
    gpu_layers: int
    cache_types: tuple[str, ...]
    host: Use
    cards: tuple[Card, ...]

    @property
    def on_gpu(self) -> int:
        """Bytes, of all cards together."""
        return sum(card.use.total for card in self.cards)


@dataclass(frozen=True)
class Memory:
    """The memory that a start takes, and the memory that is free."""

    plan: Plan
    estimate: Estimate
    ram: int | None
    """Free bytes; None if unknown."""

    @property
    def in_ram(self) -> int:
        """Bytes; adapters and a projector count with the size of their files."""
        return self.estimate.host.total + self.plan.loaded.others

    @property
    def fits(self) -> bool:
        return self._excess(self.estimate) <= 0

    def line(self) -> str:
        """A summary in one line."""
        said, use = self.estimate, self._use()
        free = "unknown" if self.ram is None else in_words(self.ram)
        line = (
            f"memory: {in_words(use.weights)} weights + {in_words(use.cache)} KV cache "
            f"({said.context:,} tokens, {'/'.join(dict.fromkeys(said.cache_types))}) + "
            f"{in_words(use.compute)} compute = {in_words(use.total)}; free RAM: {free}"
        )
        if said.cards:
            names = ", ".join(card.name for card in said.cards)
            line += (
                f", free on {names}: {in_words(sum(card.free for card in said.cards))} for "
                f"{said.gpu_layers}/{said.layers} layers ({in_words(said.on_gpu)})"
            )
        return line

    def check(self) -> None:
        """Raise `InputError` if it does not fit, with a context or number of layers that does."""
        if self.fits:
            return
        needs = f"needs {in_words(self.in_ram)} of RAM, and {in_words(self.ram or 0)} are free"
        if over := next(self._overfull(), None):
            needs = (
                f"needs {in_words(over.use.total)} on {over.name} for {self.estimate.gpu_layers} "
                f"layers, and {in_words(over.free)} are free"
            )
        raise InputError(
            f"{self.plan.target.path} with a context of {self.estimate.context:,} tokens {needs}",
            self._way_out(),
        )

    def facts(self) -> dict[str, Any]:
        """Bytes and tokens, for `--json`."""
        said, use = self.estimate, self._use()
        return {
            "weights": use.weights,
            "kv_cache": use.cache,
            "compute": use.compute,
            "total": use.total,
            "on_gpu": said.on_gpu,
            "context": said.context,
            "gpu_layers": said.gpu_layers,
            "layers": said.layers,
            "free_ram": self.ram,
            "free_gpu": sum(card.free for card in said.cards),
            "gpus": [card.name for card in said.cards],
            "fits": self.fits,
            "largest_context": said.context if self.fits else self._largest_context,
        }

    def _use(self) -> Use:
        """RAM and all cards together."""
        uses = [self.estimate.host, *(card.use for card in self.estimate.cards)]
        return Use(
            sum(use.weights for use in uses) + self.plan.loaded.others,
            sum(use.cache for use in uses),
            sum(use.compute for use in uses),
        )

    def _overfull(self) -> Iterator[Card]:
        return (card for card in self.estimate.cards if card.use.total > card.free)

    def _excess(self, estimate: Estimate) -> int:
        """Bytes that are missing where it is tightest; negative: that are left."""
        excesses = [card.use.total - card.free for card in estimate.cards]
        if self.ram is not None:
            excesses.append(estimate.host.total + self.plan.loaded.others - self.ram)
        return max(excesses, default=0)

    def _way_out(self) -> str:
        ways = []
        if any(self._overfull()):
            fewer = asked(self.plan, ["-ngl", "auto"])
            if fewer and self._excess(fewer) <= 0:
                ways.append(f"`-ngl {fewer.gpu_layers}`")
        if context := self._largest_context:
            ways.append(f"`-c {context}`")
        if not ways:
            return (
                "No context fits: take a smaller quantization, or end other programs; `--force` "
                "starts it all the same."
            )
        return f"The largest that fits is {' or '.join(ways)}; `--force` starts it all the same."

    @cached_property
    def _largest_context(self) -> int | None:
        """The largest multiple of 256 tokens that fits; None if not even 256 do, or if unknown."""
        end = time.monotonic() + _SEARCH_SECONDS
        low, high = 1, -(-self.estimate.context // _STEP)  # in steps
        smallest = asked(self.plan, ["-c", str(_STEP)])
        if smallest is None or high <= low or (least := self._excess(smallest)) > 0:
            return None
        most = self._excess(self.estimate)
        for _ in range(_SEARCH_STEPS):
            if high - low <= 1 or time.monotonic() > end:
                break
            # Memory grows linearly with the context, except at its beginning.
            guess = low + (high - low) * -least // (most - least)
            steps = min(max(guess, low + 1), high - 1)
            said = asked(self.plan, ["-c", str(steps * _STEP)])
            if said is None:
                break
            excess = self._excess(said)
            if excess <= 0:
                low, least = steps, excess
            else:
                high, most = steps, excess
        return low * _STEP


def memory(plan: Plan, machine: Machine) -> Memory | None:
    """The memory of a start whose engine is unpacked; None if nothing is loaded, or if unknown."""
    if plan.loaded.weights is None or plan.loaded.flags.only_asks or not plan.engine.unpacked:
        return None
    estimate = asked(plan)
    return Memory(plan, estimate, free_memory(machine)) if estimate else None


def asked(plan: Plan, more: Sequence[str] = ()) -> Estimate | None:
    """Ask the engine, which reads only the model's header; None if it does not answer."""
    program, *words = plan.argv
    try:
        done = subprocess.run(
            [program, _QUESTION, *words, *more],
            executable=plan.engine.program,
            env=os.environ | plan.environment | _QUIET,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
            check=True,
        )
        return _estimate(parse_json(done.stdout))
    except (OSError, subprocess.SubprocessError, *MALFORMED):
        return None


def _estimate(answer: Any) -> Estimate:
    return Estimate(
        context=int(answer["context"]),
        layers=int(answer["layers"]),
        gpu_layers=int(answer["gpu_layers"]),
        cache_types=tuple(map(str, answer["cache_types"])),
        host=_use(answer["host"]),
        cards=tuple(
            Card(str(card["name"]), int(card["free"]), _use(card)) for card in answer["devices"]
        ),
    )


def _use(answer: Any) -> Use:
    return Use(int(answer["weights"]), int(answer["cache"]), int(answer["compute"]))
