"""Cards of bundles of other kinds: for Windows beside, native programs, embeddings, raw models."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from helpers.cards import blocks

from packer.metadata.card import CardFacts, Task, facts, starting_context, systems
from packer.metadata.render import render
from packer.parts.layout import hashed, layout
from runtime.hub.words import HubWord


@pytest.fixture
def of_the_bundle(bundle: Path) -> CardFacts:
    """CardFacts of the small bundle, to be changed."""
    laid = layout(bundle, 10**9)
    with laid.bundle() as opened:
        repo = HubWord("acme/tiny", revision="a b")
        return facts(laid, opened, hashed(laid.all), hub="https://hub.example", repo=repo)


def changed(of: CardFacts, **fields: object) -> str:
    return render(replace(of, **fields))  # type: ignore[arg-type]


def test_addresses(of_the_bundle: CardFacts) -> None:
    url = "https://hub.example/acme/tiny/resolve/a%20b/tiny.llamafile"
    assert of_the_bundle.files[0].url == url


def test_every_system_is_named(of_the_bundle: CardFacts) -> None:
    targets = ["linux-x86_64", "macos-aarch64", "windows-x86_64", "freebsd-x86_64"]
    targets += ["openbsd-x86_64", "netbsd-aarch64"]
    text = changed(of_the_bundle, systems=systems(targets), windows=True, windows_head=True)
    assert "runs on Linux, macOS, Windows, FreeBSD, OpenBSD and NetBSD." in text
    headings = {block.heading for block in blocks(text) if block.language in ("sh", "bat")}
    assert {"Linux, macOS, FreeBSD, OpenBSD, NetBSD", "Windows"} <= headings
    for word in ("fetch URL", "ftp URL", "com.apple.quarantine", "shasum -a 256", "certutil"):
        assert word in text
    assert "run-detectors" in text
    assert "run-detectors" not in changed(of_the_bundle)


def test_a_program_for_windows_beside_it(bundle: Path, tmp_path: Path) -> None:
    """Taken for one only if it is a bundle without weights."""
    program = tmp_path / "tiny.exe"
    shutil.copy(bundle, program)
    assert layout(bundle, 10**9).windows is None
    program.write_bytes(b"MZ")
    assert layout(bundle, 10**9).windows is None


def test_windows_by_a_program_of_its_own(of_the_bundle: CardFacts) -> None:
    beside = replace(of_the_bundle.files[0], name="tiny.exe", url="https://hub.example/e")
    both = systems(["linux-x86_64", "windows-x86_64"])
    text = changed(of_the_bundle, windows=True, windows_file=beside, systems=both)
    (block,) = [b for b in blocks(text) if b.language == "bat"]
    assert block.lines[0] == "curl -L -o tiny.exe https://hub.example/e"
    assert block.lines[1].startswith("curl -L -o tiny.llamafile ")
    assert block.lines[2] == ".\\tiny.exe"
    assert "4 GiB" in text
    assert "| `tiny.exe` |" in text


def test_windows_by_cmd_exe(of_the_bundle: CardFacts) -> None:
    both = systems(["linux-x86_64", "windows-x86_64"])
    text = changed(of_the_bundle, windows=True, windows_ending=".cmd", systems=both)
    assert ".\\tiny.cmd" in text
    assert "ends in `.cmd`" in text


def test_a_native_program(of_the_bundle: CardFacts) -> None:
    text = changed(of_the_bundle, program="linux-x86_64-static")
    assert "native program for Linux" in text
    assert "Exec format error" not in text
    assert "LLAMAPACK_CACHE" not in text


def test_windows_alone(of_the_bundle: CardFacts) -> None:
    """Its shell has neither `./` nor single quotes."""
    only = systems(["windows-x86_64"])
    text = changed(
        of_the_bundle, program="windows-x86_64", file="m.exe", systems=only, windows=True
    )
    found = blocks(text)
    assert {block.language for block in found} == {"bat", "python", "text"}
    for block in found:
        if block.language == "bat":
            assert block.lines[-1].startswith((".\\m.exe", "copy "))
            assert "'" not in block.text


def test_a_model_s_name_that_shells_would_misread(of_the_bundle: CardFacts) -> None:
    text = changed(of_the_bundle, model_id='it\'s "1.5"')
    (block,) = [b for b in blocks(text) if b.language == "sh" and "curl http" in b.text]
    command = block.text.replace("curl", "printf '%s\\n'", 1)
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
    body = done.stdout[done.stdout.index("{") :]
    assert json.loads(body)["model"] == 'it\'s "1.5"'
    (python,) = [b for b in blocks(text) if b.language == "python"]
    assert 'model="it' in python.text
    compile(python.text, "card", "exec")


@pytest.mark.parametrize(
    ("fields", "words", "absent"),
    [
        (
            {"task": Task("feature-extraction", False), "missing_args": ["--embeddings"]},
            ["--server --nobrowser --host 0.0.0.0 --embeddings\n", "/v1/embeddings"],
            ["--chat ", "/v1/chat", "--cli", "opens a chat"],
        ),
        ({"task": Task("text-ranking", False)}, ["0.0.0.0\n", "/v1/rerank"], ["/v1/chat"]),
        ({}, ["/v1/completions", "starts an HTTP server"], ["/v1/chat", "opens a chat"]),
    ],
    ids=["embeddings", "ranking", "without a template"],
)
def test_a_model_that_does_not_chat(
    of_the_bundle: CardFacts, fields: dict[str, object], words: list[str], absent: list[str]
) -> None:
    text = changed(of_the_bundle, conversational=False, **fields)
    assert [word for word in words if word not in text] == []
    assert [word for word in absent if word in text] == []


@pytest.mark.parametrize(
    ("words", "trained", "tokens"),
    [([], 2048, 2048), (["-c", "512"], 2048, 512), (["-c", "0"], 2048, 2048), ([], 131072, 8192)],
)
def test_context(words: list[str], trained: int, tokens: int) -> None:
    assert starting_context(words, trained) == tokens
