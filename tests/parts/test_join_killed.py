"""`llamapack join --in-place` is killed at its system calls and at random times, and run again.

The real command; strace sends it SIGKILL as it enters the n-th call of a kind. Whatever the moment,
running it again ends with the whole file, and until then every byte is in one of the files.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from helpers.killing import SLOW, killed_after, strace
from helpers.part_sets import large_bundle, names, sha256sum, split
from helpers.stand_ins import CommandLine, Refused

CALLS = (
    "write,pwrite64,copy_file_range,fsync,ftruncate,truncate,fallocate,rename,renameat,renameat2,"
    "link,linkat,unlink,unlinkat,chmod,fchmod,ioctl,openat"
)
"""Those that change something, and `openat`, which a file may come into being by."""
POINTS = 220 if SLOW else 16  # of each kind of test

pytestmark = [
    pytest.mark.skipif(
        shutil.which("strace") is None, reason="SKIPPED LOUDLY: strace is not installed"
    ),
    pytest.mark.timeout(3000),
]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[CommandLine, Path, list[Path]]:
    """A command line, a bundle and its parts, which tests only copy."""
    folder = tmp_path_factory.mktemp("made")
    llamapack = CommandLine(folder)
    whole = large_bundle(folder, llamapack, 9_000_000 if SLOW else 1_700_000)
    return llamapack, whole, split(llamapack, whole, folder / "parts", "512KiB")


class Scene:
    """A fresh copy of the parts, and what must come of them."""

    def __init__(self, folder: Path, llamapack: CommandLine, whole: Path, parts: list[Path]):
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(parts[0].parent, folder)
        self.folder = folder
        self.data = whole.read_bytes()
        self.sizes = [part.stat().st_size for part in parts]
        self.parts = [folder / part.name for part in parts]
        self.llamapack = llamapack
        self.words = ["join", "--in-place", self.parts[0]]

    def traced(self, *options: str) -> subprocess.CompletedProcess[str]:
        """Run the command under strace."""
        options = ["-o", self.folder.parent / "trace", *options]
        return strace(self.llamapack, options, self.words)

    def nothing_is_lost(self) -> None:
        """Every byte is in the joined file, the growing one, or what is left of its part."""
        grown = next(
            (path for name in ("m.llamafile", "m.llamafile.joining")
             if (path := self.folder / name).exists()), self.parts[0],
        ).read_bytes()  # fmt: skip
        offset = self.sizes[0]
        assert grown[:offset] == self.data[:offset]
        for part, size in list(zip(self.parts, self.sizes, strict=True))[1:]:
            left = part.read_bytes() if part.exists() else b""
            assert left == self.data[offset : offset + len(left)]
            assert (
                left + grown[offset + len(left) : offset + size]
                == (self.data[offset : offset + size])
            )
            offset += size

    def ends_whole(self) -> None:
        """Run the command again."""
        done = self.llamapack.ran(*self.words)
        assert done.stdout == f"{self.folder / 'm.llamafile'}\n"
        assert (self.folder / "m.llamafile").read_bytes() == self.data
        assert (self.folder / "m.llamafile").stat().st_mode & 0o777 == 0o755
        # A temporary file of a few lines may stay, as everywhere after a kill.
        left = [name for name in names(self.folder) if not name.endswith(".partial")]
        assert left == ["m.llamafile", "m.llamafile.sha256"]
        assert sha256sum(self.folder) == ["m.llamafile"]


def calls_after_the_check(scene: Scene) -> list[tuple[str, int]]:
    """The calls of the command, each with its number among those of its kind, thread by thread.

    Before the journal nothing but what Python itself opens is called, which is left out but for
    the last of it.
    """
    assert scene.traced("-e", f"trace={CALLS}").returncode == 0
    lines = (scene.folder.parent / "trace").read_text().splitlines()
    main = lines[0].split()[0]
    own = [line.split(maxsplit=1)[1] for line in lines if line.split()[0] == main]
    begin = next(i for i, line in enumerate(own) if ".partial" in line)
    counts: dict[str, int] = {}
    calls = []
    for index, line in enumerate(own):
        name = line.split("(")[0]
        if name not in CALLS.split(","):
            continue
        counts[name] = counts.get(name, 0) + 1
        if index >= begin - 2:
            calls.append((name, counts[name]))
    return calls


def test_killed_at_system_calls(made: tuple[CommandLine, Path, list[Path]], tmp_path: Path) -> None:
    calls = calls_after_the_check(Scene(tmp_path / "parts", *made))
    kinds = {name for name, _ in calls}
    assert {"copy_file_range", "fsync", "ftruncate", "rename", "renameat2", "unlink"} <= kinds
    random.seed(1)
    # All that are not repeated for every piece, and a sample of those that are.
    rare = [call for call in calls if sum(name == call[0] for name, _ in calls) <= 6]
    chosen = calls if SLOW else random.sample(calls, POINTS - 8) + random.sample(rare, 8)
    killed = 0
    for name, number in chosen:
        scene = Scene(tmp_path / "parts", *made)
        inject = f"inject={name}:signal=SIGKILL:when={number}"
        status = scene.traced("-e", f"trace={name}", "-e", inject).returncode
        killed += status in (-signal.SIGKILL, 128 + signal.SIGKILL)
        scene.nothing_is_lost()
        scene.ends_whole()
    assert killed == len(chosen)
    assert len(chosen) >= (200 if SLOW else POINTS)


def test_killed_at_random_times(made: tuple[CommandLine, Path, list[Path]], tmp_path: Path) -> None:
    """Also several times before it may end."""
    scene = Scene(tmp_path / "parts", *made)
    start = time.monotonic()
    scene.llamapack.ran(*scene.words)
    duration = time.monotonic() - start
    moments = random.Random(2)
    for _ in range(POINTS):
        scene = Scene(tmp_path / "parts", *made)
        for _ in range(moments.choice((1, 1, 3))):
            killed_after(scene.llamapack, moments.uniform(0.2, 1) * duration, *scene.words)
            scene.nothing_is_lost()
        scene.ends_whole()


def test_what_happens_in_between(
    made: tuple[CommandLine, Path, list[Path]], tmp_path: Path, refused: Refused
) -> None:
    """A half-done join explains itself, and changes behind its back do no harm."""
    llamapack = made[0]

    def half_done() -> Scene:
        scene = Scene(tmp_path / "parts", *made)
        scene.traced("-e", "trace=ftruncate", "-e", "inject=ftruncate:signal=SIGKILL:when=3")
        assert 0 < scene.parts[1].stat().st_size < scene.sizes[1]
        return scene

    scene = half_done()
    again = llamapack("join", scene.parts[1])
    assert "being joined in place" in refused(again)
    assert "--in-place" in again.stderr
    # The number of a part that is to come does not tell that it is gone.
    aside = scene.parts[2].rename(scene.folder / "aside")
    assert "cat2 is missing" in refused(llamapack("join", "--in-place", scene.parts[1]))
    aside.rename(scene.parts[2])
    os.truncate(scene.parts[2], 100)
    assert "cat2 has 100 bytes" in refused(llamapack("join", "--in-place", scene.parts[1]))
    scene.parts[2].write_bytes(scene.data[2 << 19 : 3 << 19])
    scene.nothing_is_lost()
    scene.ends_whole()

    scene = half_done()
    (scene.folder / "m.llamafile").write_text("precious")
    assert "exists already" in refused(llamapack("join", "--in-place", scene.parts[1]))
    assert (scene.folder / "m.llamafile").read_text() == "precious"
    (scene.folder / "m.llamafile").unlink()
    scene.ends_whole()

    scene = half_done()
    growing = scene.folder / "m.llamafile.joining"
    growing.rename(scene.folder / "aside")
    assert "is gone" in refused(llamapack("join", "--in-place", scene.parts[1]))
    (scene.folder / "aside").rename(growing)
    journal = scene.folder / "m.llamafile.joining.json"
    text = journal.read_text()
    journal.write_text("{}")
    assert "is damaged" in refused(llamapack("join", "--in-place", scene.parts[1]))
    journal.write_text(text)
    scene.ends_whole()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_says_how_to_go_on(
    number: signal.Signals, made: tuple[CommandLine, Path, list[Path]], tmp_path: Path
) -> None:
    scene = Scene(tmp_path / "parts", *made)
    inject = f"inject=ftruncate:signal={number.name}:when=8"
    done = scene.traced("-e", "trace=ftruncate", "-e", inject)
    assert done.returncode == 1
    assert [line.split()[0] for line in done.stderr.splitlines()] == ["ERROR", "TIP"]
    assert "nothing is lost" in done.stderr
    assert f"llamapack join --in-place {scene.parts[0]}" in done.stderr
    scene.nothing_is_lost()
    scene.ends_whole()
