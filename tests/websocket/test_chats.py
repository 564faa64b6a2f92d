"""The two chats in ``demos``, each between two pages of a headless Chromium."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.processes import ROOT, free_port, once, running

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@once("the programs run in processes of their own")
class ChatTests(SynchronousTestCase):
    """What one says the other reads."""

    def test_long_polling(self) -> None:
        """The chat that asks for news."""
        self.chat("chat")

    def test_websocket(self) -> None:
        """The chat over WebSockets."""
        self.chat("websocket_chat")

    def chat(self, demo: str) -> None:
        try:
            from playwright.sync_api import sync_playwright
        except ImportError as error:
            raise SkipTest(f"no playwright: {error}")
        browser_path = shutil.which("chromium") or shutil.which("chromium-browser")
        if browser_path is None:
            raise SkipTest("no chromium")
        port = free_port()
        command = [sys.executable, str(ROOT / "demos" / demo / "chat.py")]
        with running(command, Path(self.mktemp()), PORT=str(port)) as program:
            program.wait_for_port(port)
            # In a thread of its own, for playwright runs an asyncio loop and refuses to where
            # one seems to run: on polling reactors trial leaves ours so between its tests.
            with ThreadPoolExecutor(1) as thread:
                url = f"http://127.0.0.1:{port}/"
                thread.submit(self.browse, sync_playwright, browser_path, url).result()
            self.assertEqual(program.stop(), 0)
            self.assertNotIn("Traceback", program.stderr)

    def browse(self, start: Callable[[], Any], browser_path: str, url: str) -> None:
        with start() as playwright:
            browser = playwright.chromium.launch(executable_path=browser_path, args=FLAGS)
            try:
                self.talk(browser, url)
            finally:
                browser.close()

    def talk(self, browser: object, url: str) -> None:
        errors: list[str] = []
        pages = []
        for _ in range(2):
            page = browser.new_context().new_page()
            page.on("pageerror", lambda error: errors.append(str(error)))
            page.goto(url)
            pages.append(page)
        alice, bob = pages
        for page, name, text in (
            (alice, "Alice", "hello"),
            (bob, "Bob", "<b>hi</b> \u20ac"),
            (alice, "Alice", "bye"),
        ):
            page.fill("[name=name]", name)
            page.fill("[name=text]", text)
            page.press("[name=text]", "Enter")
            for reader in pages:
                reader.get_by_text(f"{name}: {text}", exact=True).wait_for()
        late = browser.new_context().new_page()
        late.goto(url)
        late.get_by_text("Alice: bye", exact=True).wait_for()
        said = ["Alice: hello", "Bob: <b>hi</b> \u20ac", "Alice: bye"]
        for page in (alice, bob, late):
            self.assertEqual(page.locator("#messages li").all_inner_texts(), said)
        self.assertEqual(errors, [])
