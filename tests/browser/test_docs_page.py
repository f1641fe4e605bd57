"""/docs in a real browser: it loads offline under its own policy, and Authorize sends the right header."""

import os
import re
import shutil
import sys
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "python"))
from live_server import ADMIN_KEY, running

FLAGS = [
    "--no-sandbox",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
]
OUTSIDE = "http://outside.invalid/"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with running(tmp_path_factory.mktemp("docs")) as base_url:
        yield base_url


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        chromium = shutil.which("chromium") or shutil.which("google-chrome")
        assert chromium, "this test needs Chromium: apt-get install chromium"
        yield playwright.chromium.launch(executable_path=chromium, args=FLAGS)


@pytest.fixture
def page(browser, server):
    """The open documentation; whatever it asks of another host, or complains of, is a fault."""
    page = browser.new_page(viewport={"width": 1200, "height": 1500})
    complaints = []
    page.on(
        "console",
        lambda message: complaints.append(message.text) if message.type == "error" else None,
    )
    page.on(
        "request",
        lambda request: complaints.append(request.url) if foreign(request.url, server) else None,
    )
    page.goto(f"{server}/docs")
    page.wait_for_selector(".opblock")
    yield page
    page.close()
    assert complaints == []


def foreign(url, server):
    return not url.startswith((server, "data:"))


def authorize(page, scheme, key):
    page.click("button.btn.authorize")
    form = page.locator("div.auth-container", has=page.locator("h4", has_text=re.compile(rf"{scheme}\b")))
    form.locator("input").fill(key)
    form.locator("button[type=submit]").click()
    page.click("button.btn-done")


def execute(page, operation):
    """Run an operation from the page and give the request and the answer."""
    block = page.locator(f"[id$='-{operation}']")
    block.locator(".opblock-summary-control").click()
    with page.expect_response(
        lambda response: response.request.resource_type == "fetch"
    ) as answered:
        block.locator("button.execute").click()
    return answered.value.request, answered.value


def picture(page, name):
    if folder := os.environ.get("VOMEET_PICTURES"):
        page.screenshot(path=Path(folder) / f"{name}.png")


def test_the_admin_key_goes_into_its_header(page):
    authorize(page, "AdminKey", ADMIN_KEY)
    request, answer = execute(page, "listUsers")
    assert request.headers["x-admin-api-key"] == ADMIN_KEY
    assert "x-api-key" not in request.headers
    assert (answer.status, answer.json()) == (200, [])
    picture(page, "docs-admin")


def test_a_user_token_goes_into_its_header(page, server):
    token = token_for(page, server)
    authorize(page, "ApiToken", token)
    request, answer = execute(page, "getCaller")
    assert request.headers["x-api-key"] == token
    assert "x-admin-api-key" not in request.headers
    assert (answer.status, answer.json()["email"]) == (200, "page@example.com")
    picture(page, "docs-user")


def test_the_policy_keeps_foreign_scripts_out(browser, server):
    """The negative control: what the page may not load is refused, and seen to be."""
    page = browser.new_page()
    complaints = []
    page.on("console", lambda message: complaints.append(message.text))
    page.goto(f"{server}/docs")
    page.evaluate(
        "url => { const s = document.createElement('script'); s.src = url; document.body.append(s) }",
        OUTSIDE,
    )
    page.wait_for_function("() => true")
    page.close()
    assert any("Content Security Policy" in text for text in complaints), complaints


def token_for(page, server):
    headers = {"X-Admin-API-Key": ADMIN_KEY}
    user = page.request.post(
        f"{server}/admin/users", headers=headers, data={"email": "page@example.com"}
    ).json()
    return page.request.post(f"{server}/admin/users/{user['id']}/tokens", headers=headers).json()[
        "token"
    ]
