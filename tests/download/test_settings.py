"""Which variables count, as `huggingface_hub` documents them; and how sources are written."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.errors import InputError
from runtime.hub.settings import settings
from runtime.hub.words import Checksum, HubWord, WebWord, parsed, shown

ENDPOINT = "https://huggingface.co"


@pytest.mark.parametrize(
    ("environment", "cache"),
    [
        ({}, "~/.cache/huggingface/hub"),
        ({"XDG_CACHE_HOME": "/x"}, "/x/huggingface/hub"),
        ({"XDG_CACHE_HOME": "/x", "HF_HOME": "~/h"}, "~/h/hub"),
        ({"HF_HOME": "/h", "HUGGINGFACE_HUB_CACHE": "/old"}, "/old"),
        ({"HF_HOME": "/h", "HUGGINGFACE_HUB_CACHE": "/old", "HF_HUB_CACHE": "/c"}, "/c"),
    ],
)
def test_cache(environment: dict[str, str], cache: str) -> None:
    assert settings(environment).cache == Path(cache).expanduser()


def test_endpoint_and_offline() -> None:
    assert settings({}).endpoint == ENDPOINT
    assert settings({"HF_ENDPOINT": "https://mirror.example/hf/"}).endpoint == (
        "https://mirror.example/hf"
    )
    assert not settings({"HF_HUB_OFFLINE": "0"}).offline
    assert settings({"HF_HUB_OFFLINE": "True"}).offline
    assert settings({}, offline=True).offline


def test_token(tmp_path: Path) -> None:
    home = {"HF_HOME": str(tmp_path)}
    assert settings(home).token is None
    for encoding in ("utf-8-sig", "utf-16"):
        (tmp_path / "token").write_text("from-file\r\n", encoding)
        assert settings(home).token == "from-file"
    assert settings({**home, "HF_TOKEN": " one\n"}).token == "one"
    assert settings({**home, "HF_TOKEN": ""}).token == "from-file"
    assert "one" not in repr(settings({"HF_TOKEN": "one"}))


@pytest.mark.parametrize(
    ("word", "found"),
    [
        ("hf:a/b", HubWord("a/b")),
        ("hf://a/b", HubWord("a/b")),
        ("hf:a/b.c-d:Q4_K_M@v1", HubWord("a/b.c-d", None, "Q4_K_M", "v1")),
        ("hf:a/b/c/d e.gguf@refs/pr/1", HubWord("a/b", "c/d e.gguf", None, "refs/pr/1")),
        (f"{ENDPOINT}/a/b", HubWord("a/b")),
        (f"{ENDPOINT}/a/b/blob/main/c/d%20e.gguf", HubWord("a/b", "c/d e.gguf")),
        ("https://h.example/b%20c.gguf?x", WebWord("https://h.example/b%20c.gguf?x", "b c.gguf")),
        (
            "http://me:p%40s@h.example/m.gguf#sha256=" + "AB" * 32,
            WebWord(
                "http://h.example/m.gguf", "m.gguf", ("me", "p@s"), Checksum("SHA-256", "ab" * 32)
            ),
        ),
        ("model.gguf", None),
        ("hf", None),
        ("https", None),
        ("C:\\models\\x.gguf", None),
    ],
)  # fmt: skip
def test_words(word: str, found: object) -> None:
    assert parsed(word, ENDPOINT) == found


@pytest.mark.parametrize("word", ["ftp://me:secret@h.example/m.gguf", "s3://bucket/m.gguf"])
def test_other_ways_to_fetch(word: str) -> None:
    with pytest.raises(InputError, match=f": {word[:2]}.* is not supported") as refusal:
        parsed(word, ENDPOINT)
    assert "secret" not in str(refusal.value)


@pytest.mark.parametrize("word", ["https://[h/m.gguf", "https://me:secret@[::1/m.gguf"])
def test_what_is_no_address(word: str) -> None:
    with pytest.raises(InputError, match="is not an address") as refusal:
        parsed(word, ENDPOINT)
    assert "secret" not in str(refusal.value)


@given(st.text("hf:/.@a\\ ", max_size=12))
def test_paths_never_leave_their_folder(rest: str) -> None:
    try:
        found = parsed(f"hf:{rest}", ENDPOINT)
    except InputError:
        return
    assert isinstance(found, HubWord)
    parts = [*found.repo.split("/"), *(found.file or "x").split("/"), *found.revision.split("/")]
    assert not {"", ".", ".."} & set(parts)
    assert "\\" not in "".join(parts)


def test_shown() -> None:
    assert shown("https://me:pass@h.example:8443/a%20b?sig=1#x") == "https://h.example:8443/a%20b"
    assert shown("https://[::1]:80/x?y") == "https://[::1]:80/x"
    assert "pass" not in shown("https://me:pass@[bad/x")
