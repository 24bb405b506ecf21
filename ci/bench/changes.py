"""What `edit`, `upgrade` and `extract` cost beside `cp` of the same file, printed as a table.

Usage: python -m ci.bench.changes [--size BYTES] [--folder DIR]

Bytes are those that the processes asked the system to read and write, and that went to
the disk (Linux, /proc/PID/io). All is on the disk before a command counts as done.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ci.bench.pack import gguf

PROGRAM = """
import sys
from pathlib import Path
from packer import cli, engines, front
engine, pages = Path(sys.argv.pop(1)), Path(sys.argv.pop(1))
engines.chosen = lambda targets: {"linux-x86_64": engine}
engines.web_ui = lambda: pages
front.polyglot = lambda targets: front.Front(bytes(131072))
raise SystemExit(cli.main())
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=1 << 30, help="bytes of weights")
    parser.add_argument("--folder", type=Path, help="on the disk to measure; default: temporary")
    args = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="llamapack-bench-", dir=args.folder))
    os.environ["LLAMAPACK_BUILD_CACHE"] = str(folder / "cache")
    try:
        measure(folder, args.size)
    finally:
        shutil.rmtree(folder)


def measure(folder: Path, size: int) -> None:
    (folder / "pages").mkdir()
    (folder / "pages" / "index.html").write_text("<html>")
    small, large = engine(folder / "small", 30 << 20), engine(folder / "large", 60 << 20)
    model, bundle = gguf(folder / "m.gguf", size, sparse=False), folder / "m.llamafile"
    print(f"{'':24}{'s':>8}{'MB read':>10}{'written':>10}{'on disk':>10}{'peak MB':>10}")
    for name in (small, large):  # fills the cache of deflated engines
        run(name, "pack", model, "-o", bundle, "--force", "-q")
    model.unlink()
    os.sync()
    copy = 'cp "$0" "$1" && sync "$1"'
    show("cp", ["sh", "-c", copy, str(bundle), str(folder / "copy")])
    (folder / "copy").unlink()
    show("edit --args", command(large, "edit", bundle, "-q", "--args", "-c 4096"))
    show("upgrade, smaller", command(small, "upgrade", bundle, "-q"))
    show("upgrade, larger", command(large, "upgrade", bundle, "-q"))
    show("upgrade --copy", command(small, "upgrade", bundle, "-q", "--copy"))
    show("verify", command(small, "verify", bundle))
    show("extract", command(small, "extract", bundle, "m.gguf", "-C", folder / "out"))


def command(engine: Path, *words: str | Path) -> list[str]:
    pages = engine.with_name("pages")
    return [sys.executable, "-c", PROGRAM, *map(str, (engine, pages, *words))]


def run(engine: Path, *words: str | Path) -> None:
    subprocess.run(command(engine, *words), check=True, stdout=subprocess.DEVNULL)


def show(name: str, words: list[str]) -> None:
    start = time.perf_counter()
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL)
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # its numbers can still be read then
    lines = Path(f"/proc/{process.pid}/io").read_text().splitlines()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{name} ended with {process.returncode}")
    io = {key: int(value) / 1e6 for key, value in (line.split(": ") for line in lines)}
    numbers = (io["rchar"], io["wchar"], io["write_bytes"], usage.ru_maxrss * 1024 / 1e6)
    print(f"{name:24}{seconds:8.2f}" + "".join(f"{number:10.1f}" for number in numbers))


def engine(folder: Path, size: int) -> Path:
    """An engine folder that deflates to about this size."""
    folder.mkdir()
    noise, sum_ = random.Random(size), hashlib.sha256()
    with (folder / "llamapack-engine").open("wb") as file:
        # In pieces: the peak memory of a child is never less than that of its parent.
        for _ in range(0, size, 1 << 20):
            piece = noise.randbytes(1 << 20)
            sum_.update(piece)
            file.write(piece)
    (folder / "SHA256SUMS").write_text(f"{sum_.hexdigest()}  llamapack-engine\n")
    (folder / "engine.json").write_text('{"llama.cpp": "v0.4.0"}')
    return folder


if __name__ == "__main__":
    main()
