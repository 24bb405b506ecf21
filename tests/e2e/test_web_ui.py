"""The web UI in a real browser: headless Chromium, driven by its own driver."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
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
