"""Files that a stranger put where a download keeps what it has so far."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from fetcher import DATA
from helpers.web_server import Page, WebServer
from hypothesis import given
from hypothesis import strategies as st

from runtime.errors import InputError
from runtime.hub.answers import Bearer, Patience, Report, Unserved
from runtime.hub.transfer import Job, fetch
from runtime.hub.web import Web
from runtime.hub.words import WebWord, parsed


@pytest.mark.parametrize("kind", ["file", "symlink", "hard link", "pipe"])
@pytest.mark.parametrize("done", [len(DATA), 1000, 0])
def test_bytes_of_a_stranger(kind: str, done: int, web: WebServer, tmp_path: Path) -> None:
    """With the right ETag, they would become the file, or the file go to where they are."""
    web.pages["/m.gguf"] = Page(DATA)
    folder, precious = tmp_path / "here", tmp_path / "precious"
    folder.mkdir()
    evil = (b"evil" * (len(DATA) // 4 + 1))[: len(DATA)]
    precious.write_bytes(evil)
    partial = folder / ".m.gguf.llamapack.incomplete"
    if kind == "file":
        partial.write_bytes(evil)
    elif kind == "symlink":
        partial.symlink_to(precious)
    elif kind == "hard link":
        partial.hardlink_to(precious)
    else:
        os.mkfifo(partial)
    state = partial.with_name(f"{partial.name}.json")
    facts = {"done": done, "inode": 7, "size": len(DATA), "validator": '"v1"'}
    state.write_text(json.dumps(facts))
    state.with_name(f"{state.name}.new").symlink_to(precious)
    word = parsed(f"{web.url}/m.gguf", "https://hub.example")
    assert isinstance(word, WebWord)
    Web(tmp_path / "downloads").bring(word, folder / "m.gguf")
    assert (folder / "m.gguf").read_bytes() == DATA
    assert precious.read_bytes() == evil


def test_a_state_that_is_a_link(web: WebServer, tmp_path: Path) -> None:
    web.pages["/m.gguf"] = Page(DATA)
    partial, facts = tmp_path / "p", tmp_path / "facts"
    partial.write_bytes(bytes(len(DATA)))
    inode = partial.stat().st_ino
    state = {"done": 1000, "inode": inode, "size": len(DATA), "validator": '"v1"'}
    facts.write_text(json.dumps(state))
    (tmp_path / "p.json").symlink_to(facts)
    assert _fetched(f"{web.url}/m.gguf", partial) == DATA


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
    """Whatever it says, a server that cannot be reached is all that goes wrong."""
    partial = tmp_path_factory.mktemp("any") / "p"
    partial.write_bytes(bytes(1000))
    facts = {"done": 10, "size": 1000, "validator": "v", "inode": partial.stat().st_ino}
    text = json.dumps({**facts, **changed}).encode() if raw is None else raw
    partial.with_name("p.json").write_bytes(text)
    with pytest.raises(Unserved):
        _fetched("http://127.0.0.1:9/m.gguf", partial)


def _fetched(url: str, partial: Path) -> bytes:
    target = partial.with_name("target")
    job = Job(url, "m", "m", target, partial, partial.with_name("lock"), Bearer())
    fetch(job, Report(), Patience(tries=1))
    return target.read_bytes()


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
