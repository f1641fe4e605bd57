"""`vomeet open`: its link signs a tab in once, and does not stay in the tab's address."""

import subprocess

from console_page import console
from live_server import binary, running
from test_docs_page import browser  # noqa: F401

SECONDS = 60


def link_to(base_url, folder):
    """A new link to the console, by the address that the tests use."""
    done = subprocess.run(
        [binary(), "open", "--print"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=True,
    )
    _, secret = done.stdout.strip().split("/console/")
    return f"{base_url}/console/{secret}"


def test_a_link_signs_in_once_and_leaves_the_address(browser, tmp_path):  # noqa: F811
    with running(tmp_path) as base_url:
        link = link_to(base_url, tmp_path)
        with console(browser, base_url) as tab:
            tab.page.goto(link)
            tab.title("Overview")
            assert "open=" not in tab.page.url
            tab.go("Users")
            assert tab.page.evaluate("JSON.stringify(sessionStorage)") == "{}"
        with console(browser, base_url) as tab:
            tab.page.goto(link)
            tab.page.get_by_text("This link was used already").wait_for()
            tab.page.get_by_role("button", name="Sign in").wait_for()
