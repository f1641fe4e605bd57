"""What the tests share: live servers, and clients that speak to them."""

import pytest
from live_server import ADMIN_KEY, running
from vomeet_client import VomeetClient


def pytest_collection_modifyitems(items):
    """The longest test begins first, so that the others are done beside it."""
    items.sort(key=lambda item: "test_openapi.py" not in item.nodeid)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """The base URL of a server that the tests of one module share."""
    with running(tmp_path_factory.mktemp("server")) as base_url:
        yield base_url


@pytest.fixture
def fresh_server(tmp_path_factory):
    """The base URL of a server that one test has to itself."""
    with running(tmp_path_factory.mktemp("server")) as base_url:
        yield base_url


@pytest.fixture
def demo_server(tmp_path_factory):
    """The base URL of a server whose bots play a short meeting; one test has it to itself."""
    with running(tmp_path_factory.mktemp("server"), VOMEET_BOTS_RUNNER="demo") as base_url:
        yield base_url


@pytest.fixture
def admin(server):
    """Our client with the admin key."""
    return VomeetClient(server, admin_key=ADMIN_KEY)
