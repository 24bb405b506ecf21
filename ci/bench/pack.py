"""Rates of `pack` against `cp`, and times of `inspect`, printed as JSON with ratios.

Usage: python -m ci.bench.pack [--size BYTES] [--rounds N] [--folder DIR]

Both write the same weights to the same disk, turn about, until the data are on it (fsync). Peak
memory is that of the whole `llamapack` process. The engine is a stand-in of 60 MB in three files;
its first packing, which deflates it, is not counted but printed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PROGRAM = """
import sys
from pathlib import Path
from packer import cli, engines, front
engine = Path(sys.argv.pop(1))
engines.chosen = lambda targets: {"linux-x86_64": engine}
front.polyglot = lambda targets: front.Front(bytes(131072))
raise SystemExit(cli.main())
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=2 << 30, help="bytes of weights")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", type=Path, help="on the disk to measure; default: temporary")
    args = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="llamapack-bench-", dir=args.folder))
    try:
        print(
            json.dumps({**packing(folder, args.size, args.rounds), **inspecting(folder)}, indent=2)
        )
    finally:
        shutil.rmtree(folder)


def packing(folder: Path, size: int, rounds: int) -> dict[str, object]:
    model = gguf(folder / "weights.gguf", size, sparse=False)
    engine = stand_in(folder / "engine")
    copy, bundle = folder / "copy", folder / "weights.llamafile"
    os.environ["LLAMAPACK_BUILD_CACHE"] = str(folder / "cache")
    pack = [sys.executable, "-c", PROGRAM, str(engine), "pack", str(model), "-o", str(bundle), "-q"]
    cp = ["sh", "-c", 'cp "$0" "$1" && sync "$1"', str(model), str(copy)]
    first = run(pack).seconds
    bundle.unlink()
    times: dict[str, list[float]] = {"cp": [], "pack": []}
    processor: dict[str, list[float]] = {"cp": [], "pack": []}
    peaks = []
    for turn in range(rounds):
        for name in ("cp", "pack") if turn % 2 else ("pack", "cp"):
            done = run(cp if name == "cp" else pack)
            times[name].append(done.seconds)
            processor[name].append(done.processor)
            if name == "pack":
                peaks.append(done.peak)
            (copy if name == "cp" else bundle).unlink()
            os.sync()
    best = {name: min(values) for name, values in times.items()}
    median = {name: statistics.median(values) for name, values in times.items()}
    return {
        "size": size,
        "seconds": {name: [round(v, 2) for v in values] for name, values in times.items()},
        "processor_seconds": {
            name: round(statistics.median(values), 2) for name, values in processor.items()
        },
        "first_pack_seconds": round(first, 2),
        "rate_over_cp_best": round(best["cp"] / best["pack"], 3),
        "rate_over_cp_median": round(median["cp"] / median["pack"], 3),
        "peak_memory_mb": round(max(peaks) / 1e6, 1),
    }


def inspecting(folder: Path) -> dict[str, object]:
    model = gguf(folder / "large.gguf", 10_000_000_000, sparse=True)
    bundle = folder / "large.llamafile"
    engine = str(folder / "engine")
    run([sys.executable, "-c", PROGRAM, engine, "pack", str(model), "-o", str(bundle), "-q"])
    command = [sys.executable, "-m", "packer", "inspect", str(bundle), "--json"]
    times = [run(command).seconds * 1000 for _ in range(7)]
    return {
        "inspect_10_gb_ms": {"median": round(statistics.median(times)), "max": round(max(times))}
    }


class Done:
    """Wall time, processor time and peak memory of one process and its children."""

    def __init__(self, seconds: float, processor: float, peak: int) -> None:
        self.seconds = seconds
        self.processor = processor
        self.peak = peak


def run(command: list[str]) -> Done:
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=Path(__file__).parents[2])
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command} ended with {process.returncode}")
    return Done(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)


def gguf(path: Path, size: int, *, sparse: bool) -> Path:
    """A GGUF with one F32 tensor of about `size` bytes, of noise or holes.

    Written without the `gguf` package: a child's peak memory as the system counts it is never less
    than that of the process that started it, and the package is larger than what is measured.
    """
    elements = size // 128 * 32
    pairs = {"general.architecture": "bench", "general.name": "Bench"}
    header = struct.pack("<4sIQQ", b"GGUF", 3, 1, len(pairs) + 1)
    for key, value in pairs.items():
        header += text(key) + struct.pack("<I", 8) + text(value)
    header += text("tokenizer.ggml.tokens") + struct.pack("<IIQ", 9, 8, 32000)
    header += b"".join(text(f"token{n}") for n in range(32000))
    header += text("weights") + struct.pack("<IQIQ", 1, elements, 0, 0)
    with path.open("wb") as file:
        file.write(header + bytes(-len(header) % 32))
        if sparse:
            file.truncate(file.tell() + elements * 4)
        else:
            for left in range(elements * 4, 0, -(1 << 24)):
                file.write(random.randbytes(min(left, 1 << 24)))
            os.fsync(file.fileno())
    return path


def text(value: str) -> bytes:
    """A GGUF string."""
    return struct.pack("<Q", len(value)) + value.encode()


def stand_in(folder: Path) -> Path:
    """An engine folder with 60 MB that deflate to about half, as programs do."""
    folder.mkdir()
    lines = []
    noise = random.Random(1)
    for name in ("libggml-base.so", "libggml-cpu-haswell.so", "llamapack-engine"):
        data = b"".join(noise.randbytes(512) + bytes(512) for _ in range(20_000))
        (folder / name).write_bytes(data)
        lines.append(f"{hashlib.sha256(data).hexdigest()}  {name}\n")
    (folder / "SHA256SUMS").write_text("".join(lines))
    (folder / "engine.json").write_text('{"llama.cpp": "v0.4.0"}')
    return folder


if __name__ == "__main__":
    main()
