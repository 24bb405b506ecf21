"""Files that a stranger put where a download keeps what it has so far."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from fetcher import DATA
from hub_commands import Run
from hub_server import COMMIT
from hypothesis import given
from hypothesis import strategies as st
from stand_ins import CommandLine, Refused
from web_server import Page, WebServer

from runtime.download.partial import Partial
from runtime.download.words import parsed
from runtime.errors import InputError

ALL = {"done": [[0, len(DATA)]], "size": len(DATA), "validator": '"v1"'}


@pytest.mark.parametrize("kind", ["file", "symlink", "hard link", "pipe"])
def test_bytes_of_a_stranger(
    kind: str, web: WebServer, tmp_path: Path, llamapack: CommandLine
) -> None:
    """With the right ETag, they would become the file, or the file go to where they are."""
    web.pages["/m.gguf"] = Page(DATA)
    folder, precious = tmp_path / "here", tmp_path / "precious"
    folder.mkdir()
    evil = b"evil" * (len(DATA) // 4 + 1)
    precious.write_bytes(evil[: len(DATA)])
    partial = folder / ".m.gguf.llamapack.incomplete"
    if kind == "file":
        partial.write_bytes(precious.read_bytes())
    elif kind == "symlink":
        partial.symlink_to(precious)
    elif kind == "hard link":
        partial.hardlink_to(precious)
    else:
        os.mkfifo(partial)
    for done in ([[0, len(DATA)]], [[0, 1000]], []):
        state = partial.with_name(f"{partial.name}.json")
        state.write_text(json.dumps({**ALL, "done": done, "inode": 7}))
        state.with_name(f"{state.name}.new").symlink_to(precious)
        said = llamapack("fetch", f"{web.url}/m.gguf", "-o", f"{folder}/", "--force")
        assert said.returncode == 0, said.stderr
        assert (folder / "m.gguf").read_bytes() == DATA
        assert precious.read_bytes() == evil[: len(DATA)]
        (folder / f"{state.name}.new").unlink(missing_ok=True)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=8,
)


@given(
    changed=st.dictionaries(st.sampled_from(["done", "size", "validator", "inode"]), JSON),
    raw=st.none() | st.binary(max_size=30) | JSON.map(lambda one: json.dumps(one).encode()),
)
def test_any_state(
    changed: dict[str, Any], raw: bytes | None, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whatever it says, what it leaves to be fetched is inside the file."""
    path = tmp_path_factory.getbasetemp() / "any.incomplete"
    path.write_bytes(bytes(1000))
    facts = {"done": [[0, 10]], "size": 1000, "validator": "v", "inode": path.stat().st_ino}
    text = json.dumps({**facts, **changed}).encode() if raw is None else raw
    path.with_name(f"{path.name}.json").write_bytes(text)
    partial = Partial(path)
    assert 0 <= partial.done <= 1000
    if partial.size is not None:
        assert all(0 <= a < b <= partial.size for a, b in partial.missing(partial.size))


@pytest.mark.parametrize(
    "text",
    [
        b"[" * 200_000, b'{"sha": 1e999}', b"NaN",
        json.dumps({"sha": COMMIT, "siblings": [{"rfilename": {}}]}).encode(),
        json.dumps({"sha": COMMIT, "siblings": [{"rfilename": "a", "lfs": "x"}]}).encode(),
        json.dumps({"sha": COMMIT, "siblings": [5]}).encode(),
        b" " * (65 << 20),
    ],
    ids=lambda text: repr(text[:40]),
)  # fmt: skip
def test_a_listing_of_a_stranger(text: bytes, run: Run, refused: Refused, web: WebServer) -> None:
    web.pages["/api/models/org/see-GGUF/revision/main"] = Page(text)
    assert "does not answer" in refused(run("fetch", "hf:org/see-GGUF", HF_ENDPOINT=web.url))


PIECES = (
    "[::1]", ":", "]", "[", "@", "/", "a.gguf", "1", "%", "%5B", "#", "?", "…", "℀", "\\", "v1.",
    "#sha256=", "huggingface.co", "/a/b/resolve/main/", "\n",
)  # fmt: skip


@given(
    st.sampled_from(["http://", "https://", "https://huggingface.co/", "hf:"]),
    st.lists(st.sampled_from(PIECES), max_size=8).map("".join),
)
def test_any_address(scheme: str, rest: str) -> None:
    with suppress(InputError):
        parsed(scheme + rest, "https://huggingface.co")


def test_an_address_with_brackets(llamapack: CommandLine, refused: Refused) -> None:
    for word in ("http://[::1]:…]", "http://u@[::1]:x]/a.gguf", "http://[::1]@[/a.gguf"):
        assert "is no address" in refused(llamapack("fetch", word))
