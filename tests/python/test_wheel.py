"""The client that the server hands out: a real pip installs it, and it is what stands in clients/python."""

import base64
import hashlib
import html
import io
import json
import re
import subprocess
import sys
import sysconfig
import urllib.request
import zipfile
from email.parser import Parser

import pytest
import tomllib
from live_server import ADMIN_KEY, REPOSITORY

SECONDS = 300
CLIENT = REPOSITORY / "clients/python"
PROJECT = tomllib.loads((CLIENT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CALL = """
import json, sys, vomeet_client
client = vomeet_client.VomeetClient(sys.argv[1], admin_key=sys.argv[2])
print(json.dumps([vomeet_client.__file__, vomeet_client.__version__, client.list_users()]))
"""


def get(address):
    """Fetch an address."""
    with urllib.request.urlopen(address, timeout=SECONDS) as response:
        return response.read()


@pytest.fixture(scope="module")
def page(server):
    """The text of the page."""
    return html.unescape(get(f"{server}/clients/").decode())


@pytest.fixture(scope="module")
def name(page):
    """The name of the file."""
    return re.search(r'href="([^"#]+)#sha256=', page)[1]


@pytest.fixture(scope="module")
def wheel(server, name):
    """The file, opened."""
    return zipfile.ZipFile(io.BytesIO(get(f"{server}/clients/{name}")))


def run(*command):
    """Run a program to its end."""
    return subprocess.run(
        command, capture_output=True, text=True, timeout=SECONDS, check=False, env={"PATH": ""}
    )


class Installation:
    """A fresh virtual environment. What the client needs is lent to it, behind its own packages."""

    def __init__(self, folder):
        done = run(sys.executable, "-m", "venv", folder)
        assert done.returncode == 0, done
        self.folder = folder
        self.python = folder / "bin/python"
        (packages,) = folder.glob("lib/python*/site-packages")
        (packages / "lent.pth").write_text(sysconfig.get_path("purelib") + "\n")

    def install(self, *arguments):
        """Run pip, which is to ask no index."""
        options = ["--isolated", "--disable-pip-version-check", "install", "--no-cache-dir"]
        options += ["--no-index", "--no-deps", "--force-reinstall"]
        return run(self.python, "-m", "pip", *options, *arguments)

    def call(self, server):
        """Make a call with the client: its file, its version, and what the server responded."""
        done = run(self.python, "-c", CALL, server, ADMIN_KEY)
        assert done.returncode == 0, done
        return json.loads(done.stdout)


@pytest.fixture
def installation(tmp_path):
    return Installation(tmp_path / "venv")


def test_pip_installs_it_from_the_page_and_it_makes_a_call(server, installation):
    found = installation.install("--find-links", f"{server}/clients/", "vomeet-client")
    assert found.returncode == 0, found
    file, version, users = installation.call(server)
    assert file.startswith(str(installation.folder)), file
    assert version == json.loads(get(f"{server}/healthz"))["version"]
    assert users == []
    check = run(installation.python, "-m", "pip", "show", "--files", "vomeet-client")
    assert f"Version: {version}" in check.stdout, check
    assert "vomeet_client/_live.py" in check.stdout, check


def test_the_line_for_other_hosts_demands_this_very_file(server, page, installation):
    line = re.search(r"pip install '(vomeet-client @ [^']+#sha256=([0-9a-f]{64}))'", page)
    requirement, sha256 = line[1], line[2]
    found = installation.install(requirement)
    assert found.returncode == 0, found
    assert installation.call(server)[2] == []
    refused = installation.install(requirement.replace(sha256, sha256[::-1]))
    assert refused.returncode != 0, refused
    assert "THESE PACKAGES DO NOT MATCH THE HASHES" in refused.stderr, refused


def test_its_files_are_those_of_the_repository(wheel):
    sources = sorted(CLIENT.glob("src/vomeet_client/*.py")) + [
        CLIENT / "src/vomeet_client/py.typed"
    ]
    expected = {f"vomeet_client/{path.name}": path.read_bytes() for path in sources}
    names = [name for name in wheel.namelist() if name.startswith("vomeet_client/")]
    assert {name: wheel.read(name) for name in names} == expected


def test_the_same_files_give_the_same_bytes(wheel):
    *names, last = wheel.namelist()
    assert names == sorted(names)
    assert last.endswith(".dist-info/RECORD")
    assert {entry.date_time for entry in wheel.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    assert {entry.external_attr >> 16 for entry in wheel.infolist()} == {0o100644}


def test_its_record_has_every_file_with_its_hash(wheel):
    (record,) = [name for name in wheel.namelist() if name.endswith("/RECORD")]
    rows = [row.rsplit(",", 2) for row in wheel.read(record).decode().splitlines()]
    assert [path for path, _, _ in rows] == wheel.namelist()
    assert rows.pop() == [record, "", ""]
    for path, recorded, size in rows:
        content = wheel.read(path)
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        assert (recorded, int(size)) == (f"sha256={digest}", len(content)), path


def test_its_metadata_is_that_of_the_project(wheel):
    (path,) = [name for name in wheel.namelist() if name.endswith("/METADATA")]
    metadata = Parser().parsestr(wheel.read(path).decode())
    assert metadata["Name"] == PROJECT["name"]
    assert metadata["Summary"] == PROJECT["description"]
    assert metadata["License-Expression"] == PROJECT["license"]
    assert metadata["Requires-Python"] == PROJECT["requires-python"]
    extras = PROJECT["optional-dependencies"]
    assert metadata.get_all("Provides-Extra") == list(extras)
    wanted = list(PROJECT["dependencies"])
    wanted += [f"{needed}; extra == '{extra}'" for extra in extras for needed in extras[extra]]
    assert metadata.get_all("Requires-Dist") == wanted
    readme = (CLIENT / "README.md").read_text(encoding="utf-8")
    assert metadata.get_payload().strip() == readme.strip()
