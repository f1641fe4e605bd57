"""The console in a real browser, as its tests use it, and what must never happen there."""

import json
import os
import urllib.request
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import expect

PATIENCE_MS = 60_000
expect.set_options(timeout=PATIENCE_MS)
DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 360, "height": 740}


def ask(base_url, method, path, body=None, *, admin=None, user=None):
    """Call the API beside the browser; gives the JSON of the response, or None."""
    headers = {"Content-Type": "application/json"}
    if admin:
        headers["X-Admin-API-Key"] = admin
    if user:
        headers["X-API-Key"] = user
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{base_url}/{path}", data, headers, method=method)
    with urllib.request.urlopen(request) as answer:
        text = answer.read()
    return json.loads(text) if text else None


class Console:
    """A tab; its complaints are violations of the policy, errors, and requests to other hosts."""

    def __init__(self, context, base_url):
        self.base_url = base_url
        self.page = context.new_page()
        self.page.set_default_timeout(PATIENCE_MS)
        self.complaints = []
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", self._heard)
        self.page.on("request", self._asked)

    def _heard(self, message):
        # That a request was refused is what some tests are about.
        is_refusal = message.text.startswith("Failed to load resource")
        if message.type in ("error", "warning") and not is_refusal:
            self.complaints.append(message.text)

    def _asked(self, request):
        own = (self.base_url, self.base_url.replace("http", "ws"), "data:", "blob:")
        if not request.url.startswith(own):
            self.complaints.append(request.url)

    def open(self, path=""):
        self.page.goto(f"{self.base_url}/console/#/{path}")

    def shows(self, path):
        """Wait until the page of this address stands there, and nothing on it loads any more."""
        shown = path.split("?")[0]
        self.page.locator(f'main[data-shown="{shown}"]').wait_for()
        expect(self.page.locator("main .skeleton")).to_have_count(0)

    def sign_in(self, key, *, remember=False):
        self.open()
        self.page.get_by_label("Key", exact=True).fill(key)
        if remember:
            self.page.get_by_label("Remember in this tab").check()
        self.page.get_by_role("button", name="Sign in").click()
        self.page.get_by_role("button", name="Sign out").wait_for()
        return self

    def go(self, name):
        """Follow the navigation to a page, and wait for its title."""
        self.page.get_by_role("navigation", name="Pages").get_by_role("link", name=name).click()
        self.title(name)

    def title(self, text):
        self.page.get_by_role("heading", level=1, name=text, exact=True).wait_for()

    def press(self, name, *, within=None, exact=True):
        (within or self.page).get_by_role("button", name=name, exact=exact).click()

    def dialog(self, title):
        dialog = self.page.get_by_role("dialog", name=title)
        dialog.wait_for()
        return dialog

    def said(self, text):
        """Wait for what the console says in its corner, to screen readers too."""
        self.page.get_by_role("status").get_by_text(text).wait_for()

    def row(self, table, text):
        return self.page.get_by_role("region", name=table, exact=True).get_by_role("row").filter(
            has_text=text
        )

    def revealed(self, name="key"):
        """The new key, secret or link that a dialog shows this once; closes it."""
        secret = self.page.get_by_label(f"The new {name}").inner_text()
        self.press("Done")
        self.page.get_by_role("dialog").wait_for(state="detached")
        return secret

    def picture(self, name):
        if folder := os.environ.get("VOMEET_PICTURES"):
            self.page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


@contextmanager
def console(browser, base_url, *, viewport=DESKTOP, **settings):
    """A tab in a context of its own; complaints fail the test."""
    context = browser.new_context(viewport=viewport, **settings)
    tab = Console(context, base_url)
    yield tab
    context.close()
    assert tab.complaints == []
