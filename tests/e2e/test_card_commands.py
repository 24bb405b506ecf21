"""Every command in a generated card, run as a reader would: published, downloaded, started.

The Hub is a stand-in. What `bat` blocks say runs in Wine's command prompt, but for `curl`, which
Wine has not: of that the address is checked.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import pexpect
import pytest
from helpers.cards import Block, blocks
from helpers.hub_writer import TOKEN, HubWriter, Storage
from helpers.running import llamapack, run, succeed
from wine import Wine

PROMPT, CTRL_C, CTRL_D = ">>> ", "\x03", "\x04"
WHOLE, PARTS, EMBEDDING = "acme/demo", "acme/demo-in-parts", "acme/mini"
ENVIRONMENT = {
    "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_XET": "1", "HF_TOKEN": TOKEN, "NO_PROXY": "*"
}  # fmt: skip


@pytest.fixture(scope="module")
def hub(demo_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubWriter]:
    """With the demo published twice: as one file, and in parts."""
    storage = Storage("localhost")
    server = HubWriter(storage)
    with storage.running(), server.running():
        environment = {
            **ENVIRONMENT,
            "HF_ENDPOINT": server.url,
            "HF_HOME": str(tmp_path_factory.mktemp("hf")),
        }
        for words in ([WHOLE], [PARTS, "--part-size", "14MB"]):
            succeed("publish", demo_bundle, "--repo", *words, **environment)
        yield server


class OwnNetwork:
    """A network of its own, in which the ports that cards name are free."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._enter = ["nsenter", "-t", str(process.pid), "-U", "-n", "--preserve-credentials"]

    def command(self, words: Sequence[str | Path]) -> list[str]:
        """What runs a command there."""
        return [*self._enter, *map(str, words)]


@contextmanager
def own_network() -> Iterator[OwnNetwork]:
    script = "ip link set lo up && echo ready && exec cat"
    try:
        process = subprocess.Popen(
            ["unshare", "-rn", "sh", "-c", script],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
    except FileNotFoundError:
        pytest.skip("no unshare here (apt-get install util-linux): port 8080 may be somebody's")
    assert process.stdin
    assert process.stdout
    try:
        if process.stdout.readline() != "ready\n":
            pytest.skip("no network of its own here (unshare -rn): port 8080 may be somebody's")
        yield OwnNetwork(process)
    finally:
        process.stdin.close()
        process.wait(30)


def card(hub: HubWriter, repo: str, *, windows: bool = True) -> list[Block]:
    found = blocks(hub.repos[repo].files["README.md"].decode())
    languages = {"sh", "python", "text"} | ({"bat"} if windows else set())
    assert {block.language for block in found} == languages
    return found


def in_bash(block: Block, folder: Path, network: OwnNetwork | None = None) -> str:
    """Run a block in a terminal. A chat is left with Ctrl-D, a server stopped with Ctrl-C."""
    script = folder / ".block.sh"
    script.write_text(block.text)
    words = ["bash", "-e", str(script)]
    program, *arguments = network.command(words) if network else words
    environment = {**os.environ, "TERM": "dumb", "NO_PROXY": "*"}
    child = pexpect.spawn(
        program, arguments, cwd=str(folder), env=environment, encoding="utf-8", timeout=300,
        maxread=1 << 20,
    )  # fmt: skip
    said = ""
    while child.expect_exact([pexpect.EOF, PROMPT, "listening on http"]):
        said += child.before + child.after
        child.send(CTRL_D if child.after == PROMPT else CTRL_C)
    said += child.before
    child.close()
    assert child.exitstatus == 0, f"{block.text}\n{said}"
    return said


def one(found: Sequence[Block], heading: str, language: str = "sh") -> Block:
    (block,) = [b for b in found if b.heading.startswith(heading) and b.language == language]
    return block


@pytest.fixture
def downloaded(hub: HubWriter, tmp_path: Path) -> Path:
    """A folder in which the quickstart was followed."""
    assert PROMPT in in_bash(one(card(hub, WHOLE), "Linux"), tmp_path)
    return tmp_path


def test_the_whole_card(hub: HubWriter, downloaded: Path, demo_bundle: Path) -> None:
    found = card(hub, WHOLE)
    assert (downloaded / "demo.llamafile").read_bytes() == demo_bundle.read_bytes()
    done = {one(found, "Linux")}
    with own_network() as network:
        server = one([b for b in found if "--server" in b.text], "Server")
        with served(server, downloaded, network):
            for block in found:
                if "localhost:8080" in block.text:
                    assert asked(block, downloaded, network)
                    done.add(block)
        # Started once more, to see that Ctrl-C ends it well.
        in_bash(server, downloaded, network)
        done.add(server)
    expected = {
        "--chat": PROMPT,
        "--help": "SYNOPSIS",
        "--cli": "four score and seven",
        "--version": "llama.cpp",
        "sha256sum": "demo.llamafile: OK",
    }
    for words, sign in expected.items():
        (block,) = [b for b in found if b.language == "sh" and words in b.text and b not in done]
        assert sign in in_bash(block, downloaded)
        done.add(block)
    left = [block for block in found if block not in done and block.language not in ("bat", "text")]
    assert left == []


@contextmanager
def served(block: Block, folder: Path, network: OwnNetwork) -> Iterator[None]:
    """The server of a card's own command."""
    quiet = subprocess.DEVNULL
    command = network.command(["bash", "-c", f"exec sh {block.text}"])
    process = subprocess.Popen(command, cwd=folder, stdin=quiet, stdout=quiet, stderr=quiet)
    try:
        probe = network.command(["curl", "-sf", "http://localhost:8080/health"])
        deadline = time.monotonic() + 240
        while run(probe).returncode:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.5)
        yield
    finally:
        process.terminate()
        process.wait(60)


