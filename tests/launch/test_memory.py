"""What the launcher says about memory, and which way out it names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from helpers.repository import DEMO

from runtime.bundle import GpuModule
from runtime.errors import InputError
from runtime.launch.memory import Memory, memory
from runtime.launch.models import loaded
from runtime.launch.target import target_of
from runtime.machine.machine import Machine


def of(
    root: Path,
    *words: str,
    ram: int,
    vram: int | None = None,
    card: str = "NVIDIA X",
    kinds: Sequence[str] = ("cuda",),
) -> Memory:
    """The demo model on a machine with so many MB of both."""
    (root / "proc").mkdir(exist_ok=True)
    (root / "proc/meminfo").write_text(f"MemAvailable: {ram * 1024} kB\n")
    if vram is not None:
        (root / "nvidia-smi").write_text(f"#!/bin/sh\necho '{card}, {vram}'\n")
        (root / "nvidia-smi").chmod(0o755)
    machine = Machine("linux", "x86_64", {"PATH": f"{root}:/usr/bin:/bin"}, 0, root)
    what = loaded(target_of(DEMO), words)
    assert what.weights
    modules = [GpuModule("linux-x86_64", kind, 1, 1) for kind in kinds]
    return memory("m.gguf", what.weights, what, machine, modules)


def test_what_fits_passes(tmp_path: Path) -> None:
    found = of(tmp_path, ram=100)
    found.check()
    assert found.line().startswith("memory: 2.7 MB weights + 2.1 MB KV cache (1,024 tokens, f16)")
    assert found.line().endswith("free RAM: 104.9 MB")


def test_a_smaller_context_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"context of 50,000 tokens needs .* of RAM") as problem:
        of(tmp_path, "-c", "50000", ram=60).check()
    assert "`-c " in problem.value.tip
    context = problem.value.tip.split("`-c ")[1].split("`")[0]
    of(tmp_path, "-c", context, ram=60).check()


def test_smaller_types_of_caches_count(tmp_path: Path) -> None:
    words = ["-c", "8192", "-ctk", "q8_0", "-ctv", "q4_0"]
    assert of(tmp_path, *words, ram=100).load.cache < of(tmp_path, *words[:2], ram=100).load.cache


def test_where_nothing_fits_another_model_is_advised(tmp_path: Path) -> None:
    with pytest.raises(InputError) as problem:
        of(tmp_path, ram=1).check()
    assert "smaller quantization" in problem.value.tip


def test_fewer_layers_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"on the GPU for 5 layers") as problem:
        of(tmp_path, "-ngl", "all", ram=1000, vram=25).check()
    layers = problem.value.tip.split("`-ngl ")[1].split("`")[0]
    assert 0 <= int(layers) < 5
    of(tmp_path, "-ngl", layers, ram=1000, vram=25).check()


def test_by_default_as_many_layers_as_fit(tmp_path: Path) -> None:
    found = of(tmp_path, ram=1000, vram=4000)
    found.check()
    assert found.gpu_layers == 5
    assert "NVIDIA X" in found.line()
    little = of(tmp_path, ram=1000, vram=1)
    little.check()
    assert little.gpu_layers == 0


@pytest.mark.parametrize("words", [["-ngl", "0"], ["--gpu", "disable"], ["--gpu", "vulkan"]])
def test_cards_that_will_not_be_used_do_not_count(words: list[str], tmp_path: Path) -> None:
    assert not of(tmp_path, *words, ram=1000, vram=4000).cards


def test_a_card_is_known_by_its_maker_whatever_its_name(tmp_path: Path) -> None:
    """As `nvidia-smi` calls those of data centres."""
    found = of(tmp_path, "--gpu", "nvidia", ram=1000, vram=4000, card="Tesla T4")
    assert found.cards == ("Tesla T4",)
    assert not of(tmp_path, "--gpu", "amd", ram=1000, vram=4000, card="Tesla T4").cards


def test_cards_that_no_one_module_uses_do_not_add_up(tmp_path: Path) -> None:
    """The engine takes the first module that works, and the cards that this one finds."""
    amd = tmp_path / "sys/class/drm/card0/device"
    amd.mkdir(parents=True)
    (amd / "mem_info_vram_total").write_text("8000000000\n")
    (amd / "mem_info_vram_used").write_text("0\n")
    both = {"cuda,hip": ("NVIDIA X",), "hip,cuda": ("NVIDIA X",), "hip": ("AMD GPU",)}
    both["vulkan"] = ("NVIDIA X", "AMD GPU")
    for kinds, cards in both.items():
        found = of(tmp_path, ram=1000, vram=4000, kinds=kinds.split(","))
        assert found.cards == cards, kinds
