"""What the launcher says about memory, and which way out it names."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest
from helpers.repository import DEMO

from packer.engines import cache
from runtime.errors import InputError
from runtime.formats.bundle import Engine
from runtime.launch.engine_cache import CachedEngine
from runtime.launch.memory import Memory, memory
from runtime.launch.parts import Bundles
from runtime.launch.plan import Plan
from runtime.launch.target import loaded, target_of
from runtime.machine.machine import Machine

MB = 10**6


def planned(root: Path, program: Path, *words: str, unpacked: bool = True) -> Plan:
    """A start of the demo model by an engine."""
    archive = root / "engines.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("a", "b")
    engine = Engine("linux-x86_64", "0" * 64, 1, 1, 1)
    cached = CachedEngine(engine, program.parent, program, unpacked=unpacked)
    start = ("-m", str(DEMO), *words)
    with Bundles() as bundles:
        target = target_of(DEMO, bundles)
        return Plan(target, archive, cached, start, loaded(target, words, bundles))


def machine(root: Path, ram: int) -> Machine:
    """One with so many MB free."""
    (root / "proc").mkdir(exist_ok=True)
    (root / "proc/meminfo").write_text(f"MemAvailable: {ram * 1024} kB\n")
    return Machine("linux", "x86_64", {"PATH": "/usr/bin:/bin"}, 0, root)


def of(root: Path, *words: str, ram: int) -> Memory:
    """What the engine that is built says on a machine with so many MB."""
    built = cache.find("linux-x86_64")
    assert built, "run `llamapack engine build linux-x86_64`"
    found = memory(planned(root, built / "llamapack-engine", *words), machine(root, ram))
    assert found
    return found


def test_what_fits_passes(tmp_path: Path) -> None:
    found = of(tmp_path, ram=100)
    found.check()
    assert found.line().startswith("memory: 2.7 MB weights + 2.1 MB KV cache (1,024 tokens, f16)")
    assert found.line().endswith("free RAM: 104.9 MB")


@pytest.mark.parametrize(("asked", "ram"), [("50000", 60), ("2000000000", 3000)])
def test_the_largest_context_is_named(asked: str, ram: int, tmp_path: Path) -> None:
    says = rf"context of {int(asked):,} tokens needs .* of RAM"
    with pytest.raises(InputError, match=says) as problem:
        of(tmp_path, "-c", asked, ram=ram).check()
    assert "`-c " in problem.value.tip
    context = int(problem.value.tip.split("`-c ")[1].split("`")[0])
    of(tmp_path, "-c", str(context), ram=ram).check()
    with pytest.raises(InputError):
        of(tmp_path, "-c", str(context + 512), ram=ram).check()


def test_smaller_types_of_caches_count(tmp_path: Path) -> None:
    words = ["-c", "8192", "-ctk", "q8_0", "-ctv", "q4_0"]
    small, large = of(tmp_path, *words, ram=100), of(tmp_path, *words[:2], ram=100)
    assert small.facts()["kv_cache"] < large.facts()["kv_cache"]
    assert "q8_0/q4_0" in small.line()


def test_adapters_count(tmp_path: Path) -> None:
    with_adapter = of(tmp_path, "--lora", str(DEMO), ram=100).facts()
    assert with_adapter["weights"] == of(tmp_path, ram=100).facts()["weights"] + DEMO.stat().st_size


def test_where_nothing_fits_another_model_is_advised(tmp_path: Path) -> None:
    with pytest.raises(InputError) as problem:
        of(tmp_path, ram=1).check()
    assert "smaller quantization" in problem.value.tip


CARD = """#!/bin/sh
[ "$1" = --probe-memory ] || exit 1
layers=5 context=1000
while [ $# -gt 0 ]; do
    case $1 in
    -c) context=$2 ;;
    -ngl) [ "$2" = auto ] && layers=3 || layers=$2 ;;
    esac
    shift
done
cat <<END
{"context": $context, "context_trained": 4096, "layers": 5, "gpu_layers": $layers,
 "cache_types": ["f16", "f16"], "host": {"weights": 1000000, "cache": 0, "compute": 0},
 "devices": [{"name": "A card", "free": 40000000, "compute": 0,
 "weights": $((layers * 10000000)), "cache": $((context * 1000))}]}
END
"""


def with_card(root: Path, *words: str, program: str = CARD) -> Memory | None:
    engine = root / "engine"
    engine.write_text(program)
    engine.chmod(0o755)
    return memory(planned(root, engine, *words), machine(root, 100))


def test_fewer_layers_are_named(tmp_path: Path) -> None:
    found = with_card(tmp_path, "-ngl", "4")
    assert found
    with pytest.raises(InputError, match=r"needs 41\.0 MB on A card for 4 layers") as problem:
        found.check()
    assert "fits is `-ngl 3`" in problem.value.tip


def test_a_card_and_a_smaller_context(tmp_path: Path) -> None:
    found = with_card(tmp_path, "-ngl", "3", "-c", "30000")
    assert found
    with pytest.raises(InputError, match="on A card for 3 layers") as problem:
        found.check()
    assert "`-c 9984`" in problem.value.tip
    assert "free on A card: 40.0 MB for 3/5 layers (60.0 MB)" in found.line()
    facts = found.facts()
    assert (facts["on_gpu"], facts["free_gpu"]) == (60 * MB, 40 * MB)
    assert (facts["fits"], facts["largest_context"]) == (False, 9984)


@pytest.mark.parametrize(
    "program",
    [
        "#!/bin/sh\necho 'ERROR unknown argument: --probe-memory' >&2\nexit 1\n",
        "#!/bin/sh\necho hello\n",
        "#!/bin/sh\necho '{}'\n",
        f"#!/bin/sh\necho '{json.dumps({'context': 1, 'layers': [], 'host': 5})}'\n",
        "not a program\n",
    ],
)
def test_an_engine_that_does_not_answer_is_started(program: str, tmp_path: Path) -> None:
    assert with_card(tmp_path, program=program) is None


@pytest.mark.parametrize("words", [["--help"], ["bench"]])
def test_where_nothing_is_loaded_nobody_is_asked(words: list[str], tmp_path: Path) -> None:
    assert with_card(tmp_path, *words) is None


def test_an_engine_that_is_not_unpacked_is_not_started(tmp_path: Path) -> None:
    plan = planned(tmp_path, tmp_path / "none", unpacked=False)
    assert memory(plan, machine(tmp_path, 100)) is None
