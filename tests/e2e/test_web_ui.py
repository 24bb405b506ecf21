"""The web UI in a real browser: headless Chromium, driven by its own driver."""

from __future__ import annotations

import re
import shutil
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests
from helpers.browsers import ask, chromium
from helpers.running import Server, append_members, greedy, serving
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait


@pytest.fixture
def browser() -> Iterator[webdriver.Chrome]:
    with chromium("--host-resolver-rules=MAP evil.example 127.0.0.1") as opened:
        yield opened


def test_the_page_answers_as_the_api_does(browser: webdriver.Chrome, demo_bundle: Path) -> None:
    with serving(demo_bundle, "--temp", "0") as server:
        ask(browser, server.url, greedy(server.url))


PAGE = {"Accept": "text/html,*/*"}
"""What browsers say; programs get the line that Ollama's clients look for."""


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_pages_of_your_own(demo_bundle: Path, tmp_path: Path, method: int) -> None:
    """Any ZIP program can put them in; stored ones are more than one block of deflate."""
    bundle = Path(shutil.copy(demo_bundle, tmp_path / "own.llamafile"))
    page = "<!doctype html><title>mine</title>" + "text " * 40_000
    append_members(bundle, {"web-ui/index.html": page, "web-ui/more/help.html": page}, method)
    with serving(bundle) as server:
        for path in ("", "index.html", "more/help.html"):
            answered = requests.get(f"{server.url}/{path}", headers=PAGE, timeout=30)
            assert answered.headers["Content-Type"] == "text/html; charset=utf-8"
            assert answered.text == page
        tag = answered.headers["ETag"]
        known = {"If-None-Match": tag}
        again = requests.get(f"{server.url}/more/help.html", headers=known, timeout=30)
        assert again.status_code == 304


def test_clients_that_do_not_take_gzip(demo_bundle: Path) -> None:
    with serving(demo_bundle) as server:
        for path in ("", "index.html", "manifest.webmanifest"):
            zipped = requests.get(f"{server.url}/{path}", headers=PAGE, timeout=30)
            assert zipped.headers["Content-Encoding"] == "gzip"
            plain = requests.get(
                f"{server.url}/{path}", headers=PAGE | {"Accept-Encoding": "identity"}, timeout=30
            )
            assert plain.status_code == 200
            assert "Content-Encoding" not in plain.headers
            assert plain.headers["Vary"] == zipped.headers["Vary"] == "Accept-Encoding"
            assert len(plain.content) > 100
            assert plain.content == zipped.content
        headers = PAGE | {"Accept-Encoding": "identity"}
        tag = requests.get(server.url, headers=headers, timeout=30).headers["ETag"]
        again = requests.get(server.url, headers=headers | {"If-None-Match": tag}, timeout=30)
        assert again.status_code == 304


class Foreign(BaseHTTPRequestHandler):
    """A page of another site, at any name that leads to this machine."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>foreign</title>")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def foreign() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Foreign) as page:
        threading.Thread(target=page.serve_forever, daemon=True).start()
        yield f"http://evil.example:{page.server_port}/"
        page.shutdown()


# What a page can try: each as fetch() does it, then by a form, a frame and a picture.
TRIES = """
const [url, done] = arguments;
const body = JSON.stringify({prompt: "a", n_predict: 2});
const read = async (path, options) => {
    try {
        const answer = await fetch(url + path, options);
        return [answer.type, answer.status, await answer.text()];
    } catch (error) { return ["failed", 0, ""]; }
};
const post = (type, mode) => ({method: "POST", mode, body, headers: {"Content-Type": type}});
(async () => {
    const found = [];
    for (const path of ["/props", "/v1/models", "/slots", "/", "/health"])
        for (const options of [{}, {mode: "no-cors"}, {credentials: "include"}])
            found.push(await read(path, options));
    for (const type of ["text/plain", "application/x-www-form-urlencoded", "application/json"])
        for (const mode of ["cors", "no-cors"])
            found.push(await read("/completion", post(type, mode)));
    const form = new FormData();
    form.append("prompt", "a");
    const simple = {method: "POST", mode: "no-cors"};
    found.push(await read("/completion", {...simple, body: form}));
    found.push(await read("/completion", {...simple, body: new Blob([body])}));
    navigator.sendBeacon(url + "/completion", body);
    const parens = JSON.stringify({prompt: "a", grammar: "root ::= " + "(".repeat(19000)});
    found.push(await read("/completion", {...simple, body: parens}));
    const frame = document.createElement("iframe");
    frame.name = "frame";
    document.body.append(frame);
    const html = document.createElement("form");
    Object.assign(html, {method: "POST", enctype: "text/plain", target: "frame"});
    html.action = url + "/completion";
    html.innerHTML = `<input name='{"prompt": "a", "x": "' value='"}'>`;
    document.body.append(html);
    html.submit();
    setTimeout(() => done(found), 1500);
})();
"""


def generated(server: Server) -> int:
    text = requests.get(f"{server.url}/metrics", timeout=30).text
    found = re.search(r"^llamacpp:n_decode_total (\d+)", text, re.MULTILINE)
    assert found, text
    return int(found[1])


def test_a_page_of_another_site(browser: webdriver.Chrome, demo_bundle: Path, foreign: str) -> None:
    """It cannot read, cannot make the server generate, cannot crash it."""
    with serving(demo_bundle, "--metrics") as server:
        before = generated(server)
        browser.get(foreign)
        browser.set_script_timeout(120)
        for kind, status, text in browser.execute_async_script(TRIES, server.url):
            assert (kind, status, text) in (("failed", 0, ""), ("opaque", 0, ""))
        assert generated(server) == before
        assert server.process.poll() is None


def test_a_name_that_leads_here_after_the_page_was_loaded(
    browser: webdriver.Chrome, demo_bundle: Path
) -> None:
    """The page is of the server's own origin then: its name is all there is to see."""
    with serving(demo_bundle, "--metrics") as server:
        before = generated(server)
        port = server.url.rsplit(":", 1)[1]
        browser.get(f"http://evil.example:{port}/")
        assert "not known as evil.example" in browser.page_source
        browser.set_script_timeout(120)
        for kind, status, _ in browser.execute_async_script(TRIES, f"http://evil.example:{port}"):
            assert (kind, status) in (("basic", 403), ("basic", 415))
        assert generated(server) == before
        assert server.process.poll() is None


def test_a_link_to_the_page(browser: webdriver.Chrome, demo_bundle: Path, foreign: str) -> None:
    with serving(demo_bundle) as server:
        browser.get(foreign)
        browser.execute_script("location.href = arguments[0]", server.url)
        wait = WebDriverWait(browser, 60)
        assert wait.until(lambda page: page.find_element(By.TAG_NAME, "textarea"))
