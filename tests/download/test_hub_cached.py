"""What is in the cache is of use whatever the Hub answers, or does not."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from helpers.hub_server import HubServer, Repo
from helpers.stand_ins import Refused
from helpers.web_server import Answer, Page
from hub_commands import Run, gguf, snapshot

from runtime.errors import InputError
from runtime.formats.bundle import Bundle
from runtime.hub.answers import Report
from runtime.hub.hub import Hub
from runtime.hub.settings import settings
from runtime.hub.words import HubWord

_BUSY = Answer(429, {"Retry-After": "20"})
_LOGIN = Answer(200, {"Content-Type": "text/html"}, b"<html>Log in</html>")
_UNKNOWN = Answer(401, {"X-Error-Message": "Invalid credentials in Authorization header"})


@dataclass
class Asked:
    """What came of a request."""

    path: Path
    notes: list[str]
    seconds: float


def asked(hub: HubServer, tmp_path: Path, quantization: str | None = None) -> Asked:
    """A model of the repository `org/see-GGUF`, asked for by somebody with an unknown token."""
    notes: list[str] = []
    place = {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "hf"), "HF_TOKEN": "unknown"}
    begin = time.monotonic()
    client = Hub(settings(place), Report(note=notes.append))
    model = client.fetched(client.model(HubWord("org/see-GGUF", None, quantization)))
    return Asked(client.path(model, model.files[0]), notes, time.monotonic() - begin)


_ANSWERS = [
    (_BUSY, "429 Too Many Requests"),
    (Answer(503), "503 Service Unavailable"),
    (Answer(500), "500 Internal Server Error"),
    (Answer(418), "418"),
    (_UNKNOWN, "rejects your token"),
    (Answer(403), "does not allow it"),
    (Answer(404, {"X-Error-Code": "RepoNotFound"}), "there is no model org/see-GGUF"),
    (Answer(401, {"X-Error-Code": "GatedRepo"}), "is gated"),
    (_LOGIN, "does not answer as the Hub does"),
    (Answer(302, {"Location": "http://127.0.0.1:9/login"}), "cannot reach"),
    (Answer(302, {"Location": "/login"}), "does not answer as the Hub does"),
]


@pytest.mark.parametrize(("answer", "why"), _ANSWERS, ids=lambda value: str(value)[:30])
def test_the_cache_is_used_at_once(
    answer: Answer, why: str, model: Repo, hub: HubServer, tmp_path: Path
) -> None:
    old = asked(hub, tmp_path)
    assert not old.notes
    hub.always = answer
    again = asked(hub, tmp_path)
    assert again.path == old.path
    (line,) = again.notes
    assert why in line
    assert line.endswith(f"; taking hf:org/see-GGUF from {tmp_path / 'hf' / 'hub'}")
    assert again.seconds < 5


@pytest.mark.parametrize(("answer", "why"), _ANSWERS[1:], ids=lambda value: str(value)[:30])
def test_without_a_copy_it_is_an_error(
    answer: Answer, why: str, hub: HubServer, tmp_path: Path
) -> None:
    hub.always = answer
    with pytest.raises(InputError, match=why) as raised:
        asked(hub, tmp_path)
    assert raised.value.tip


def test_as_a_command(model: Repo, run: Run, hub: HubServer) -> None:
    first = run("fetch", "hf:org/see-GGUF")
    hub.always = _BUSY
    again = run("fetch", "hf:org/see-GGUF")
    assert (again.stdout, again.returncode) == (first.stdout, 0), again.stderr
    (line,) = again.stderr.splitlines()
    assert "429 Too Many Requests; taking hf:org/see-GGUF from" in line


def test_no_network(model: Repo, run: Run, refused: Refused, tmp_path: Path) -> None:
    first = run("fetch", "hf:org/see-GGUF")
    gone = {"HF_ENDPOINT": "http://127.0.0.1:9"}
    again = run("fetch", "hf:org/see-GGUF", **gone)
    assert (again.stdout, again.returncode) == (first.stdout, 0)
    assert again.stderr.count("\n") == 1
    assert "cannot reach 127.0.0.1: no connection; taking" in again.stderr
    assert "cannot reach 127.0.0.1" in refused(run("fetch", "hf:org/see-GGUF:Q2_K", **gone))


def test_pack_from_the_cache(model: Repo, run: Run, hub: HubServer, tmp_path: Path) -> None:
    run("fetch", "hf:org/see-GGUF")
    hub.always = _BUSY
    done = run("pack", "hf:org/see-GGUF")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("taking hf:org/see-GGUF from") == 1
    with Bundle.open(tmp_path / "work" / "see-Q4_K_M.llamafile") as bundle:
        assert [member.name for member in bundle.weights] == ["see-Q4_K_M.gguf"]


def test_a_busy_hub_is_waited_for(model: Repo, run: Run, hub: HubServer, refused: Refused) -> None:
    hub.failures = [Answer(503), Answer(429, {"Retry-After": "1"})]
    done = run("fetch", "hf:org/see-GGUF")
    assert done.returncode == 0
    assert "asks to wait 1 s" in done.stderr
    hub.always = Answer(429, {"Retry-After": "3600"})
    done = run("fetch", "hf:org/see-GGUF:Q2_K")
    assert "asks to wait 3,600 seconds" in refused(done)


@pytest.mark.parametrize("answer", [_BUSY, Answer(503), _LOGIN, Answer(404)])
def test_a_newer_commit_that_does_not_come(
    answer: Answer, model: Repo, hub: HubServer, tmp_path: Path
) -> None:
    """Its list does, and not its files: then all shards are taken as they were."""
    old = asked(hub, tmp_path, "Q8_0")
    model.commit = "f" * 40
    second = "Q8_0/see-Q8_0-00002-of-00002.gguf"
    model.files[second] = gguf(tmp_path, shard=(1, 2, 2), tensors=["other"], name="newer")
    hub.contents.page = lambda request: answer  # type: ignore[method-assign]
    again = asked(hub, tmp_path, "Q8_0")
    assert again.path == old.path
    (line,) = again.notes
    assert "taking hf:org/see-GGUF:Q8_0 from" in line
    assert again.seconds < 5
    assert (snapshot(tmp_path) / second).exists()


def test_other_files_than_those_in_the_cache(model: Repo, hub: HubServer, tmp_path: Path) -> None:
    """That the cache does not have them does not mean that the Hub does not."""
    asked(hub, tmp_path)
    hub.always = Answer(403)
    client = Hub(settings({"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "hf")}))
    assert client.model(HubWord("org/see-GGUF")).files == ("see-Q4_K_M.gguf",)
    with pytest.raises(InputError, match="does not allow it"):
        client.model(HubWord("org/see-GGUF", None, "Q2_K"))


def test_a_newer_commit_whose_connection_breaks(
    model: Repo, hub: HubServer, tmp_path: Path
) -> None:
    """It goes on as long as something comes."""
    asked(hub, tmp_path)
    model.commit, model.files["see-Q4_K_M.gguf"] = "f" * 40, bytes(50_000)
    hub.contents_page = Page(b"", cut=9_000)
    again = asked(hub, tmp_path)
    assert again.path.read_bytes() == bytes(50_000)
    assert not again.notes


def test_a_revision_that_is_gone(model: Repo, run: Run, hub: HubServer, refused: Refused) -> None:
    """The Hub knows it better than the cache."""
    run("fetch", "hf:org/see-GGUF@v1/x")
    hub.always = Answer(404, {"X-Error-Code": "RevisionNotFound"})
    assert "has no revision v1/x" in refused(run("fetch", "hf:org/see-GGUF@v1/x"))


def test_a_login_page_is_not_taken_for_a_file(
    model: Repo, run: Run, hub: HubServer, refused: Refused, tmp_path: Path
) -> None:
    page = Page(b"<html>", headers={"Content-Type": "text/html"})
    hub.contents.page = lambda request: page  # type: ignore[method-assign]
    assert "an HTML page" in refused(run("fetch", "hf:org/see-GGUF"))
    assert not list((tmp_path / "hf").rglob("*.gguf"))
