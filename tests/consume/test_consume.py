"""`pack --consume` gives the bytes that `pack` gives, and changes no file of somebody else."""

from __future__ import annotations

import io
import os
import subprocess
from pathlib import Path

import pytest
from consuming import EXE_BESIDE, Scene
from helpers.mounts import mounted, used
from helpers.part_sets import large_gguf, names
from helpers.stand_ins import CommandLine, Refused, write_gguf

from runtime.formats.undo_file import undo_path


@pytest.fixture
def scene(tmp_path: Path, llamapack: CommandLine) -> Scene:
    return Scene(tmp_path, llamapack)


def test_the_file_itself_becomes_the_bundle(scene: Scene) -> None:
    inode = scene.model.stat().st_ino
    done = scene.run()
    assert (done.returncode, done.stdout) == (0, f"{scene.bundle}\n"), done.stderr
    scene.is_made()
    assert scene.bundle.stat().st_ino == inode
    scene.llamapack.ran("verify", scene.bundle)
    subprocess.run(["unzip", "-qqt", scene.bundle], check=True)


def test_with_all_that_goes_into_a_bundle(tmp_path: Path, llamapack: CommandLine) -> None:
    """Files of other options are copied, and stay."""
    lora = write_gguf(tmp_path / "lora.gguf", kind="adapter")
    projector = write_gguf(tmp_path / "eyes.gguf", kind="mmproj")
    scene = Scene(
        tmp_path, llamapack, "--lora", lora, "--mmproj", projector, "--chat-template", "chatml",
        "--args", "-c 9", "--name", "My model", first=EXE_BESIDE,
    )  # fmt: skip
    done = scene.run()
    assert done.stdout.splitlines() == [str(scene.bundle), str(scene.folder / "m.exe")], done
    scene.is_made()
    assert lora.exists()
    assert projector.exists()


def test_where_it_goes(scene: Scene, tmp_path: Path, refused: Refused) -> None:
    (tmp_path / "there").mkdir()
    output = tmp_path / "there" / "x.llamafile"
    output.write_text("precious")
    assert "exists already" in refused(scene.run("-o", output))
    assert output.read_text() == "precious"
    scene.is_untouched()
    assert scene.run("-o", output, "--force").returncode == 0
    assert output.read_bytes() == scene.new["m.llamafile"]
    assert names(scene.folder) == []


def test_nothing_is_written_but_head_and_tail(scene: Scene, tmp_path: Path) -> None:
    """The engine of these tests deflates to some kilobytes."""
    log = tmp_path / "log"
    calls = "trace=write,pwrite64,copy_file_range,sendfile"
    command = scene.llamapack.command(*scene.words)
    subprocess.run(
        ["strace", "-f", "-qq", "-y", "-e", calls, "-o", log, *command],
        env=scene.llamapack.environment, check=True, capture_output=True,
    )  # fmt: skip
    lines = [line for line in log.read_text().splitlines() if str(scene.folder) in line]
    written = sum(int(line.rpartition("= ")[2]) for line in lines)
    assert 200_000 < written < 1_000_000, lines
    scene.is_made()


def _second_name(scene: Scene) -> None:
    (scene.folder / "twin").hardlink_to(scene.model)


def _link(scene: Scene) -> None:
    blob = scene.model.rename(scene.folder / "blob")
    scene.model.symlink_to(blob)


def _holes(scene: Scene) -> None:
    os.truncate(scene.model, 64 << 20)


def _cut(scene: Scene) -> None:
    os.truncate(scene.model, 1000)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_second_name, "has a second name"),
        (_link, "is a symbolic link"),
        (_holes, "has holes"),
        (_cut, "less than 4096 bytes"),
        (lambda scene: scene.model.unlink(), "does not exist"),
        (lambda scene: scene.model.write_bytes(bytes(5000)), "not a GGUF"),
    ],
)
def test_files_that_cannot_be_consumed(
    change: object, message: str, scene: Scene, refused: Refused
) -> None:
    assert callable(change)
    change(scene)
    before = {path: path.read_bytes() for path in scene.folder.iterdir()}
    assert message in refused(scene.run())
    assert {path: path.read_bytes() for path in scene.folder.iterdir()} == before


def test_arguments_that_do_not_go_with_it(
    scene: Scene, tmp_path: Path, llamapack: CommandLine, refused: Refused
) -> None:
    other = write_gguf(tmp_path / "other.gguf")
    assert "one file can be consumed, not 2" in refused(scene.run(other))
    assert "writes another file" in refused(scene.run("--quant", "Q8_0"))
    assert "would become parts" in refused(scene.run("--split-size", "1MB"))
    alias = tmp_path / "alias.gguf"
    alias.symlink_to(scene.model)
    assert "under two names" in refused(scene.run("--draft", alias))
    fetched = llamapack("pack", "--consume", "hf:org/repo")
    assert "cache" in refused(fetched)
    assert "llamapack fetch hf:org/repo" in fetched.stderr
    archive = tmp_path / "m.zip"
    subprocess.run(["zip", "-q", "-j", "-0", archive, scene.model], check=True)
    assert "archive" in refused(llamapack("pack", "--consume", archive))
    shard = write_gguf(
        tmp_path / "x-00001-of-00002.gguf", shard=(0, 2, 2), tensors=["a"], tokens=3000
    )
    assert "one of 2 shards" in refused(llamapack("pack", "--consume", shard))
    scene.is_untouched()


