"""Weights that come in ZIP archives: made by 7z, Info-ZIP and Python, packed without unpacking."""

from __future__ import annotations

import os
import random
import subprocess
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest
from helpers.stand_ins import CommandLine, Refused, write_gguf

from runtime.formats.bundle import Bundle

needs_deflate64 = pytest.mark.skipif(
    not find_spec("zipfile_deflate64"),
    reason="SKIPPED LOUDLY: zipfile-deflate64 is not installed (it takes Python's headers)",
)
_METHODS = ["Copy", "Deflate", pytest.param("Deflate64", marks=needs_deflate64)]


def seven_zip(archive: Path, method: str, *files: Path, options: tuple[str, ...] = ()) -> Path:
    subprocess.run(
        ["7z", "a", "-tzip", f"-mm={method}", "-mx=1", *options, archive, *files],
        check=True, capture_output=True,
    )  # fmt: skip
    return archive


def packed(llamapack: CommandLine, *words: str | Path, output: Path) -> Bundle:
    llamapack.ran("pack", *words, "-o", output, "-q")
    return Bundle.open(output)


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """Some megabytes, part of which compresses a lot and part not at all."""
    path = write_gguf(tmp_path / "large.gguf", tokens=200_000)
    with path.open("ab") as file:
        file.write(random.Random(1).randbytes(3 << 20) + bytes(9 << 20) + b"end")
    return path


@pytest.mark.parametrize("method", _METHODS)
def test_methods(method: str, large: Path, tmp_path: Path, llamapack: CommandLine) -> None:
    archive = seven_zip(tmp_path / "weights.ZIP", method, large)
    from_file = packed(llamapack, large, output=tmp_path / "file.llamafile")
    data = large.read_bytes()
    large.unlink()
    with packed(llamapack, archive, output=tmp_path / "zip.llamafile") as bundle:
        (member,) = bundle.weights
        assert b"".join(bundle.stream(member)) == data
    assert bundle.path.read_bytes() == from_file.path.read_bytes()
    named = packed(llamapack, f"{archive}:large.gguf", output=tmp_path / "named.llamafile")
    assert named.path.read_bytes() == from_file.path.read_bytes()


@needs_deflate64
@pytest.mark.skipif(
    "LLAMAPACK_SLOW_TESTS" not in os.environ, reason="compresses 300 MB, which takes 10 s"
)
def test_deflate64_by_7z_in_little_memory(tmp_path: Path, llamapack: CommandLine) -> None:
    """300 MB of weights, half of which is so regular that a few bytes mean megabytes."""
    path = write_gguf(tmp_path / "m.gguf")
    noise = random.Random(2)
    with path.open("ab") as file:
        for _ in range(10):
            file.write(noise.randbytes(15 << 20) + bytes(15 << 20))
    size = path.stat().st_size
    archive = seven_zip(tmp_path / "m.zip", "Deflate64", path)
    path.unlink()
    memory = tmp_path / "memory"
    # Not ru_maxrss: that of a child begins with what its parent had.
    measure = f"""
import atexit
from pathlib import Path
status = lambda: Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]
atexit.register(lambda: Path({str(memory)!r}).write_text(status()))
"""
    output = tmp_path / "m.llamafile"
    llamapack.ran("pack", archive, "-o", output, "-q", first=measure)
    assert int(memory.read_text()) < 150 << 10  # KiB
    with Bundle.open(output) as bundle:
        assert [member.size for member in bundle.weights] == [size]
    llamapack.ran("verify", output)
    assert not [
        p for p in tmp_path.iterdir() if p not in (archive, output, memory, llamapack.engine.parent)
    ]


def test_shards_and_projector(tmp_path: Path, llamapack: CommandLine, refused: Refused) -> None:
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True)
    files = [
        write_gguf(folder / f"x-{n + 1:05}-of-00003.gguf", shard=(n, 3, 3), tensors=[f"t{n}"])
        for n in range(3)
    ]
    eyes = write_gguf(folder / "mmproj-x.gguf", kind="mmproj")
    archive = tmp_path / "x.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for path in (eyes, *reversed(files)):
            file.write(path, path.relative_to(tmp_path))
    with packed(llamapack, archive, "--mmproj", "auto", output=tmp_path / "x.llamafile") as bundle:
        assert [m.name for m in bundle.weights] == [*(f.name for f in files), eyes.name]
        for member, path in zip(bundle.weights, [*files, eyes], strict=True):
            assert b"".join(bundle.stream(member)) == path.read_bytes()
    done = llamapack("pack", archive, "-o", tmp_path / "y.llamafile")
    assert "a/b/mmproj-x.gguf; add `--mmproj auto`" in done.stderr
    with zipfile.ZipFile(archive, "w") as file:
        file.write(files[0], files[0].name)
    done = llamapack("pack", archive, "-o", tmp_path / "z.llamafile")
    assert "has 3 shards, but x-00002-of-00003.gguf (and 1 more) is missing" in refused(done)


