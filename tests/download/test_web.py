"""Files from a web server that fails in all the ways that they do."""

from __future__ import annotations

import time
from email.utils import formatdate

import pytest
from fetcher import DATA, SHA256, Fetcher
from helpers.web_server import Answer, Page, WebServer

from runtime.errors import InputError


@pytest.mark.parametrize(
    "page",
    [
        Page(DATA, cut=700_000),
        Page(DATA, ranges=False),
        Page(DATA, ranges=False, cut=3_000_000, cuts=2),
        Page(DATA, ranges=False, chunked=True),
        Page(DATA, ranges=False, chunked=True, cut=1_000_000, cuts=2),
        Page(DATA, misplaced=True, cut=5_000_000, cuts=1),
        Page(
            DATA, cut=5_000_000, cuts=1,
            later=[Answer(206, {"Content-Range": f"bytes 4999999-5000008/{'9' * 5000}"}, b"xxx")],
        ),
        Page(DATA, first=[Answer(503, {"Retry-After": "\xb2"})]),
        Page(DATA, etag=None),
        Page(DATA, etag='W/"weak"'),
        Page(DATA, etag=None, headers={"Last-Modified": formatdate(0, usegmt=True)}),
        Page(DATA, first=[Answer(503), Answer(500), Answer(502)]),
        Page(DATA[:1]),
        Page(b""),
        Page(DATA[: 1 << 20]),
        Page(DATA[: (1 << 20) + 1]),
    ],
    ids=[
        "connection breaks", "no ranges", "no ranges, breaks twice", "chunked",
        "chunked, breaks twice", "another range than asked", "size of a range is not a number",
        "time to wait is not a number", "no ETag", "weak ETag", "date only",
        "5xx at first", "one byte", "empty", "one range", "one byte more",
    ],
)  # fmt: skip
def test_comes_whole(page: Page, web: WebServer, fetch: Fetcher) -> None:
    web.pages["/m.gguf"] = page
    assert fetch(f"{web.url}/m.gguf").read_bytes() == page.data
    assert fetch.progress == len(page.data)
    assert not fetch.leftovers()


@pytest.mark.parametrize(
    ("page", "message"),
    [
        (Page(DATA, cut=0), "broke at byte"),
        (Page(DATA, ranges=False, cut=3_000_000), "broke at byte 3,000,000 of"),
        (Page(DATA, ranges=False, chunked=True, cut=1_000_000), "broke at byte"),
        (Page(DATA, ranges=False, length=len(DATA) + 1), f"of {len(DATA) + 1:,}"),
        (Page(DATA, length=len(DATA) + 1), f"of {len(DATA) + 1:,}"),
        (Answer(404), "404 Not Found"),
        (Answer(403), "403 Forbidden"),
        (Answer(503), "503 Service Unavailable"),
        (Page(DATA, headers={"Content-Encoding": "gzip"}), "compresses it"),
        (Page(b"<html>", headers={"Content-Type": "text/html; charset=utf-8"}), "an HTML page"),
    ],
)
def test_fails_with_a_clear_error(
    page: Page | Answer, message: str, web: WebServer, fetch: Fetcher
) -> None:
    web.pages["/m.gguf"] = page
    with pytest.raises(InputError) as raised:
        fetch(f"{web.url}/m.gguf")
    assert message in raised.value.message
    assert raised.value.tip
    assert not list(fetch.folder.rglob("m.gguf"))


def test_bytes_after_a_too_small_length_do_not_count(web: WebServer, fetch: Fetcher) -> None:
    """A server whose Content-Length is too small: what it says is what the file is, unless a
    checksum tells better."""
    web.pages["/m.gguf"] = Page(DATA, ranges=False, length=len(DATA) - 1)
    with pytest.raises(InputError, match="SHA-256"):
        fetch(f"{web.url}/m.gguf#sha256={SHA256}")
    assert not list(fetch.folder.rglob("m.gguf"))