def asked(block: Block, folder: Path, network: OwnNetwork) -> str:
    """What the model says to a block of curl or Python; of embeddings, how long they are."""
    program = {"sh": ["bash", "-ec"], "python": [sys.executable, "-c"]}[block.language]
    done = run(network.command([*program, block.text]), cwd=folder, NO_PROXY="*")
    assert done.returncode == 0, done.stderr.decode()
    if block.language == "python":
        return done.stdout.decode().strip()
    answer = json.loads(done.stdout)
    if answer["object"] == "list":
        return str([len(one["embedding"]) for one in answer["data"]])
    return str(answer["choices"][0]["message"]["content"])


def test_the_card_of_a_model_that_embeds(hub: HubWriter, mini_bundle: Path, tmp_path: Path) -> None:
    succeed("publish", mini_bundle, "--repo", EMBEDDING, HF_ENDPOINT=hub.url, **ENVIRONMENT)
    found = card(hub, EMBEDDING, windows=False)
    in_bash(one(found, "Linux"), tmp_path)
    with own_network() as network:
        server = one([b for b in found if "--server" in b.text], "Server")
        with served(server, tmp_path, network):
            asking = [block for block in found if "localhost:8080" in block.text]
            assert [block.language for block in asking] == ["sh", "python"]
            for block in asking:
                assert asked(block, tmp_path, network) == "[384, 384]"


def test_the_card_of_parts(hub: HubWriter, demo_bundle: Path, tmp_path: Path) -> None:
    """Downloaded, joined and started by the quickstart; checked; joined again by hand."""
    found = card(hub, PARTS)
    assert PROMPT in in_bash(one(found, "Linux"), tmp_path)
    assert len(list(tmp_path.glob("*.cat*"))) == 3
    assert (tmp_path / "demo.llamafile").read_bytes() == demo_bundle.read_bytes()
    assert "demo.llamafile.cat2: OK" in in_bash(one(found, "Checksums"), tmp_path)
    (tmp_path / "demo.llamafile").unlink()
    in_bash(one(found, "About the parts"), tmp_path)
    assert (tmp_path / "demo.llamafile").read_bytes() == demo_bundle.read_bytes()


def test_commands_within_the_text(hub: HubWriter, downloaded: Path) -> None:
    """Those for other systems, and those for root, are only parsed."""
    text = hub.repos[WHOLE].files["README.md"].decode()
    words = ("sh", "./demo.llamafile", "llamapack", "xattr", "echo", "pip", "certutil", "shasum")
    commands = [c for c in re.findall(r"`([^`\n]+)`", text) if shlex.split(c)[0] in words]
    assert len(commands) > 5
    for command in commands:
        assert run(["bash", "-n", "-c", command]).returncode == 0, command
    doctor = next(c for c in commands if c.startswith("llamapack doctor"))
    assert llamapack(*shlex.split(doctor)[1:], cwd=downloaded).returncode in (0, 1)
    licenses = next(c for c in commands if c.endswith("--licenses"))
    assert b"MIT" in run(["bash", "-c", licenses], cwd=downloaded).stdout


@pytest.mark.parametrize("repo", [WHOLE, PARTS])
def test_the_blocks_for_windows(
    repo: str, hub: HubWriter, demo_bundle: Path, tmp_path: Path
) -> None:
    wine = Wine(tmp_path / "prefix")
    folder = tmp_path / "downloads"
    folder.mkdir()
    try:
        for block in [b for b in card(hub, repo) if b.language == "bat"]:
            for line in block.lines:
                follow_on_windows(wine, line, folder)
            assert (folder / "demo.exe").read_bytes() == demo_bundle.read_bytes()
    finally:
        wine.stop()


def follow_on_windows(wine: Wine, line: str, folder: Path) -> None:
    words = line.split()
    if words[0] == "curl":
        assert words[1:3] == ["-L", "-o"]
        with urlopen(words[4], timeout=60) as response:
            (folder / words[3]).write_bytes(response.read())
        return
    # A chat wants a terminal: its program is only asked for its version.
    command = f"{line} --version" if words[0].startswith(".\\") else line
    done = wine.run(Path("cmd"), "/c", command, cwd=folder)
    assert done.returncode == 0, (line, done.stdout, done.stderr)
    if words[0].startswith(".\\"):
        assert b"llama.cpp" in done.stdout
