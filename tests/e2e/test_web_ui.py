"""The web UI in a real browser: headless Chromium, driven by its own driver."""

from __future__ import annotations

import shutil
import tempfile
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from running import QUESTION, serving
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait
from test_server import greedy


@pytest.fixture
def browser() -> Iterator[webdriver.Chrome]:
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not chromium or not driver:
        pytest.skip("chromium and chromium-driver are not installed here")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    with tempfile.TemporaryDirectory() as profile:
        for flag in (
            "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            "--disable-dev-shm-usage", "--window-size=1200,900", f"--user-data-dir={profile}",
        ):  # fmt: skip
            options.add_argument(flag)
        opened = webdriver.Chrome(options, webdriver.ChromeService(driver))
        yield opened
        opened.quit()


def test_the_page_answers_as_the_api_does(browser: webdriver.Chrome, demo_bundle: Path) -> None:
    with serving(demo_bundle, "--temp", "0") as server:
        expected = greedy(server)
        browser.get(server.url)
        wait = WebDriverWait(browser, 60)
        box = wait.until(lambda page: page.find_element(By.TAG_NAME, "textarea"))
        wait.until(lambda _: box.is_enabled())
        box.send_keys(QUESTION)
        box.send_keys(Keys.ENTER)
        wait.until(lambda page: expected in page.find_element(By.TAG_NAME, "body").text)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_pages_of_ones_own(demo_bundle: Path, tmp_path: Path, method: int) -> None:
    """Any ZIP program can put them in; stored ones are more than one block of deflate."""
    bundle = tmp_path / "own.llamafile"
    shutil.copy(demo_bundle, bundle)
    page = "<!doctype html><title>mine</title>" + "text " * 40_000
    with warnings.catch_warnings(), zipfile.ZipFile(bundle, "a", method) as archive:
        warnings.simplefilter("ignore")  # It says that there is an older member of the name.
        archive.writestr("web-ui/index.html", page)
        archive.writestr("web-ui/more/help.html", page)
    with serving(bundle) as server:
        for path in ("", "index.html", "more/help.html"):
            answered = requests.get(f"{server.url}/{path}", timeout=30)
            assert answered.headers["Content-Type"] == "text/html; charset=utf-8"
            assert answered.text == page
        tag = answered.headers["ETag"]
        known = {"If-None-Match": tag}
        again = requests.get(f"{server.url}/more/help.html", headers=known, timeout=30)
        assert again.status_code == 304


def test_clients_that_do_not_take_gzip(demo_bundle: Path) -> None:
    with serving(demo_bundle) as server:
        for path in ("", "index.html", "manifest.webmanifest"):
            zipped = requests.get(f"{server.url}/{path}", timeout=30)
            assert zipped.headers["Content-Encoding"] == "gzip"
            plain = requests.get(
                f"{server.url}/{path}", headers={"Accept-Encoding": "identity"}, timeout=30
            )
            assert plain.status_code == 200
            assert "Content-Encoding" not in plain.headers
            assert plain.headers["Vary"] == zipped.headers["Vary"] == "Accept-Encoding"
            assert len(plain.content) > 100
            assert plain.content == zipped.content
        headers = {"Accept-Encoding": "identity"}
        tag = requests.get(server.url, headers=headers, timeout=30).headers["ETag"]
        again = requests.get(server.url, headers=headers | {"If-None-Match": tag}, timeout=30)
        assert again.status_code == 304
