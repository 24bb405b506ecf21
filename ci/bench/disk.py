"""What commands that move weights cost beside `cp` and archivers, printed as a table.

Usage: python -m ci.bench.disk [--size 4GiB] [--rounds N] [--folder DIR] [--only NAME,NAME]

Each command runs once a round, on weights of random bytes that are not in memory, and counts as
done when all is on the disk. `× cp`: so many times as fast as the fastest `cp` its fastest run was;
other columns are of the median run. Bytes are those that came from and went to the disk (Linux,
/proc/PID/io). What a command needs beforehand is made before its clock starts.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ci.bench.processes import Cost, cost, drop_caches
from ci.bench.stand_ins import llamapack, write_engine, write_gguf, write_web_ui
from ci.ending import status_of
from ci.words import positive
from packer.io.sizes import parse_size

_ZIPFILE = """
import sys, zipfile
with zipfile.ZipFile(sys.argv[2], "w", zipfile.ZIP_STORED) as archive:
    archive.write(sys.argv[1])
"""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m ci.bench.disk", description=__doc__)
    parser.add_argument("--size", type=parse_size, default="4GiB", help="of the weights")
    parser.add_argument("--rounds", type=positive, default=3)
    parser.add_argument("--folder", type=Path, help="on the disk to measure; default: temporary")
    parser.add_argument("--only", metavar="NAME,NAME", help="these rows; default: all")
    args = parser.parse_args()
    return status_of(lambda: measure(args))


def measure(args: argparse.Namespace) -> None:
    """Run all commands, and print what they took."""
    folder = Path(tempfile.mkdtemp(prefix="llamapack-bench-", dir=args.folder))
    os.environ["LLAMAPACK_BUILD_CACHE"] = str(folder / "cache")
    try:
        scene = Scene(folder, args.size)
        rows = scene.rows()
        if args.only:
            rows = [row for row in rows if row.name in args.only.split(",")]
        for _ in range(args.rounds):
            for row in rows:
                scene.run(row)
        print(f"{args.size:,} bytes of weights, {args.rounds} rounds; {scene.memory}\n")
        _print(rows)
    finally:
        shutil.rmtree(folder)


@dataclass
class Row:
    """One command."""

    name: str
    command: list[str]
    prepare: Callable[[], object] = lambda: None
    """Makes what the command needs beside the weights."""
    costs: list[Cost] = field(default_factory=list)


class Scene:
    """The files that are there all the time: weights and engines. All others go after each run."""

    def __init__(self, folder: Path, size: int) -> None:
        self.memory = ""
        """What is known of the page cache before each run."""
        self._folder, self._size = folder, size
        self._engine = write_engine(folder / "engine", 60 << 20)
        self._larger = write_engine(folder / "larger", 90 << 20)
        write_web_ui(folder / "pages")
        self._model = write_gguf(folder / "m.gguf", size)
        self._work = folder / "work"
        self._bundle = self._work / "m.llamafile"
        self._work.mkdir()
        small = write_gguf(folder / "small.gguf", 1 << 20)
        for engine in (self._engine, self._larger):  # fills the cache of deflated engines
            cost(llamapack(engine, "pack", small, "-o", self._bundle, "--force", "-q"))

    def run(self, row: Row) -> None:
        """Run a command once more."""
        for path in self._work.iterdir():
            path.unlink()
        row.prepare()
        inputs = [self._model, *self._work.iterdir()]
        all_dropped = drop_caches(inputs)
        self.memory = (
            "nothing of them in memory"
            if all_dropped
            else "only the files read were dropped from memory, for want of rights to drop more"
        )
        row.costs.append(cost(row.command))

    def rows(self) -> list[Row]:
        """All commands; `cp` is the first."""
        model, bundle, work = self._model, self._bundle, self._work
        out, part = work / "out", f"{bundle}.cat0"
        quarter = str(self._size // 4)
        pack = ("pack", model, "-o", bundle, "-q")
        copied = work / model.name
        rows = [
            Row("cp", _synced(out, "cp", model, out)),
            Row("zipfile", _synced(out, sys.executable, "-c", _ZIPFILE, model, out)),
            *self._archivers(),
            Row("pack", self._llamapack(*pack)),
            Row("pack --split-size", self._llamapack(*pack, "--split-size", quarter)),
            Row(
                "pack --consume",
                self._llamapack("pack", copied, "--consume", "-q"),
                lambda: shutil.copyfile(model, copied),
            ),
            Row("split", self._llamapack("split", bundle, "--size", quarter, "-q"), self._pack),
            Row("join", self._llamapack("join", part, "-o", out, "-q"), self._parts),
            Row("join --in-place", self._llamapack("join", part, "--in-place", "-q"), self._parts),
            Row("edit --args", self._llamapack("edit", bundle, "--args", "-c 9", "-q"), self._pack),
            Row(
                "upgrade",
                llamapack(self._larger, "upgrade", bundle, "-q"),
                self._pack,
            ),
            Row(
                "upgrade --copy",
                llamapack(self._larger, "upgrade", bundle, "--copy", "-q"),
                self._pack,
            ),
            Row(
                "extract", self._llamapack("extract", bundle, model.name, "-C", work), self._pack
            ),
            Row("verify", self._llamapack("verify", bundle), self._pack),
            Row("inspect", self._llamapack("inspect", bundle), self._pack),
        ]  # fmt: skip
        return rows

    def _archivers(self) -> list[Row]:
        out = self._work / "out.zip"
        rows = []
        if shutil.which("zip"):
            rows.append(Row("zip -0", _synced(out, "zip", "-q", "-j", "-0", out, self._model)))
        if shutil.which("zipalign"):  # Cosmopolitan's; it adds to a file that is there
            command = _synced(out, "zipalign", "-j0", out, self._model)
            rows.append(Row("zipalign -j0", command, lambda: out.write_bytes(b"")))
        return rows

    def _llamapack(self, *words: str | Path) -> list[str]:
        return llamapack(self._engine, *words)

    def _pack(self) -> None:
        cost(self._llamapack("pack", self._model, "-o", self._bundle, "-q"))

    def _parts(self) -> None:
        size = str(self._size // 4)
        cost(self._llamapack("pack", self._model, "-o", self._bundle, "-q", "--split-size", size))


def _synced(output: Path, *words: str | Path) -> list[str]:
    """A command of others, and what brings its output to the disk."""
    return ["sh", "-c", '"$@" && sync "$0"', str(output), *map(str, words)]


def _print(rows: list[Row]) -> None:
    best = {row.name: min(cost.seconds for cost in row.costs) for row in rows}
    names = ("s, best", "median", "× cp", "CPU s", "MB read", "written", "peak MB")
    print(f"{'':18}" + "".join(f"{name:>10}" for name in names))
    for row in rows:
        ordered = sorted(row.costs, key=lambda cost: cost.seconds)
        middle = ordered[len(ordered) // 2]
        ratio = f"{best['cp'] / best[row.name]:.2f}" if "cp" in best else ""
        print(
            f"{row.name:18}{best[row.name]:10.2f}"
            f"{statistics.median(cost.seconds for cost in row.costs):10.2f}{ratio:>10}"
            f"{middle.processor:10.2f}{middle.read / 1e6:10.1f}{middle.written / 1e6:10.1f}"
            f"{max(cost.peak for cost in row.costs) / 1e6:10.1f}"
        )


if __name__ == "__main__":
    sys.exit(main())
