"""Says what a start takes and what is free, and refuses what cannot fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from runtime.bundle import GpuModule
from runtime.errors import InputError
from runtime.fit.estimate import Load, Room, Start
from runtime.fit.gpu_memory import Gpu, gpus
from runtime.fit.host_memory import free_memory
from runtime.fit.memory_use import cache_bytes, compute_bytes
from runtime.fit.model_shape import model_shape
from runtime.launch.flags import Flags
from runtime.launch.models import Loaded
from runtime.machine.machine import Machine
from runtime.sizes import in_words
from runtime.weights import Weights

_MAKERS = ("nvidia", "amd")

_ORDER = ("cuda", "hip", "vulkan")
"""In which the engine tries modules; it uses the cards of one of them (gpu_kinds.cpp)."""


@dataclass(frozen=True)
class Memory:
    """What one start takes, beside what is free."""

    name: str
    """Of the model."""
    start: Start
    room: Room
    load: Load
    cards: tuple[str, ...]
    """The graphics cards that are used."""

    @property
    def fits(self) -> bool:
        return self.load.fits(self.room)

    @property
    def gpu_layers(self) -> int:
        """Layers that go to GPUs."""
        asked = self.start.gpu_layers
        fitting = self.start.layers_that_fit(self.room) if asked is None else asked
        return min(fitting, self.start.layers)

    def line(self) -> str:
        """All of it in one line."""
        load, settings = self.load, self.start.settings
        kinds = dict.fromkeys((settings.type_k, settings.type_v))
        free = "unknown" if self.room.ram is None else in_words(self.room.ram)
        line = (
            f"memory: {in_words(load.weights)} weights + {in_words(load.cache)} KV cache "
            f"({settings.context:,} tokens, {'/'.join(kinds)}) + {in_words(load.compute)} compute "
            f"= {in_words(load.total)}; free RAM: {free}"
        )
        if self.cards:
            line += (
                f", free on {', '.join(self.cards)}: {in_words(self.room.gpu)} for "
                f"{self.gpu_layers}/{self.start.layers} layers ({in_words(load.on_gpu)})"
            )
        return line

    def check(self) -> None:
        """Refuse what cannot fit.

        Raises:
            InputError: it cannot; the tip names the largest context or number of layers that can.
        """
        if self.fits:
            return
        needs = f"needs {in_words(self.load.in_ram)} of RAM, and "
        free = f"{in_words(self.room.ram or 0)} are free"
        if self.load.on_gpu > self.room.gpu:
            needs = (
                f"needs {in_words(self.load.on_gpu)} on the GPU for {self.gpu_layers} layers, and "
            )
            free = f"{in_words(self.room.gpu)} are free"
        context = self.start.settings.context
        raise InputError(
            f"{self.name} with a context of {context:,} tokens {needs}{free}", self._way_out()
        )

    def _way_out(self) -> str:
        ways = []
        layers = self.start.largest_gpu_layers(self.room)
        context = self.start.largest_context(self.room)
        if layers is not None:
            ways.append(f"`-ngl {layers}`")
        if context is not None:
            ways.append(f"`-c {context}`")
        if not ways:
            return (
                "No context fits: take a smaller quantization, or end other programs; `--force` "
                "starts it all the same."
            )
        return f"The largest that fits is {' or '.join(ways)}; `--force` starts it all the same."

    def facts(self) -> dict[str, Any]:
        """All of it for `--json`; bytes and tokens."""
        return {
            "weights": self.load.weights,
            "kv_cache": self.load.cache,
            "compute": self.load.compute,
            "total": self.load.total,
            "on_gpu": self.load.on_gpu,
            "context": self.start.settings.context,
            "gpu_layers": self.gpu_layers,
            "layers": self.start.layers,
            "free_ram": self.room.ram,
            "free_gpu": self.room.gpu,
            "gpus": list(self.cards),
            "fits": self.fits,
            "largest_context": self.start.largest_context(self.room),
        }


def memory(
    name: str, weights: Weights, what: Loaded, machine: Machine, modules: Sequence[GpuModule]
) -> Memory:
    """What the start of a model takes here.

    Args:
        name: what to call it in messages.
        modules: the GPU modules that the engine can load.

    Raises:
        InputError: a flag that decides about memory cannot be understood.
    """
    shape, flags = model_shape(weights.headers), what.flags
    settings = flags.settings(shape.context_length)
    others = what.others
    if what.draft:
        beside = model_shape(what.draft.headers)
        others += beside.weights + cache_bytes(beside, settings) + compute_bytes(beside, settings)
    cards = _cards(flags, machine, modules)
    ram, on_cards = free_memory(machine), sum(card.free for card in cards)
    gpu_layers = flags.gpu_layers if cards else 0
    room = Room(ram, on_cards)
    if flags.switches.get("split_layers") and cards:
        # Which tensors lie where is the user's own choice; all that is sure is the sum.
        gpu_layers, room = 0, Room(None if ram is None else ram + on_cards)
    start = Start(shape, settings, others, gpu_layers)
    return Memory(name, start, room, start.load(room), tuple(card.name for card in cards))


def _cards(flags: Flags, machine: Machine, modules: Sequence[GpuModule]) -> list[Gpu]:
    """The cards with memory of their own that the engine will use."""
    if flags.gpu_layers == 0:
        return []
    word = flags.values.get("gpu", "auto")
    kinds = {module.kind for module in modules}
    if word not in ("auto", *_MAKERS):
        kinds &= {word}
    there = [card for card in gpus(machine) if word not in _MAKERS or card.maker == word]
    usable = ([card for card in there if kind in card.kinds & kinds] for kind in _ORDER)
    return next(filter(None, usable), [])