def test_adapters_and_projectors_from_archives(
    gguf: Path, tmp_path: Path, llamapack: CommandLine
) -> None:
    lora = write_gguf(tmp_path / "lora.gguf", kind="adapter")
    archive = seven_zip(tmp_path / "lora.zip", "Deflate", lora)
    data = lora.read_bytes()
    lora.unlink()
    with packed(llamapack, gguf, "--lora", f"{archive}:lora.gguf:0.5", output=tmp_path / "x") as b:
        assert b.args == "-m\ntiny.gguf\n--lora-scaled\nlora.gguf:0.5\n"
        assert b"".join(b.stream(b.members["lora.gguf"])) == data


def test_archives_that_cannot_be_packed(
    gguf: Path, tmp_path: Path, llamapack: CommandLine, refused: Refused
) -> None:
    def refusal(archive: Path, member: str = "") -> str:
        return refused(llamapack("pack", f"{archive}{member}", cwd=tmp_path / "out"))

    (tmp_path / "out").mkdir()
    other = write_gguf(tmp_path / "other.gguf")
    text = tmp_path / "read.me"
    text.write_text("no model")
    two = seven_zip(tmp_path / "two.zip", "Deflate", gguf, other)
    assert "several models" in refusal(two)
    assert "no member third.gguf" in refusal(two, ":third.gguf")
    assert "does not contain a GGUF model" in refusal(
        seven_zip(tmp_path / "none.zip", "Deflate", text)
    )
    assert "is not a GGUF file" in refusal(tmp_path / "none.zip", ":read.me")
    secret = seven_zip(tmp_path / "secret.zip", "Deflate", gguf, options=("-psecret",))
    assert "is encrypted" in refusal(secret)
    assert "compression method 12" in refusal(seven_zip(tmp_path / "bz.zip", "BZip2", gguf))
    (tmp_path / "cut.zip").write_bytes(two.read_bytes()[:-30])
    assert "no ZIP end record" in refusal(tmp_path / "cut.zip")
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("method", _METHODS)
def test_damage_is_found(
    method: str, large: Path, tmp_path: Path, llamapack: CommandLine, refused: Refused
) -> None:
    """A flipped bit anywhere in the data: by CRC-32 at the latest, and nothing is left behind."""
    archive = seven_zip(tmp_path / "m.zip", method, large)
    sound = archive.read_bytes()
    (tmp_path / "out").mkdir()
    for place in (len(sound) // 2, len(sound) - 2000):
        data = bytearray(sound)
        data[place] ^= 4
        archive.write_bytes(data)
        assert "is damaged" in refused(llamapack("pack", archive, cwd=tmp_path / "out"))
    assert list((tmp_path / "out").iterdir()) == []


def test_deflate64_without_its_package(
    gguf: Path, tmp_path: Path, llamapack: CommandLine, refused: Refused
) -> None:
    archive = seven_zip(tmp_path / "m.zip", "Deflate64", gguf)
    hidden = "import sys; sys.modules['zipfile_deflate64'] = None\n"
    done = llamapack("pack", archive, first=hidden, cwd=tmp_path)
    assert "compressed by Deflate64" in refused(done)
    assert "pip install zipfile-deflate64" in done.stderr


def test_large_archives(tmp_path: Path, llamapack: CommandLine) -> None:
    """Sizes in ZIP64 fields, as beyond 4 GiB; and a member of a name that needs them not."""
    model = write_gguf(tmp_path / "größe.gguf")
    archive = tmp_path / "x.zip"
    with (
        zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file,
        file.open("größe.gguf", "w", force_zip64=True) as member,
    ):
        member.write(model.read_bytes())
    with packed(llamapack, archive, output=tmp_path / "x.llamafile") as bundle:
        assert [m.name for m in bundle.weights] == ["größe.gguf"]


def test_a_claimed_petabyte(
    large: Path, tmp_path: Path, llamapack: CommandLine, refused: Refused
) -> None:
    """What an archive claims is checked against the disk before anything is written."""
    archive = tmp_path / "x.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        with file.open(large.name, "w", force_zip64=True) as member:
            member.write(large.read_bytes())
        file.infolist()[0].file_size = 1 << 50
    stated, claimed = (size.to_bytes(8, "little") for size in (large.stat().st_size, 1 << 50))
    archive.write_bytes(archive.read_bytes().replace(stated, claimed, 1))  # in the local header
    (tmp_path / "out").mkdir()
    assert "no space" in refused(llamapack("pack", archive, "--no-split", cwd=tmp_path / "out"))
    assert os.listdir(tmp_path / "out") == []  # noqa: PTH208
