"""What other hosts, proxies and messages get to know: redirects, logins, signatures."""

from __future__ import annotations

from pathlib import Path

import pytest
from fetcher import DATA, Fetcher
from helpers.stand_ins import CommandLine
from helpers.web_server import Answer, Page, WebServer

from runtime.errors import InputError


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


@pytest.mark.parametrize(
    "location", ["http://[h/x?SIGNED", "http://[::1", "\xff\xfe", "http://h:x/"]
)
def test_redirects_to_no_address(location: str, web: WebServer, fetch: Fetcher) -> None:
    web.pages["/m.gguf"] = Answer(302, {"Location": location})
    with pytest.raises(InputError, match="invalid address") as raised:
        fetch(f"{web.url}/m.gguf")
    assert "SIGNED" not in raised.value.message + raised.value.tip


def test_each_try_asks_for_a_new_signature(
    web: WebServer, other_host: WebServer, fetch: Fetcher
) -> None:
    """Signed addresses expire while a large file comes."""
    web.pages["/m.gguf"] = Answer(302, {"Location": f"{other_host.url}/x"})
    other_host.pages["/x"] = Page(DATA, cut=5_000_000)
    assert fetch(f"{web.url}/m.gguf").read_bytes() == DATA
    assert len(web.log) == len(other_host.log) == 2


def test_proxies_are_used(web: WebServer, fetch: Fetcher, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", web.url)
    monkeypatch.setenv("http_proxy", web.url)
    web.pages["/m.gguf"] = Page(DATA)
    assert fetch("http://weights.example/m.gguf").read_bytes() == DATA
    assert {r.path for r in web.log} == {"http://weights.example/m.gguf"}