def test_a_file_system_that_cannot(
    tmp_path: Path, llamapack: CommandLine, refused: Refused
) -> None:
    with mounted("btrfs", tmp_path) as place:
        model = large_gguf(place)
        before = model.read_bytes()
        assert "cannot insert" in refused(llamapack("pack", "--consume", model))
        assert (names(place), model.read_bytes()) == ([model.name], before)


def test_another_file_system(scene: Scene, refused: Refused) -> None:
    elsewhere = Path("/dev/shm")
    if not elsewhere.is_dir() or elsewhere.stat().st_dev == scene.folder.stat().st_dev:
        pytest.skip("SKIPPED LOUDLY: no second file system at /dev/shm")
    output = elsewhere / f"llamapack-{os.getpid()}.llamafile"
    assert "not on the same file system" in refused(scene.run("-o", output))
    scene.is_untouched()


@pytest.mark.parametrize("kind", ["ext4", "ext4-1k", "xfs"])
def test_file_systems(kind: str, tmp_path: Path, llamapack: CommandLine) -> None:
    with mounted(kind, tmp_path) as place:
        copy = large_gguf(tmp_path, 60 << 20, "m.gguf")
        model = place / "m.gguf"
        model.write_bytes(copy.read_bytes())
        before = used(place)
        llamapack.ran("pack", "--consume", model)
        assert used(place) - before < 2 << 20
        llamapack.ran("pack", copy, "-o", tmp_path / "plain.llamafile")
        assert (place / "m.llamafile").read_bytes() == (tmp_path / "plain.llamafile").read_bytes()


def test_shared_blocks_of_others_stay(tmp_path: Path, llamapack: CommandLine) -> None:
    with mounted("xfs", tmp_path) as place:
        model = large_gguf(place, 5 << 20, "m.gguf")
        twin = place / "twin"
        subprocess.run(["cp", "--reflink=always", model, twin], check=True)
        before = twin.read_bytes()
        llamapack.ran("pack", "--consume", model)
        assert twin.read_bytes() == before
        llamapack.ran("verify", place / "m.llamafile")


def test_a_model_in_use(scene: Scene, refused: Refused) -> None:
    with scene.model.open("rb"):
        assert "in use" in refused(scene.run())
    scene.is_untouched()


def test_a_full_disk(scene: Scene, tmp_path: Path, refused: Refused) -> None:
    plenty = (
        "import shutil, types\nshutil.disk_usage = lambda _: types.SimpleNamespace(free=1 << 60)\n"
    )
    with mounted("ext4", tmp_path, 16 << 20) as place:
        model = place / "m.gguf"
        model.write_bytes(scene.old)
        fill = f"cat /dev/zero > {place / 'filler'}"
        subprocess.run(["sh", "-c", fill], check=False, capture_output=True)
        assert "no space" in refused(scene.llamapack("pack", "--consume", model))
        done = scene.llamapack("pack", "--consume", model, first=plenty)
        assert "No space left" in refused(done)
        assert model.read_bytes() == scene.old
        assert "m.llamafile" not in names(place)
        assert not undo_path(model).exists()


def test_a_new_file_in_place_of_one_that_became_a_bundle(scene: Scene, refused: Refused) -> None:
    """The undo file of the old one, left by a kill, is not used on the same bytes."""
    scene.killed_before_the_undo_file_goes()
    scene.bundle.rename(scene.folder / "elsewhere")
    assert "is gone" in refused(scene.run())
    scene.model.write_bytes(scene.old)
    for done in (scene.run(), scene.llamapack("edit", scene.model)):
        assert "belongs to another file" in refused(done)
    assert scene.model.read_bytes() == scene.old
    undo_path(scene.model).unlink()
    assert scene.run().returncode == 0
    assert scene.bundle.read_bytes() == scene.new["m.llamafile"]


def test_memory_is_constant(tmp_path: Path, llamapack: CommandLine) -> None:
    scene = Scene(tmp_path, llamapack)
    with io.FileIO(scene.model, "ab") as file:
        for _ in range(300):
            file.write(os.urandom(1 << 20))
    peak = "import atexit\natexit.register(lambda: print(open('/proc/self/status').read()))\n"
    done = scene.llamapack(*scene.words, first=peak)
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("VmHWM")]
    assert int(line.split()[1]) * 1024 < 100_000_000


def test_a_folder_where_the_undo_file_of_the_output_would_be(
    scene: Scene, refused: Refused
) -> None:
    """It is refused before anything is changed; the tip's command is a way out."""
    place = undo_path(scene.bundle)
    place.mkdir()
    before = scene.model.read_bytes()
    done = scene.run()
    assert f"{place} is a folder" in refused(done)
    assert scene.model.read_bytes() == before
    subprocess.run(done.stderr.splitlines()[-1].split("`")[1], shell=True, check=True)
    assert scene.run().returncode == 0
    scene.is_made()
