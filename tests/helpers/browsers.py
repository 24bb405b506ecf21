"""The web UI in a real browser: headless Chromium, driven by its own driver."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from helpers.running import QUESTION


@contextmanager
def chromium(*flags: str) -> Iterator[webdriver.Chrome]:
    """A browser with a profile of its own."""
    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not program or not driver:
        pytest.skip("chromium and chromium-driver are not installed here")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    with tempfile.TemporaryDirectory() as profile:
        for flag in (
            "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            "--disable-dev-shm-usage", "--window-size=1200,900", f"--user-data-dir={profile}",
            *flags,
        ):  # fmt: skip
            options.add_argument(flag)
        opened = webdriver.Chrome(options, webdriver.ChromeService(driver))
        yield opened
        opened.quit()


def ask(browser: webdriver.Chrome, url: str, expected: str) -> None:
    """Type the question into the page, and wait for the answer."""
    browser.get(url)
    wait = WebDriverWait(browser, 60)
    box = wait.until(lambda page: page.find_element(By.TAG_NAME, "textarea"))
    wait.until(lambda _: box.is_enabled())
    box.send_keys(QUESTION)
    box.send_keys(Keys.ENTER)
    wait.until(lambda page: expected in page.find_element(By.TAG_NAME, "body").text)
