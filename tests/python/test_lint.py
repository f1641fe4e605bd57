"""The Python of this repository is formatted, free of lint, and the client is strictly typed."""

import subprocess
import sys

import pytest
from live_server import REPOSITORY

COMMANDS = [
    "ruff check --no-cache --config clients/python/pyproject.toml bots clients tests/python tests/room nbs",
    "ruff format --no-cache --config clients/python/pyproject.toml --check bots clients tests/python tests/room",
    "mypy --cache-dir=/dev/null --config-file clients/python/pyproject.toml clients/python/src clients/python/examples",
]


@pytest.mark.parametrize("command", COMMANDS)
def test_the_code_passes(command):
    done = subprocess.run(
        [sys.executable, "-m", *command.split()],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
