"""`llamapack inspect` from outside."""

from __future__ import annotations

import json
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.stand_ins import CommandLine, Refused, write_gguf

from packer.engines import native, pins
from packer.inspection.summary import inspect
from packer.io.digest import Digest
from packer.io.output import output_file
from packer.zip.writer import ZipWriter
from runtime.formats.zip_directory import STORED

RELEASE = f"llama.cpp {pins.load(native.directory()).release}"


def inspected(llamapack: CommandLine, path: Path) -> dict[str, object]:
    done = llamapack.ran("inspect", path, "--json")
    assert done.stderr == ""
    facts = json.loads(done.stdout)
    assert isinstance(facts, dict)
    return facts


def test_bundle(bundle: Path, gguf: Path, llamapack: CommandLine) -> None:
    facts = inspected(llamapack, bundle)
    assert facts["kind"] == "bundle"
    assert (facts["format"], facts["name"], facts["tool"]) == (1, "tiny", "llamapack 0.1.0")
    assert facts["size"] == bundle.stat().st_size
    assert facts["args"] == {"text": "-m\ntiny.gguf\n", "words": ["-m", "tiny.gguf"]}
    assert facts["models"] == [
        {
            "architecture": "llama",
            "chat_template": "gguf",
            "context_length": 2048,
            "file": "tiny.gguf",
            "gguf_version": 3,
            "kind": "model",
            "license": "apache-2.0",
            "name": "Tiny",
            "parameters": 1024,
            "purpose": "chat",
            "quantization": "Q8_0",
            "shards": 1,
            "size": gguf.stat().st_size,
            "tensors": 2,
        }
    ]
    with zipfile.ZipFile(bundle) as archive:
        assert [(m["name"], m["size"], m["compressed_size"]) for m in facts["members"]] == [
            (i.filename, i.file_size, i.compress_size) for i in archive.infolist()
        ]


def test_text_names_what_a_person_asks_for(bundle: Path, llamapack: CommandLine) -> None:
    text = llamapack("inspect", bundle).stdout
    for fact in (
        "llama", "1,024", "Q8_0", "2,048 tokens", "apache-2.0", "its own", "-m tiny.gguf",
        "linux-x86_64", RELEASE, "tiny.gguf", "engines/linux-x86_64/llamapack-engine",
    ):  # fmt: skip
        assert fact in text


def test_bare_gguf(gguf: Path, llamapack: CommandLine) -> None:
    facts = inspected(llamapack, gguf)
    assert facts["kind"] == "gguf"
    assert "Q8_0" in llamapack("inspect", gguf).stdout


def test_llamafile_of_another_tool(tmp_path: Path, gguf: Path, llamapack: CommandLine) -> None:
    path = tmp_path / "other.llamafile"
    path.write_bytes(b"MZqFpD='\n" + bytes(5000))
    with zipfile.ZipFile(path, "a") as archive:
        archive.write(gguf, "tiny.gguf")
        archive.writestr(".args", "-m\ntiny.gguf\n...\n")
        archive.writestr("usr/share/zoneinfo/UTC", b"x", zipfile.ZIP_DEFLATED)
        archive.write(gguf, "packed.gguf", zipfile.ZIP_DEFLATED)
    facts = inspected(llamapack, path)
    assert (facts["kind"], facts["format"]) == ("zip", None)
    assert facts["args"] == {"text": "-m\ntiny.gguf\n...\n", "words": ["-m", "tiny.gguf", "..."]}
    assert [m.get("name") for m in facts["models"]] == ["Tiny", None]
    assert "compressed" in facts["models"][1]["problem"]
    assert "not made by llamapack" in llamapack("inspect", path).stdout


def test_names_cannot_steer_the_terminal(tmp_path: Path, llamapack: CommandLine) -> None:
    path = tmp_path / "evil.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("\x1b[2Jgone", b"")
    assert "\x1b" not in llamapack("inspect", path).stdout
    model = write_gguf(tmp_path / "evil.gguf", name="\x1b]0;evil\x07")
    text = llamapack("inspect", model).stdout
    assert "evil" in text
    assert "\x1b" not in text


LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n"


@pytest.mark.parametrize("verb", ["inspect", "ls", "verify", "extract"])
@pytest.mark.parametrize(
    ("content", "cause", "way_out"),
    [
        (b"", "", ""),
        (b"text", "", ""),
        (b"GGUF", "", ""),
        (bytes(70000), "", ""),
        (LFS, "is a Git LFS pointer", "git lfs pull"),
        (-30, "not a bundle", ""),
        ("folder", "is a directory", ""),
        (None, "does not exist", ""),
    ],
)
def test_what_is_not_a_bundle(
    *, verb: str, content: bytes | int | str | None, cause: str, way_out: str, bundle: Path,
    tmp_path: Path, llamapack: CommandLine, refused: Refused,
) -> None:  # fmt: skip
    path = tmp_path / "m.llamafile"
    match content:
        case int():  # of the end of a bundle
            path.write_bytes(bundle.read_bytes()[:content])
        case bytes():
            path.write_bytes(content)
        case str():
            path.mkdir()
    done = llamapack(verb, path)
    assert cause in refused(done)
    assert way_out in done.stderr
    if verb == "inspect":
        refused(llamapack(verb, path, "--json"))


def test_ten_gigabytes_are_inspected_at_once(tmp_path: Path, gguf: Path) -> None:
    """Written as a hole, without the hashing that `pack` does: only the reading counts here."""
    path, size = tmp_path / "large.llamafile", 10_000_000_000
    header = gguf.read_bytes()
    with output_file(path) as destination:

        def contents() -> Iterator[bytes]:
            yield header
            destination.skip(size - len(header))

        writer = ZipWriter(destination, 0)
        digest = Digest(size, 0, "0" * 64)
        writer.add_packed("large.gguf", contents(), size, method=STORED, content=digest)
        writer.close()
    times = []
    for _ in range(5):
        start = time.perf_counter()
        facts = inspect(path)
        times.append(time.perf_counter() - start)
    assert facts["models"][0]["size"] == size
    assert facts["models"][0]["name"] == "Tiny"
    assert min(times) < 0.05
