"""A PostgreSQL of the distribution, started for a test in a folder of its own, reached by its socket alone."""

import glob
import os
import shutil
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

# PostgreSQL does not run as root.
NOBODY = 65534
SECONDS = 60
PAUSE_SECONDS = 0.05
FOLDERS = [
    "/usr/lib/postgresql/*/bin",
    "/usr/libexec/postgresql*",
    "/opt/homebrew/opt/postgresql*/bin",
]


def program(name):
    """Find a program of PostgreSQL; distributions keep those of the server out of PATH."""
    for folder in sorted(path for pattern in FOLDERS for path in glob.glob(pattern)):
        if os.access(f"{folder}/{name}", os.X_OK):
            return f"{folder}/{name}"
    found = shutil.which(name)
    assert found, f"{name} of PostgreSQL is missing; tests/prerequisites.sh python installs it"
    return found


def _who():
    """Whom the server runs as."""
    return {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}


class Postgres:
    """A running server."""

    def __init__(self, folder):
        self.folder = folder

    def _run(self, name, *arguments, text=None):
        # The client may be older than the server, where PATH names one: that of the server is taken.
        done = subprocess.run(
            [program(name), "--host", self.folder, "--username", "postgres", *arguments],
            input=text,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert done.returncode == 0, f"{name}: {done.stderr}"
        return done.stdout

    def create(self, database, statements):
        """Create a database and fill it."""
        self._run(
            "psql", "--dbname", "postgres", "--quiet", "--command", f"CREATE DATABASE {database}"
        )
        strict = ["--set", "ON_ERROR_STOP=1", "--no-psqlrc", "--quiet"]
        self._run("psql", "--dbname", database, *strict, text=statements)

    def rows(self, database, query):
        """Ask for rows of text, apart by a character that no value has."""
        output = self._run(
            "psql",
            "--dbname",
            database,
            "--no-psqlrc",
            "--tuples-only",
            "--no-align",
            "--field-separator",
            "\x1f",
            "--record-separator",
            "\x1e",
            "--command",
            query,
        )
        return [row.split("\x1f") for row in output.rstrip("\n").split("\x1e") if row]

    def dump(self, database, file, *arguments):
        """Write a dump as its own pg_dump writes it."""
        self._run("pg_dump", "--dbname", database, "--file", str(file), *arguments)


@contextmanager
def running():
    """Start a server without a network, give it, stop it and remove what it wrote."""
    folder = tempfile.mkdtemp(prefix="vomeet-postgres-")
    try:
        if os.geteuid() == 0:
            os.chown(folder, NOBODY, NOBODY)
        data = f"{folder}/data"
        made = [
            program("initdb"),
            "--pgdata",
            data,
            "--username",
            "postgres",
            "--auth",
            "trust",
            "--encoding",
            "UTF8",
            "--locale",
            "C",
            "--no-sync",
        ]
        subprocess.run(made, cwd=folder, check=True, capture_output=True, timeout=SECONDS, **_who())
        options = [
            "-c",
            "listen_addresses=",
            "-c",
            f"unix_socket_directories={folder}",
            "-c",
            "fsync=off",
        ]
        with Path(folder, "log").open("w") as log:
            server = subprocess.Popen(
                [program("postgres"), "-D", data, *options],
                cwd=folder,
                stdout=log,
                stderr=log,
                **_who(),
            )
        try:
            _wait(folder, server)
            yield Postgres(folder)
        finally:
            server.terminate()
            server.wait(timeout=SECONDS)
    finally:
        shutil.rmtree(folder)


def _wait(folder, server):
    """Wait until the server takes connections."""
    end = time.monotonic() + SECONDS
    while (
        subprocess.run([program("pg_isready"), "--quiet", "--host", folder], check=False).returncode
        != 0
    ):
        assert server.poll() is None and time.monotonic() < end, Path(folder, "log").read_text()
        time.sleep(PAUSE_SECONDS)
