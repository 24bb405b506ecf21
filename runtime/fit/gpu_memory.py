"""How much memory the graphics cards of this machine have free."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from runtime.machine.machine import Machine

_QUERY = ("--query-gpu=name,memory.free", "--format=csv,noheader,nounits")


@dataclass(frozen=True)
class Gpu:
    """A graphics card with memory of its own."""

    name: str
    maker: str
    """`nvidia` or `amd`, as `--gpu` has it: names of cards (`Tesla T4`) do not always state it."""
    kinds: frozenset[str]
    """The modules that can use it: `cuda`, `hip`, `vulkan`."""
    free: int
    """Bytes."""


def gpus(machine: Machine) -> list[Gpu]:
    """NVIDIA's cards as `nvidia-smi` lists them, and AMD's as Linux does; none of other makers."""
    return [*_nvidia(machine), *_amd(machine)]


def _nvidia(machine: Machine) -> Iterator[Gpu]:
    program = machine.program("nvidia-smi")
    listed = machine.output(program, *_QUERY) if program else None
    cards = []
    for line in (listed or "").splitlines():
        name, _, free = line.rpartition(",")
        if free.strip().isdigit():
            cards.append(
                Gpu(name.strip(), "nvidia", frozenset({"cuda", "vulkan"}), int(free) << 20)
            )
    visible = machine.env.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        yield from cards
        return
    # Names of cards (`GPU-…`, `MIG-…`) instead of numbers: which those are is not in the list.
    numbers = [int(word) for word in visible.split(",") if word.strip().isdigit()]
    yield from (cards[number] for number in numbers if number < len(cards))


def _amd(machine: Machine) -> Iterator[Gpu]:
    """From Documentation/gpu/amdgpu of Linux: `mem_info_vram_total` and `mem_info_vram_used`."""
    for total in sorted(machine.path("/sys/class/drm").glob("card*/device/mem_info_vram_total")):
        try:
            used = total.with_name("mem_info_vram_used").read_text()
            free = int(total.read_text()) - int(used)
        except (OSError, ValueError):
            continue
        yield Gpu("AMD GPU", "amd", frozenset({"hip", "vulkan"}), max(free, 0))
