"""Downloads that were interrupted go on, or begin anew where that is wiser."""

from __future__ import annotations

import random

import pytest
from fetcher import DATA, SHA256, Fetcher
from helpers.web_server import Answer, Page, WebServer

from runtime.errors import InputError


def test_goes_on_where_an_earlier_run_ended(web: WebServer, fetch: Fetcher) -> None:
    _leave_half(web, fetch)
    before = len(web.log)
    assert fetch(f"{web.url}/m.gguf").read_bytes() == DATA
    assert fetch.progress == len(DATA)
    (request,) = web.log[before:]
    assert int(request.headers["range"].removeprefix("bytes=").strip("-")) >= 5 << 20


def test_a_file_that_changed_between_two_runs(web: WebServer, fetch: Fetcher) -> None:
    """Its bytes are not mixed with those of the old one."""
    _leave_half(web, fetch)
    new = random.Random(5).randbytes(len(DATA))
    web.pages["/m.gguf"] = Page(new, etag='"v2"')
    assert fetch(f"{web.url}/m.gguf").read_bytes() == new
    assert any("changed on the server" in note for note in fetch.notes)


def test_a_shortened_leftover_does_no_harm(web: WebServer, fetch: Fetcher) -> None:
    """As after a power cut on some file systems: the state says more than there is."""
    _leave_half(web, fetch)
    (partial,) = fetch.folder.rglob("fetching.incomplete")
    with partial.open("r+b") as file:
        file.truncate(1000)
    assert fetch(f"{web.url}/m.gguf").read_bytes() == DATA


def test_without_an_etag_nothing_is_kept(web: WebServer, fetch: Fetcher) -> None:
    """Since nobody could tell whether the rest belongs to it."""
    _leave_half(web, fetch, etag=None)
    new = random.Random(5).randbytes(len(DATA))
    web.pages["/m.gguf"] = Page(new, etag=None)
    assert fetch(f"{web.url}/m.gguf").read_bytes() == new


@pytest.mark.parametrize(
    ("shorter", "if_range", "etags"),
    [
        (0, True, ('"v1"', '"v2"')),
        (0, False, ('"v1"', '"v2"')),
        (5, True, ('"v1"', '"v2"')),
        (5, True, (None, None)),
    ],
)
def test_a_file_that_changes_while_it_comes(
    shorter: int, if_range: bool, etags: tuple[str, str], web: WebServer, fetch: Fetcher
) -> None:
    new = random.Random(5).randbytes(len(DATA) - shorter)
    web.pages["/m.gguf"] = Page(DATA, etag=etags[0], cut=5_000_000)
    page = web.page

    def changing(request: object) -> Page | Answer:
        if len(web.log) == 2:
            web.pages["/m.gguf"] = Page(new, etag=etags[1], if_range=if_range)
        return page(request)  # type: ignore[arg-type]

    web.page = changing  # type: ignore[assignment]
    assert fetch(f"{web.url}/m.gguf").read_bytes() == new


def test_a_damaged_leftover_does_no_harm(web: WebServer, fetch: Fetcher) -> None:
    _leave_half(web, fetch, checksum=True)
    (partial,) = fetch.folder.rglob("fetching.incomplete")
    with partial.open("r+b") as file:
        file.write(b"rubbish")
    web.pages["/m.gguf"] = Page(DATA)
    assert fetch(f"{web.url}/m.gguf#sha256={SHA256}").read_bytes() == DATA


@pytest.mark.parametrize(
    "state",
    [
        "",
        "{}",
        "[1]",
        '{"done":[[0,99999999]],"size":5,"validator":1}',
        '{"done":99999999,"inode":0,"size":9449529,"validator":"x"}',
        '{"done":1e999,"size":9449529,"validator":"x"}',
        '{"done":5,"size":-1,"validator":"x"}',
        "[" * 100_000,
    ],
    ids=range(8),
)
def test_a_damaged_state_does_no_harm(state: str, web: WebServer, fetch: Fetcher) -> None:
    _leave_half(web, fetch)
    (path,) = fetch.folder.rglob("fetching.incomplete.json")
    path.write_text(state)
    assert fetch(f"{web.url}/m.gguf").read_bytes() == DATA


def _leave_half(
    web: WebServer, fetch: Fetcher, *, checksum: bool = False, etag: str | None = '"v1"'
) -> None:
    """Half of `/m.gguf` is here, and then the server goes away."""
    page = Page(DATA, etag=etag, cut=(5 << 20) + 1, cuts=1)
    web.pages["/m.gguf"] = page
    original = web.page

    def failing(request: object) -> Page | Answer:
        return original(request) if len(web.log) < 2 else Answer(500)  # type: ignore[arg-type]

    web.page = failing  # type: ignore[assignment]
    with pytest.raises(InputError):
        fetch(f"{web.url}/m.gguf" + f"#sha256={SHA256}" * checksum)
    web.page = original  # type: ignore[method-assign]
    assert ("fetching.incomplete.json" in fetch.leftovers()) == bool(etag)