@pytest.mark.parametrize("length", ["\xb2", "9" * 5000])
def test_a_length_that_is_none(length: str, web: WebServer, fetch: Fetcher) -> None:
    web.pages["/m.gguf"] = Answer(200, {"Content-Length": length}, b"x")
    with pytest.raises(InputError, match="does not state its length"):
        fetch(f"{web.url}/m.gguf")


def test_waits_as_long_as_the_server_asks(web: WebServer, fetch: Fetcher) -> None:
    moment = formatdate(time.time() + 100, usegmt=True)
    web.pages["/m.gguf"] = Page(
        DATA[:10],
        first=[
            Answer(429, {"Retry-After": "7"}),
            Answer(503, {"Retry-After": moment}),
            Answer(503),
        ],
    )
    fetch(f"{web.url}/m.gguf")
    assert fetch.waits[0] == 7
    assert 95 < fetch.waits[1] <= 100
    assert 1 < fetch.waits[2] < 3  # twice doubled half seconds, more or less
    web.pages["/n.gguf"] = Answer(429, {"Retry-After": "86400"})
    with pytest.raises(InputError, match="86,400 seconds"):
        fetch(f"{web.url}/n.gguf")


def test_unchanged_files_are_not_fetched_again(web: WebServer, fetch: Fetcher) -> None:
    web.pages["/m.gguf"] = Page(DATA)
    path = fetch(f"{web.url}/m.gguf")
    before = len(web.log)
    assert fetch(f"{web.url}/m.gguf") == path
    assert [r.method for r in web.log[before:]] == ["HEAD"]
    web.pages["/m.gguf"] = Page(DATA[1:], etag='"v2"')
    assert fetch(f"{web.url}/m.gguf").read_bytes() == DATA[1:]
    assert fetch(f"{web.url}/m.gguf", offline=True).read_bytes() == DATA[1:]
    with pytest.raises(InputError, match="the network is off"):
        fetch(f"{web.url}/n.gguf", offline=True)


def test_a_copy_stays_until_its_successor_is_here(web: WebServer, fetch: Fetcher) -> None:
    web.pages["/m.gguf"] = Page(DATA)
    path = fetch(f"{web.url}/m.gguf")
    web.pages["/m.gguf"] = Page(DATA[1:], etag='"v2"', cut=0)
    with pytest.raises(InputError):
        fetch(f"{web.url}/m.gguf")
    assert path.read_bytes() == DATA


def test_the_last_copy_where_the_server_is_away(fetch: Fetcher) -> None:
    with WebServer().running() as web:
        web.pages["/m.gguf"] = Page(DATA)
        path = fetch(f"{web.url}/m.gguf")
    assert fetch(f"{web.url}/m.gguf") == path
    assert "no connection" in fetch.notes[-1]


@pytest.mark.parametrize(
    "answer",
    [
        Answer(429, {"Retry-After": "20"}),
        Answer(503),
        Answer(401),
        Answer(404),
        Answer(200, {"Content-Type": "text/html"}, b"<html>Log in</html>"),
        Answer(302, {"Location": "/login"}),
    ],
)
def test_the_last_copy_where_the_server_does_not_give_it(
    answer: Answer, web: WebServer, fetch: Fetcher
) -> None:
    """At once, and with one line."""
    web.pages["/m.gguf"] = Page(DATA)
    path = fetch(f"{web.url}/m.gguf")
    web.pages["/m.gguf"] = answer
    web.pages["/login"] = Page(b"<html>", headers={"Content-Type": "text/html"})
    assert fetch(f"{web.url}/m.gguf") == path
    assert path.read_bytes() == DATA
    assert len(fetch.notes) == 1
    assert "using the earlier download of m.gguf" in fetch.notes[0]
    assert not fetch.waits


def test_a_wrong_checksum(web: WebServer, fetch: Fetcher) -> None:
    web.pages["/m.gguf"] = Page(DATA[1:] + b"x")
    with pytest.raises(InputError, match="SHA-256") as raised:
        fetch(f"{web.url}/m.gguf#sha256={SHA256}")
    assert SHA256 in raised.value.message
    assert not fetch.leftovers()
