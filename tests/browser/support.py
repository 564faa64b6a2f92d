"""A headless Chromium, driven by Selenium against an application that this process serves.

The loop of a test serves the application; what drives the browser blocks, and runs in a thread
beside it.  Machines without a browser, its driver or Selenium skip these tests.
"""

from __future__ import annotations

import logging
import os
import shutil
import unittest
from collections.abc import Callable
from typing import Any

from tests.processes import elsewhere
from txtornado.testing import AsyncHTTPTestCase

try:
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.wait import WebDriverWait
except ImportError:
    webdriver = None  # type: ignore[assignment]

# Keeps Python's handler of last resort from printing the 403s that the tests provoke.
for _name in ("tornado.access", "tornado.general"):
    logging.getLogger(_name).addHandler(logging.NullHandler())

#: Seconds that a page, or the start of the browser, may take; in order they take a fraction.
LIMIT = 60.0

_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_FLAGS = (
    "--headless",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--no-proxy-server",
)


def _program(*names: str) -> str | None:
    return next(filter(None, map(shutil.which, names)), None)


def why_not() -> str | None:
    """Why there can be no browser here, or None."""
    if webdriver is None:
        return "selenium is not installed"
    if _program(*_BROWSERS) is None:
        return "no Chromium is installed"
    if _program("chromedriver") is None:
        return "chromedriver is not installed"
    return None


def start_browser() -> Any:
    """A browser with an empty profile of its own."""
    options = webdriver.ChromeOptions()
    options.binary_location = _program(*_BROWSERS) or ""
    for flag in _FLAGS:
        options.add_argument(flag)
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        options.add_argument("--no-sandbox")  # which Chromium refuses to set up for root
    browser = webdriver.Chrome(options, Service(_program("chromedriver")))
    browser.set_page_load_timeout(LIMIT)
    return browser


class Visitor:
    """What somebody in front of the browser does and sees.

    Args:
        browser: from `start_browser`.
        origin: of the application, like ``http://127.0.0.1:8000``.
    """

    def __init__(self, browser: Any, origin: str) -> None:
        self.browser = browser
        self.origin = origin

    def open(self, path: str) -> None:
        """Go to a page."""
        self.browser.get(path if "://" in path else self.origin + path)

    def see(self, element: str) -> str:
        """The text of the element with this id, which is to appear within the time limit."""
        return str(self.find(element).text)

    def find(self, element: str) -> Any:
        """The element with this id, likewise."""
        return self.wait(lambda browser: browser.find_elements(By.ID, element))[0]

    def wait(self, condition: Callable[[Any], Any]) -> Any:
        """What ``condition`` returns for the browser, once that is true."""
        return WebDriverWait(self.browser, LIMIT).until(condition)

    def fill_in(self, **fields: str) -> None:
        """Type into the form of the page, and send it; returns when the next page is there."""
        for name, text in fields.items():
            self.browser.find_element(By.NAME, name).send_keys(text)
        self.send()

    def send(self) -> None:
        """Send the form of the page; returns when the next page is there."""
        self.run("window.stillHere = true")
        self.browser.find_element(By.TAG_NAME, "form").submit()
        self.wait(
            lambda browser: browser.execute_script(
                "return !window.stillHere && document.readyState === 'complete'"
            )
        )

    def run(self, script: str) -> Any:
        """What a script returns that runs in the page."""
        return self.browser.execute_script(script)

    def status(self) -> int:
        """The status of the response that the page came with."""
        return int(self.run("return performance.getEntriesByType('navigation')[0].responseStatus"))

    def style(self, element: str, name: str) -> str:
        """A property of an element as the browser has computed it."""
        return str(self.find(element).value_of_css_property(name))

    def prefer(self, languages: str) -> None:
        """Have the browser ask for ``languages``, to which it adds falling weights."""
        agent = self.run("return navigator.userAgent")
        self.browser.execute_cdp_cmd(
            "Emulation.setUserAgentOverride", {"userAgent": agent, "acceptLanguage": languages}
        )


class BrowserTestCase(AsyncHTTPTestCase):
    """A test case with an application, and with a browser for each test."""

    def setUp(self) -> None:
        reason = why_not() or elsewhere("each test makes a loop of its own")
        if reason is not None:
            raise unittest.SkipTest(reason)
        super().setUp()

    def visit(self, steps: Callable[[Visitor], None]) -> None:
        """Run ``steps`` with a new browser, beside the loop."""

        def session() -> None:
            browser = start_browser()
            try:
                steps(Visitor(browser, f"http://127.0.0.1:{self.get_http_port()}"))
            finally:
                browser.quit()

        async def run() -> None:
            await self.io_loop.run_in_executor(None, session)

        self.io_loop.run_sync(run, timeout=4 * LIMIT)
