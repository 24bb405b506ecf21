"""Flags: ours, upstream's, and those that old scripts still pass."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from helpers.odd_archives import two_directories
from helpers.repository import DEMO
from helpers.running import CLI, QUESTION, answer, pack, run

from packer.engines import native, pins


@pytest.fixture(scope="module")
def expected(demo_bundle: Path) -> bytes:
    return answer(demo_bundle)


def test_a_prompt_alone_means_cli(demo_bundle: Path, expected: bytes) -> None:
    """As the second generation of cards starts files: `--special -p …`."""
    done = run(["sh", demo_bundle, "--special", *CLI[1:]])
    assert (done.stdout, done.returncode) == (expected, 0)


def test_a_prompt_from_a_file(demo_bundle: Path, expected: bytes, tmp_path: Path) -> None:
    prompt = tmp_path / "prompt.txt"
    prompt.write_text(QUESTION)
    done = run(["sh", demo_bundle, "-f", prompt, *CLI[3:]])
    assert (done.stdout, done.returncode) == (expected, 0)


@pytest.mark.parametrize(
    "flag",
    [
        ["--nobrowser"],
        ["--fast"],
        ["--unsecure"],
        ["--v2"],
        ["--nocompile"],
        ["--gpu", "disable"],
        ["--gpu", "auto"],
        ["-ngl", "999"],
        ["--host", "0.0.0.0"],
        ["--port", "1"],
    ],
)
def test_flags_that_change_nothing_here(
    demo_bundle: Path, expected: bytes, flag: list[str]
) -> None:
    assert answer(demo_bundle, *flag) == expected


def test_log_disable_leaves_the_answer(demo_bundle: Path, expected: bytes) -> None:
    loud, quiet = run(["sh", demo_bundle, *CLI]), run(["sh", demo_bundle, *CLI, "--log-disable"])
    assert quiet.stdout == expected
    assert len(loud.stderr) > 500
    assert quiet.stderr.strip() == b""


def test_args_of_the_bundle_and_the_users(engines: object, tmp_path: Path) -> None:
    bundle = pack(DEMO, "--args", "--cli -n 4 --temp 0", output=tmp_path / "cli.llamafile")
    four = run(["sh", bundle, "-p", QUESTION]).stdout
    more = run(["sh", bundle, "-p", QUESTION, "-n", "16"]).stdout
    assert QUESTION.encode() in four
    assert len(more) > len(four)
    done = run(["sh", bundle, "-p", QUESTION, "-n", "4"])
    assert b"DEPRECATED" not in done.stderr


def test_args_place_the_users_words(engines: object, tmp_path: Path) -> None:
    args = "--cli -n 4 ... --temp 0 # the user cannot change the temperature"
    bundle = pack(DEMO, "--args", args, output=tmp_path / "fixed.llamafile")
    hot = [run(["sh", bundle, "-p", QUESTION, "--temp", "9"]).stdout for _ in range(2)]
    assert hot[0] == hot[1]


def test_defaults_that_the_engine_does_not_know_are_refused(
    engines: object, tmp_path: Path
) -> None:
    """Before anything is written, and by the engine's own table."""
    bundle = tmp_path / "m.llamafile"
    llamapack = [sys.executable, "-m", "packer"]
    wrong = ["-c 512 --no-such-flag", "--temp 0 hello", "--no-such-flag ..."]
    for words in wrong:
        done = run([*llamapack, "pack", DEMO, "-o", bundle, "--args", words])
        assert (done.returncode, bundle.exists()) == (1, False)
        assert b"which the engine does not know" in done.stderr
    model = ["--model", f"one={DEMO}", "--model-args", "one=--no-such-flag 1"]
    assert b"'--no-such-flag'" in run([*llamapack, "pack", *model, "-o", bundle]).stderr
    for words in ("--ctx_size 512 --fast ${MORE}", "--cli -n 4 -p ...", "--cli -p"):
        pack(DEMO, "--force", "--args", words, output=bundle)
    before = bundle.read_bytes()
    for words in wrong:
        done = run([*llamapack, "edit", bundle, "--args", words])
        assert b"which the engine does not know" in done.stderr
    assert bundle.read_bytes() == before
    done = run([*llamapack, "edit", bundle, "--args", "-c 512"])
    assert done.returncode == 0, done.stderr


def test_help_reads_like_a_manual(demo_bundle: Path) -> None:
    done = run(["sh", demo_bundle, "--help"])
    text = done.stdout.decode()
    assert done.returncode == 0
    assert text.startswith("NAME\n    ./demo.llamafile")
    ours, upstreams = text.index("--nobrowser"), text.index("--ctx-size")
    assert ours < upstreams


def test_version_names_both(demo_bundle: Path) -> None:
    lines = run(["sh", demo_bundle, "--version"]).stdout.decode().splitlines()
    assert lines[0].startswith("llamapack ")
    release = pins.load(native.directory()).release
    assert lines[1] == f"llama.cpp {release.removeprefix('v')}"


def test_licenses_are_inside(demo_bundle: Path) -> None:
    assert b"MIT License" in run(["sh", demo_bundle, "--licenses"]).stdout


@pytest.mark.parametrize(
    ("words", "cause", "way_out"),
    [
        (["--no-such-flag"], "--no-such-flag", "--help"),
        (["-c"], "-c", "--help"),
        (["-m", "nowhere.gguf"], "nowhere.gguf: no such file", "-m"),
        (["-m", "/zip/nowhere.gguf"], "/zip/nowhere.gguf", "llamapack inspect"),
        (["-m", __file__], "is not a GGUF", "-m"),
        (["-hf", "org/repo"], "TLS", "wget"),
        (["--ssl-key-file", "k"], "TLS", "proxy"),
        (["--gpu", "nvidia"], "no GPU module", "--gpu disable"),
    ],
)
def test_mistakes(demo_bundle: Path, words: list[str], cause: str, way_out: str) -> None:
    done = run(["sh", demo_bundle, *CLI, *words])
    lines = done.stderr.decode().splitlines()
    assert done.returncode == 1
    assert len(lines) == 2, lines
    assert lines[0].startswith("ERROR ")
    assert cause in lines[0]
    assert lines[1].startswith("TIP ")
    assert way_out in lines[1]


def test_a_file_that_can_be_read_in_two_ways_is_refused(demo_bundle: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.llamafile"
    for disk in (0, 1):
        path.write_bytes(two_directories(disk=disk, inside=True))
        lines = run(["sh", demo_bundle, *CLI, "-m", path]).stderr.decode().splitlines()
        assert lines[0].startswith(f"ERROR {path}: is not a GGUF, nor a bundle: its ZIP ")
        assert lines[1].startswith("TIP ")
