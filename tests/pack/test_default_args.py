"""Adapters with scales, and draft models: what `.args` says of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.stand_ins import CommandLine, Refused, write_gguf

from packer.weights.selection import lora_option
from runtime.formats.args_file import parse
from runtime.formats.bundle import Bundle


@pytest.mark.parametrize(
    ("word", "file", "scale"),
    [
        ("a.gguf", "a.gguf", None),
        ("a.gguf:0.5", "a.gguf", "0.5"),
        ("a.gguf=-1.5e-3", "a.gguf", "-1.5e-3"),
        ("a:b.gguf=2", "a:b.gguf", "2"),
        ("a.gguf:", "a.gguf:", None),
        ("a.gguf:nan", "a.gguf:nan", None),
        ("hf:org/repo:Q8_0", "hf:org/repo:Q8_0", None),
        ("hf:org/repo/a.gguf@main:.5", "hf:org/repo/a.gguf@main", ".5"),
        ("weights.zip:a.gguf:1.", "weights.zip:a.gguf", "1."),
    ],
)
def test_words(word: str, file: str, scale: str | None) -> None:
    assert lora_option(word) == (file, scale)


def test_no_scale(gguf: Path, llamapack: CommandLine, refused: Refused) -> None:
    for end in (":much", ":", "=1,5"):
        done = llamapack("pack", gguf, "--lora", f"{gguf}{end}")
        assert f"{end[1:]!r} is not a scale of the adapter {gguf}" in refused(done)


def words(path: Path) -> list[str]:
    with Bundle.open(path) as bundle:
        return parse(bundle.args, {})


def test_loras(gguf: Path, tmp_path: Path, llamapack: CommandLine) -> None:
    files = [write_gguf(tmp_path / f"{name}.gguf", kind="adapter") for name in ("one", "two")]
    odd = write_gguf(tmp_path / "odd.gguf=1", kind="adapter")
    output = tmp_path / "x.llamafile"
    done = llamapack(
        "pack", gguf, "--lora", f"{files[0]}:0.25", "--lora", files[1], "--lora", odd, "-o", output
    )
    assert done.returncode == 0, done.stderr
    assert words(output) == [
        "-m", "tiny.gguf", "--lora-scaled", "one.gguf:0.25", "--lora", "two.gguf",
        "--lora", "odd.gguf=1.gguf",
    ]  # fmt: skip


def test_names_that_upstream_would_divide(
    gguf: Path, tmp_path: Path, llamapack: CommandLine, refused: Refused
) -> None:
    comma = write_gguf(tmp_path / "a,b.gguf", kind="adapter")
    assert "cannot be the name of an adapter" in refused(llamapack("pack", gguf, "--lora", comma))
    colon = write_gguf(tmp_path / "a:b.gguf", kind="adapter")
    scaled = llamapack("pack", gguf, "--lora", f"{colon}=2", cwd=tmp_path)
    assert "cannot be the name of an adapter" in refused(scaled)


def test_draft(gguf: Path, tmp_path: Path, llamapack: CommandLine) -> None:
    draft = write_gguf(tmp_path / "small.gguf", seed=3)
    output = tmp_path / "x.llamafile"
    done = llamapack("pack", gguf, "--draft", draft, "-o", output)
    assert done.returncode == 0, done.stderr
    assert words(output) == ["-m", "tiny.gguf", "-md", "small.gguf", "--spec-type", "draft-simple"]
    with Bundle.open(output) as bundle:
        assert [member.name for member in bundle.weights] == ["tiny.gguf", "small.gguf"]
        assert bundle.manifest is not None
        assert [model["file"] for model in bundle.manifest["models"]] == ["tiny.gguf"]


def test_a_draft_that_says_its_kind(gguf: Path, tmp_path: Path, llamapack: CommandLine) -> None:
    draft = write_gguf(tmp_path / "mtp.gguf", tensors=["blk.1.nextn.eh_proj.weight"])
    output = tmp_path / "x.llamafile"
    assert llamapack("pack", gguf, "--draft", draft, "-o", output).returncode == 0
    assert words(output) == ["-m", "tiny.gguf", "-md", "mtp.gguf"]


def test_arguments_that_are_no_text(
    gguf: Path, tmp_path: Path, llamapack: CommandLine, refused: Refused
) -> None:
    (tmp_path / "words").write_bytes(b"-c 1\0")
    for own in (("--args", "a\udcff"), ("--args-file", tmp_path / "words")):
        assert "is not UTF-8 text" in refused(llamapack("pack", gguf, *own))
