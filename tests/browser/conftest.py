"""What the tests of the console share: browser, a server whose bots play a meeting, and tabs."""

import sys
from pathlib import Path

import pytest
from console_page import ask, console

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "python"))
from live_server import ADMIN_KEY, running
from test_docs_page import browser  # noqa: F401


@pytest.fixture(scope="module")
def base_url(tmp_path_factory):
    """A server that the tests of one module share; its bots play a short meeting."""
    with running(tmp_path_factory.mktemp("console"), VOMEET_BOTS_RUNNER="demo") as base_url:
        yield base_url


@pytest.fixture
def tab(browser, base_url):  # noqa: F811
    """A tab in which nobody is signed in."""
    with console(browser, base_url) as tab:
        yield tab


@pytest.fixture
def admin(tab):
    """A tab in which an administrator is signed in."""
    return tab.sign_in(ADMIN_KEY)


@pytest.fixture
def person(base_url):
    """Makes a user with a token: {"id", "email", "token"}."""

    def make(email, **wishes):
        wish = {"email": email, "max_concurrent_bots": 3, **wishes}
        user = ask(base_url, "POST", "admin/users", wish, admin=ADMIN_KEY)
        path = f"admin/users/{user['id']}/tokens"
        token = ask(base_url, "POST", path, {"name": "laptop"}, admin=ADMIN_KEY)
        return {"id": user["id"], "email": email, "token": token["token"]}

    return make
