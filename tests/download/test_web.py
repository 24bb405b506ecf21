"""Files from a web server that fails in all the ways that they do."""

from __future__ import annotations

import hashlib
import json
import random
import signal
import subprocess
import threading
import time
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from stand_ins import CommandLine, Refused, write_gguf
from web_server import Answer, Page, WebServer

from runtime.download.client import Patience
from runtime.download.web import Web
from runtime.download.words import WebWord, parsed
from runtime.errors import InputError

DATA = random.Random(4).randbytes((9 << 20) + 12345)
SHA256 = hashlib.sha256(DATA).hexdigest()


class Fetcher:
    """Fetches without the waits, which it notes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.waits: list[float] = []
        self.notes: list[str] = []
        self.progress = 0

    def __call__(self, url: str, *, offline: bool = False) -> Path:
        word = parsed(url, "https://hub.example")
        assert isinstance(word, WebWord)
        self.progress = 0
        web = Web(
            self.folder,
            offline=offline,
            begin=lambda _: lambda _: self._advance,
            note=self.notes.append,
            patience=Patience(tries=4, sleep=self.waits.append),
        )
        return web.path(word)

    def _advance(self, count: int) -> None:
        self.progress += count

    def leftovers(self) -> list[str]:
        return [p.name for p in self.folder.rglob("*") if "incomplete" in p.name]


@pytest.fixture
def fetch(tmp_path: Path) -> Fetcher:
    return Fetcher(tmp_path / "downloads")


def test_in_parallel_ranges(web: WebServer, fetch: Fetcher) -> None:
    web.pages["/m.gguf"] = Page(DATA)
    path = fetch(f"{web.url}/m.gguf")
    assert (path.name, path.read_bytes()) == ("m.gguf", DATA)
    assert fetch.progress == len(DATA)
    spans = sorted(int(r.split("=")[1].split("-")[0]) for r in web.seen("range"))
    assert len(spans) == 10
    assert len(set(spans)) == 10
    assert web.seen("if-range") == ['"v1"'] * 9
    assert not fetch.leftovers()


def test_several_ranges_are_under_way_at_once(web: WebServer, fetch: Fetcher) -> None:
    web.pages["/m.gguf"] = Page(DATA)
    handle, mutex = web.handle, threading.Lock()
    active: list[int] = []
    most = 0

    def counted(handler: BaseHTTPRequestHandler) -> None:
        nonlocal most
        with mutex:
            active.append(1)
            most = max(most, len(active))
        time.sleep(0.1)
        handle(handler)
        with mutex:
            active.pop()

    web.handle = counted  # type: ignore[method-assign]
    assert fetch(f"{web.url}/m.gguf").read_bytes() == DATA
    assert most == 4


@pytest.mark.parametrize(
    "page",
    [
        Page(DATA, cut=700_000),
        Page(DATA, ranges=False),
        Page(DATA, ranges=False, cut=3_000_000, cuts=2),
        Page(DATA, ranges=False, chunked=True),
        Page(DATA, ranges=False, chunked=True, cut=1_000_000, cuts=2),
        Page(DATA, misplaced=True),
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
        "chunked, breaks twice", "another range than asked", "no ETag", "weak ETag", "date only",
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
        (Page(DATA, cut=0), "breaks at byte"),
        (Page(DATA, ranges=False, cut=3_000_000), "at best after"),
        (Page(DATA, ranges=False, chunked=True, cut=1_000_000), "at best after"),
        (Page(DATA, ranges=False, length=len(DATA) + 1), f"of {len(DATA) + 1:,} bytes"),
        (Page(DATA, length=len(DATA) + 1), f"of {len(DATA) + 1:,} bytes"),
        (Answer(404), "404 Not Found"),
        (Answer(403), "403 Forbidden"),
        (Answer(503), "503 Service Unavailable"),
        (Page(DATA, headers={"Content-Encoding": "gzip"}), "compresses it"),
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


def test_goes_on_where_an_earlier_run_ended(web: WebServer, fetch: Fetcher) -> None:
    _leave_half(web, fetch)
    before = len(web.log)
    assert fetch(f"{web.url}/m.gguf").read_bytes() == DATA
    assert fetch.progress == len(DATA)
    again = 0
    for request in web.log[before:]:
        start, end = request.headers["range"].removeprefix("bytes=").split("-")
        again += int(end) + 1 - int(start)
    assert again <= len(DATA) - (3 << 20)


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
    web.pages["/m.gguf"] = Page(DATA, etag=etags[0])
    page = web.page

    def changing(request: object) -> Page | Answer:
        if len(web.log) == 4:
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
    "state", ["", "{}", "[1]", '{"done":[[0,99999999]],"size":5,"validator":1}']
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
    page = Page(DATA, etag=etag)
    web.pages["/m.gguf"] = page
    original = web.page

    def failing(request: object) -> Page | Answer:
        return original(request) if len(web.log) < 6 else Answer(500)  # type: ignore[arg-type]

    web.page = failing  # type: ignore[assignment]
    with pytest.raises(InputError):
        fetch(f"{web.url}/m.gguf" + f"#sha256={SHA256}" * checksum)
    web.page = original  # type: ignore[method-assign]
    assert "fetching.incomplete.json" in fetch.leftovers()


def test_unchanged_files_are_not_fetched_again(web: WebServer, fetch: Fetcher) -> None:
    web.pages["/m.gguf"] = Page(DATA)
    path = fetch(f"{web.url}/m.gguf")
    before = len(web.log)
    assert fetch(f"{web.url}/m.gguf") == path
    assert [r.method for r in web.log[before:]] == ["HEAD"]
    web.pages["/m.gguf"] = Page(DATA[1:], etag='"v2"')
    assert fetch(f"{web.url}/m.gguf").read_bytes() == DATA[1:]
    assert fetch(f"{web.url}/m.gguf", offline=True).read_bytes() == DATA[1:]
    with pytest.raises(InputError, match="not to be used"):
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


def test_a_wrong_checksum(web: WebServer, fetch: Fetcher) -> None:
    web.pages["/m.gguf"] = Page(DATA[1:] + b"x")
    with pytest.raises(InputError, match="SHA-256") as raised:
        fetch(f"{web.url}/m.gguf#sha256={SHA256}")
    assert SHA256 in raised.value.message
    assert not fetch.leftovers()


def test_login_and_signatures_stay_secret(
    web: WebServer, other_host: WebServer, fetch: Fetcher, llamapack: CommandLine
) -> None:
    """They go to their own host only, and into no message."""
    web.pages["/m.gguf"] = Answer(302, {"Location": f"{other_host.url}/x?Signature=SIGNED"})
    other_host.pages["/x"] = Page(DATA)
    login = web.url.replace("//", "//me:pass%20word@")
    assert fetch(f"{login}/m.gguf").read_bytes() == DATA
    assert web.seen("authorization")
    assert not other_host.seen("authorization")
    other_host.pages["/x"] = Answer(403)
    done = llamapack("fetch", f"{login}/m.gguf", "-o", fetch.folder)
    assert done.returncode == 1
    for secret in ("me:", "pass", "SIGNED"):
        assert secret not in done.stdout + done.stderr


def test_netrc_is_not_sent_elsewhere(
    tmp_path: Path, web: WebServer, other_host: WebServer, fetch: Fetcher
) -> None:
    (tmp_path / ".netrc").write_text("default login me password secret\n")
    (tmp_path / ".netrc").chmod(0o600)
    web.pages["/m.gguf"] = Answer(302, {"Location": f"{other_host.url}/x"})
    other_host.pages["/x"] = Page(DATA)
    fetch(f"{web.url}/m.gguf")
    assert not web.seen("authorization") + other_host.seen("authorization")


def test_redirects_in_a_circle(web: WebServer, fetch: Fetcher) -> None:
    web.pages["/m.gguf"] = Answer(302, {"Location": "/m.gguf"})
    with pytest.raises(InputError, match="in a circle"):
        fetch(f"{web.url}/m.gguf")


def test_an_expired_signature_is_asked_for_again(
    web: WebServer, other_host: WebServer, fetch: Fetcher
) -> None:
    web.pages["/m.gguf"] = Answer(302, {"Location": f"{other_host.url}/x"})
    other_host.pages["/x"] = Page(DATA)
    page = other_host.page

    def expiring(request: object) -> Page | Answer:
        return Answer(403) if len(other_host.log) == 5 else page(request)  # type: ignore[arg-type]

    other_host.page = expiring  # type: ignore[assignment]
    assert fetch(f"{web.url}/m.gguf").read_bytes() == DATA
    assert len(web.log) == 2


def test_proxies_are_used(web: WebServer, fetch: Fetcher, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", web.url)
    monkeypatch.setenv("http_proxy", web.url)
    web.pages["/m.gguf"] = Page(DATA)
    assert fetch("http://weights.example/m.gguf").read_bytes() == DATA
    assert {r.path for r in web.log} == {"http://weights.example/m.gguf"}


_SLOW = """
import runtime.download.ranges as ranges, time
write = ranges.Ranges._write
def slow(self, *args):
    time.sleep(0.3)
    return write(self, *args)
