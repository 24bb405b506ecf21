"""What the Hub does not have, and what it must not be believed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hub_commands import Run
from hub_server import COMMIT, Repo
from stand_ins import Refused
from web_server import Page, WebServer


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("hf:org/none", "there is no model org/none"),
        ("hf:org/see-GGUF@v9", "has no revision v9"),
        ("hf:org/see-GGUF:Q5_K_M", "no such GGUF"),
        ("hf:org/see-GGUF/none.gguf", "no such GGUF"),
    ],
)
def test_what_is_not_there(
    word: str, message: str, model: Repo, run: Run, refused: Refused
) -> None:
    done = run("fetch", word)
    assert message in refused(done)
    if "GGUF" in message:
        assert "see-Q2_K.gguf" in done.stderr


def test_missing_shards(model: Repo, run: Run, refused: Refused) -> None:
    del model.files["Q8_0/see-Q8_0-00002-of-00002.gguf"]
    assert "not all shards" in refused(run("fetch", "hf:org/see-GGUF:Q8_0"))


def test_the_hub_lies(model: Repo, run: Run, refused: Refused) -> None:
    model.etags["see-Q4_K_M.gguf"] = "0" * 64
    assert "is damaged: its SHA-256" in refused(run("fetch", "hf:org/see-GGUF"))
    model.sizes["see-Q2_K.gguf"] = 5
    assert "offers" in refused(run("fetch", "hf:org/see-GGUF:Q2_K"))


def test_paths_that_leave_the_folder(
    model: Repo, run: Run, refused: Refused, tmp_path: Path
) -> None:
    model.files = {"../../../../../evil-Q4_K_M.gguf": b"x", "a\\..\\evil.gguf": b"x"}
    assert "no such GGUF" in refused(run("fetch", "hf:org/see-GGUF"))
    assert not list(tmp_path.rglob("evil*"))


def test_an_endpoint_that_is_no_hub(run: Run, refused: Refused, web: WebServer) -> None:
    web.pages["/api/models/org/see-GGUF/revision/main"] = Page(b"<html>")
    assert "does not answer as the Hub" in refused(
        run("fetch", "hf:org/see-GGUF", HF_ENDPOINT=web.url)
    )


def test_json_of_the_listing_is_not_trusted(run: Run, refused: Refused, web: WebServer) -> None:
    for found in ([], {"sha": 5}, {"sha": "../x", "siblings": []}, {"sha": COMMIT, "siblings": 3}):
        page = Page(json.dumps(found).encode())
        web.pages["/api/models/org/see-GGUF/revision/main"] = page
        assert "does not answer" in refused(run("fetch", "hf:org/see-GGUF", HF_ENDPOINT=web.url))
