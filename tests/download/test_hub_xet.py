"""Files that the Hub gives to Xet clients only, by the real `hf_xet` from a stand-in of a store."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.hub_server import COMMIT, HubServer, Repo
from helpers.stand_ins import Refused
from helpers.web_server import Answer, Page, Request, WebServer
from hub_commands import Run, snapshot

FILE = "see-Q4_K_M.gguf"
TOKEN = "hf_secret"


class XetStore(WebServer):
    """A store of one file, which is one chunk: https://huggingface.co/docs/xet."""

    def __init__(self, data: bytes) -> None:
        super().__init__("localhost")
        self.data = data
        length = len(data).to_bytes(3, "little")
        self.xorb = bytes(1) + length + bytes(1) + length + data
        """Version, length, no compression, length, contents."""

    def page(self, request: Request) -> Page | Answer:
        path = request.path.partition("?")[0]
        if path == "/xorb":
            return Page(self.xorb)
        if not path.startswith("/v1/reconstructions/"):
            return Answer(404)
        chunks, name = {"start": 0, "end": 1}, "cd" * 32
        place = {"range": chunks, "url": f"{self.url}/xorb"}
        place["url_range"] = {"start": 0, "end": len(self.xorb) - 1}
        term = {"hash": name, "unpacked_length": len(self.data), "range": chunks}
        found = {"offset_into_first_range": 0, "terms": [term], "fetch_info": {name: [place]}}
        return Answer(200, {"Content-Type": "application/json"}, json.dumps(found).encode())


@pytest.fixture
def store(model: Repo, hub: HubServer) -> Iterator[XetStore]:
    """Where the Hub sends Xet clients; others get no contents."""
    xet = XetStore(model.files[FILE])
    ordinary = hub.page

    def page(request: Request) -> Page | Answer:
        if "/xet-read-token/" in request.path:
            access = {"X-Xet-Cas-Url": xet.url, "X-Xet-Access-Token": "short-lived"}
            return Answer(200, access | {"X-Xet-Token-Expiration": str(int(time.time()) + 3600)})
        answer = ordinary(request)
        if isinstance(answer, Answer) and answer.status == 302:
            answer.headers["X-Xet-Hash"] = "ab" * 32
            route = f"{hub.url}/api/models/org/see-GGUF/xet-read-token/{COMMIT}"
            answer.headers["X-Xet-Refresh-Route"] = route
        return answer

    hub.page = page  # type: ignore[method-assign]
    hub.contents.page = lambda request: Answer(403)  # type: ignore[method-assign]
    with xet.running():
        yield xet


def test_into_the_cache(
    store: XetStore, model: Repo, run: Run, hub: HubServer, tmp_path: Path
) -> None:
    model.token = TOKEN
    done = run("fetch", "hf:org/see-GGUF", HF_TOKEN=TOKEN)
    assert (done.stdout, done.stderr) == (f"{snapshot(tmp_path) / FILE}\n", "")
    assert Path(done.stdout.strip()).read_bytes() == model.files[FILE]
    assert set(hub.seen("authorization")) == {f"Bearer {TOKEN}"}
    assert TOKEN not in str(store.log + hub.contents.log)
    blobs = snapshot(tmp_path).parent.parent / "blobs"
    assert len(list(blobs.iterdir())) == 1


def test_into_a_folder(store: XetStore, model: Repo, run: Run, tmp_path: Path) -> None:
    done = run("fetch", "hf:org/see-GGUF", "-o", "here")
    assert done.stdout == f"here/{FILE}\n", done.stderr
    (path,) = (tmp_path / "work" / "here").iterdir()
    assert path.read_bytes() == model.files[FILE]


def test_preferred_where_the_user_wants_it(
    store: XetStore, model: Repo, run: Run, hub: HubServer
) -> None:
    done = run("fetch", "hf:org/see-GGUF", HF_XET_HIGH_PERFORMANCE="1")
    assert Path(done.stdout.strip()).read_bytes() == model.files[FILE]
    assert store.log
    assert not hub.contents.log


def test_other_contents_than_stated(
    store: XetStore, model: Repo, run: Run, refused: Refused, tmp_path: Path
) -> None:
    store.xorb = store.xorb[:-1] + b"?"
    assert "is damaged: its SHA-256" in refused(run("fetch", "hf:org/see-GGUF"))
    blobs = snapshot(tmp_path).parent.parent / "blobs"
    assert not list(blobs.iterdir())


def test_without_xet(store: XetStore, model: Repo, run: Run, refused: Refused) -> None:
    assert refused(run("fetch", "hf:org/see-GGUF", HF_HUB_DISABLE_XET="1"))