ranges.Ranges._write = slow
"""


def test_two_processes_at_once(tmp_path: Path, web: WebServer, llamapack: CommandLine) -> None:
    """One waits for the other, and both have the file."""
    web.pages["/m.gguf"] = Page(DATA)
    words = ["fetch", f"{web.url}/m.gguf", "-o", str(tmp_path / "here")]
    both = [
        subprocess.Popen(
            llamapack.command(*words, first=_SLOW),
            env={**llamapack.environment, "NO_PROXY": "*"},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for _ in range(2)
    ]  # fmt: skip
    ended = [process.communicate(timeout=60) for process in both]
    assert [process.returncode for process in both] == [0, 0], ended
    assert (tmp_path / "here" / "m.gguf").read_bytes() == DATA
    assert [p.name for p in (tmp_path / "here").iterdir()] == ["m.gguf"]
    assert len(web.seen("range")) == 10


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_killed_and_run_again(
    number: signal.Signals, tmp_path: Path, web: WebServer, llamapack: CommandLine
) -> None:
    web.pages["/m.gguf"] = Page(DATA)
    words = ["fetch", f"{web.url}/m.gguf", "-o", str(tmp_path / "here")]
    state = tmp_path / "here" / ".m.gguf.llamapack.incomplete.json"
    with subprocess.Popen(
        llamapack.command(*words, first=_SLOW), env=llamapack.environment,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509
    ) as process:  # fmt: skip
        deadline = time.monotonic() + 60
        while not (state.exists() and json.loads(state.read_text())["done"]):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(number)
        process.communicate(timeout=60)
    assert process.returncode != 0
    assert not (tmp_path / "here" / "m.gguf").exists()
    before = len(web.seen("range"))
    assert before < 10
    done = llamapack(*words)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "here" / "m.gguf").read_bytes() == DATA
    assert [p.name for p in (tmp_path / "here").iterdir()] == ["m.gguf"]
    assert len(web.seen("range")) - before < 10


def test_fetch_replaces_nothing(
    tmp_path: Path, web: WebServer, llamapack: CommandLine, refused: Refused
) -> None:
    web.pages["/m.gguf"] = Page(DATA)
    (tmp_path / "m.gguf").write_text("precious")
    words = ("fetch", f"{web.url}/m.gguf")
    assert "exists already" in refused(llamapack(*words, cwd=tmp_path))
    assert (tmp_path / "m.gguf").read_text() == "precious"
    web.pages["/m.gguf"] = Answer(404)
    assert "404" in refused(llamapack(*words, "--force", cwd=tmp_path))
    assert (tmp_path / "m.gguf").read_text() == "precious"
    web.pages["/m.gguf"] = Page(DATA)
    done = llamapack(*words, "--force", cwd=tmp_path)
    assert (done.stdout, done.returncode) == ("m.gguf\n", 0)
    assert (tmp_path / "m.gguf").read_bytes() == DATA


def test_pack_takes_addresses(tmp_path: Path, web: WebServer, llamapack: CommandLine) -> None:
    model = write_gguf(tmp_path / "far.gguf")
    web.pages["/a/far.gguf"] = Page(model.read_bytes())
    model.unlink()
    url = f"{web.url}/a/far.gguf"
    first = llamapack("pack", url, cwd=tmp_path)
    assert (first.stdout, first.returncode) == ("far.llamafile\n", 0), first.stderr
    offline = llamapack("pack", url, "--offline", "-o", tmp_path / "again.llamafile")
    assert offline.returncode == 0, offline.stderr
    assert (tmp_path / "far.llamafile").read_bytes() == (tmp_path / "again.llamafile").read_bytes()


def test_what_is_no_source(llamapack: CommandLine, refused: Refused) -> None:
    for word, message in (
        ("model.gguf", "no source to fetch from"),
        ("hf:only-one-name", "names no model"),
        ("hf:a/b/../../x", "names no model"),
        ("https:///x.gguf", "is no address"),
        ("https://host/", "does not end in the name"),
        ("https://host/m.gguf#sha256=12", "is no SHA-256"),
    ):
        assert message in refused(llamapack("fetch", word))


def test_the_server_is_away(llamapack: CommandLine, refused: Refused, tmp_path: Path) -> None:
    quick = """
import runtime.download.client as client
client.Patience.__init__.__defaults__ = (2, 0.01, client.time.sleep)
"""
    done = subprocess.run(
        llamapack.command("fetch", "http://127.0.0.1:9/m.gguf?Signature=SIGNED", first=quick),
        cwd=tmp_path, env=llamapack.environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "cannot reach 127.0.0.1: no connection" in refused(done)
    assert "SIGNED" not in done.stderr
