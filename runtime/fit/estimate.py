"""Whether a start fits into the memory that is free, and the largest that does.

With llama.cpp v0.4.0 `-ngl N` puts the last N of all layers onto the GPU, where what follows the
last layer counts as one more (`llama_model_base::load_tensors`); the cache of a layer lies where
its weights do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from runtime.fit.memory_use import cache_bytes, compute_bytes, layer_cache_bytes
from runtime.fit.model_shape import ModelShape
from runtime.fit.settings import Settings

_STEP = 256  # tokens


@dataclass(frozen=True)
class Room:
    """What is free."""

    ram: int | None
    """Bytes; None if this system does not tell."""
    gpu: int = 0
    """Bytes, of all cards together; 0 if none is used."""


@dataclass(frozen=True)
class Load:
    """What a start takes, in bytes."""

    weights: int
    cache: int
    compute: int
    on_gpu: int
    """How much of all that lies on GPUs."""

    @property
    def total(self) -> int:
        return self.weights + self.cache + self.compute

    @property
    def in_ram(self) -> int:
        return self.total - self.on_gpu

    def fits(self, room: Room) -> bool:
        """Whether there is room for it; where nothing tells, there is."""
        return self.on_gpu <= room.gpu and (room.ram is None or self.in_ram <= room.ram)


@dataclass(frozen=True)
class Start:
    """A model, what else is loaded beside it, and how it is to run."""

    shape: ModelShape
    settings: Settings
    others: int = 0
    """Bytes of adapters, a projector and a draft model with its cache."""
    gpu_layers: int | None = 0
    """`-ngl`; None: as many as fit."""

    @property
    def layers(self) -> int:
        """Layers that can go to a GPU: with one for what follows the last."""
        return len(self.shape.layers) + 1

    def load(self, room: Room) -> Load:
        """What it takes."""
        if self.gpu_layers is None:
            return self._load(self.layers_that_fit(room))
        return self._load(min(self.gpu_layers, self.layers))

    def layers_that_fit(self, room: Room) -> int:
        """The largest `-ngl` for which the GPUs have room."""
        return _largest(self.layers, lambda count: self._load(count).on_gpu <= room.gpu) or 0

    def largest_context(self, room: Room) -> int | None:
        """The largest context that fits, in tokens: that of `settings`, or else a multiple of 256
        below it, as upstream rounds contexts up to one. None: not even the smallest of these."""

        def fits(steps: int) -> bool:
            context = min(steps * _STEP, self.settings.context)
            start = replace(self, settings=replace(self.settings, context=context))
            return start.load(room).fits(room)

        steps = _largest(-(-self.settings.context // _STEP), fits, first=1)
        return min(steps * _STEP, self.settings.context) if steps else None

    def largest_gpu_layers(self, room: Room) -> int | None:
        """The largest `-ngl` below the present one with which all fits; None: there is none."""
        if not self.gpu_layers:
            return None
        count = min(self.layers_that_fit(room), self.gpu_layers)
        return count if self._load(count).fits(room) else None

    def _load(self, gpu_layers: int) -> Load:
        shape, settings = self.shape, self.settings
        compute = compute_bytes(shape, settings)
        weights, on_gpu = shape.weights + self.others, 0
        if gpu_layers > 0:
            # The copy of the embeddings is made only for the part behind the last layer, which is
            # the first to go to the GPU.
            weights += shape.copied_output
            there = shape.layers[max(self.layers - gpu_layers, 0) :]
            on_gpu = shape.output_weights + shape.copied_output + compute
            on_gpu += sum(layer.weights for layer in there)
            if settings.cache_on_gpu:
                on_gpu += sum(layer_cache_bytes(layer, shape, settings) for layer in there)
            compute *= 2  # one on each side
        return Load(weights, cache_bytes(shape, settings), compute, on_gpu)


def _largest(limit: int, fits: Callable[[int], bool], first: int = 0) -> int | None:
    """The largest number from `first` to `limit` that fits, where smaller ones fit if larger do."""
    if limit < first or not fits(first):
        return None
    low, high = first, limit
    while low < high:
        middle = (low + high + 1) // 2
        if fits(middle):
            low = middle
        else:
            high = middle - 1
    return low
