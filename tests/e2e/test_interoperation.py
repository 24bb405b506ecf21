"""Other tools change a bundle: it still starts, and `verify` says exactly what was changed. And a
llamafile of another tool answers with our runtime."""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
import time
import zlib
from pathlib import Path

import pytest
from helpers.foreign import write_foreign
from helpers.repository import DEMO
from helpers.running import CLI, answer, llamapack, run, serving, succeed

from runtime.formats.bundle import Bundle
from runtime.formats.zip_directory import CENTRAL, END, END64, LOCAL, LOCATOR64, MAX32


@pytest.fixture
def path(demo_bundle: Path, tmp_path: Path) -> Path:
    return shutil.copy(demo_bundle, tmp_path / "changed.llamafile")


def problems(path: Path) -> list[tuple[str, str]]:
    done = llamapack("verify", path, "--json")
    report = json.loads(done.stdout)
    assert (done.returncode, report["ok"]) == (int(bool(report["problems"])), done.returncode == 0)
    return [(problem["kind"], problem["member"]) for problem in report["problems"]]


def info_zip(*words: str | Path, cwd: Path) -> None:
    subprocess.run(["zip", "-q", *words], cwd=cwd, check=True)


def zipalign(path: Path, name: str, data: bytes, *, alignment: int = 65536) -> None:
    """Append a stored member behind all that is there, then a new directory.

    As zipalign's source says: the gap is in front of the local header, sizes and offsets are ZIP64
    always, and so is the end record. The old directory's records stay as they are, since offsets
    count from the file's first byte, less one of this name; its bytes are left behind.
    """
    with Bundle.open(path) as bundle:
        entries = [member.entry for member in bundle.members.values() if member.name != name]
    crc, size, utf8, long = zlib.crc32(data), len(data), 1 << 11, len(name)
    common = (utf8, 0, 0xB1AB, 0x576E, crc, MAX32, MAX32, long)
    with path.open("r+b") as file:
        header = file.seek(0, os.SEEK_END)
        header += -(header + LOCAL.size + long + 20) % alignment
        file.seek(header)
        file.write(LOCAL.pack(b"PK\3\4", 20, *common, 20) + name.encode())
        file.write(struct.pack("<2H2Q", 1, 16, size, size))
        assert file.tell() % alignment == 0
        file.write(data)
        start = file.tell()
        new = CENTRAL.pack(b"PK\1\2", 0x314, 20, *common, 28, 0, 0, 0, 0o100644 << 16, MAX32)
        entries.append(new + name.encode() + struct.pack("<2H3Q", 1, 24, size, size, header))
        file.write(b"".join(entries))
        end, count = file.tell(), len(entries)
        length = end - start
        file.write(
            END64.pack(b"PK\6\6", END64.size - 12, 0x314, 20, 0, 0, count, count, length, start)
        )
        file.write(LOCATOR64.pack(b"PK\6\7", 0, end, 1))
        file.write(END.pack(b"PK\5\6", 0, 0, count, count, length, MAX32, 0))


def test_zip_u_adds(path: Path, expected: bytes) -> None:
    (path.parent / "extra.txt").write_text("hello")
    info_zip("-u", path, "extra.txt", cwd=path.parent)
    assert problems(path) == [("unlisted", "extra.txt")]
    assert answer(path) == expected


def test_zip_u_replaces(path: Path, expected: bytes) -> None:
    args = path.parent / ".args"
    args.write_text("-m demo.gguf --temp 0")
    os.utime(args, (time.time(), time.time()))
    info_zip("-u", "-0", path, ".args", cwd=path.parent)
    assert problems(path) == [("damaged", ".args")]
    assert answer(path) == expected


def test_zip_d_behind_the_weights(path: Path, expected: bytes) -> None:
    info_zip("-d", path, ".args", cwd=path.parent)
    assert problems(path) == [("missing", ".args")]
    assert answer(path, "-m", "/zip/demo.gguf") == expected


def test_zip_d_in_front_of_the_weights(path: Path, expected: bytes) -> None:
    """They move then, to where engines refuse to read them; `upgrade` aligns them again."""
    folder = "engines/windows-x86_64/"
    with Bundle.open(path) as bundle:
        gone = [name for name in bundle.members if name.startswith(folder)]
    info_zip("-d", path, *gone, cwd=path.parent)
    changed = [("missing", name) for name in gone]
    with Bundle.open(path) as bundle:
        if bundle.data_offset(bundle.members["demo.gguf"]) % 32:
            changed.append(("misaligned", "demo.gguf"))
            refused = run(["sh", path, *CLI])
            assert refused.returncode == 1
            assert b"was moved by some tool" in refused.stderr
            assert b"`llamapack upgrade`" in refused.stderr
    assert sorted(problems(path)) == sorted(changed)
    succeed("upgrade", path, "--targets", "linux-x86_64", "--gpu", "none")
    assert problems(path) == []
    assert answer(path) == expected


def test_zipalign_adds_weights(path: Path, expected: bytes) -> None:
    with Bundle.open(path) as bundle:
        data = b"".join(bundle.stream(bundle.members["demo.gguf"]))
        old = bundle.data_offset(bundle.members["demo.gguf"])
    zipalign(path, "other.gguf", data)
    with Bundle.open(path) as bundle:
        places = [bundle.data_offset(member) for member in bundle.weights]
        assert places[0] == old
        assert places[1] % 65536 == 0
    assert problems(path) == [("unlisted", "other.gguf")]
    assert answer(path) == expected
    assert answer(path, "-m", "other.gguf") == expected


def test_zipalign_replaces(path: Path, expected: bytes) -> None:
    """The later member of a name counts, for the engine, too."""
    zipalign(path, ".args", b"-m demo.gguf --temp 0\n")
    assert problems(path) == [("damaged", ".args")]
    assert answer(path) == expected


def test_run_starts_weights_in_a_program_of_others(
    engines: object, expected: bytes, tmp_path: Path
) -> None:
    """With an engine of ours, since theirs is a stand-in here."""
    theirs = write_foreign(tmp_path / "their.llamafile", {})
    path = tmp_path / "packed.llamafile"
    succeed("pack", DEMO, "--runtime", theirs, "-q", "-o", path)
    assert succeed("run", path, *CLI).encode() == expected


@pytest.mark.parametrize("alignment", [65536, 32])
def test_a_foreign_llamafile_answers(
    alignment: int, engines: object, expected: bytes, tmp_path: Path
) -> None:
    members = {"demo.gguf": DEMO.read_bytes(), ".args": b"-m\ndemo.gguf\n--temp\n0\n...\n"}
    path = write_foreign(tmp_path / "their.llamafile", members, alignment=alignment)
    for target in ("linux-x86_64", "linux-x86_64-static"):
        succeed("upgrade", path, "--targets", target)
        assert answer(path) == expected


def test_a_running_bundle_is_not_changed_in_place(path: Path, expected: bytes) -> None:
    words = ["edit", path, "--args", "-c 256"]
    with serving(path):
        done = llamapack(*words)
        assert done.returncode == 1
        assert "is in use by llamapack-engin" in done.stderr
    succeed(*words)
    assert answer(path) == expected
