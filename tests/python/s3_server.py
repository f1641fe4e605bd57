"""A server whose backups are uploaded to a store that speaks S3, for tests."""

import json
import os
import subprocess
import time
from contextlib import contextmanager

import pytest
from live_server import ADMIN_KEY, binary, running
from s3_store import ACCESS_KEY, BUCKET, SECRET_KEY, Proxy, store
from vomeet_client import VomeetClient

PATIENCE_SECONDS = 180


@contextmanager
def bucket_in(tmp_path):
    """A proxy before a store, and the folder that the bucket is."""
    with store(tmp_path / "store") as port:
        proxy = Proxy(port)
        yield proxy, tmp_path / "store" / BUCKET
        proxy.close()


def settings(folder, proxy, secret=SECRET_KEY, **others):
    """The variables of a server whose backups are uploaded."""
    folder.mkdir(exist_ok=True)
    keys = folder / "s3-keys"
    keys.write_text(
        f"[default]\naws_access_key_id = {ACCESS_KEY}\naws_secret_access_key = {secret}\n"
    )
    keys.chmod(0o600)
    return {
        "VOMEET_BACKUP_FOLDER": str(folder / "backups"),
        "VOMEET_BACKUP_EVERY": "",
        "VOMEET_BACKUP_KEEP": "1",
        "VOMEET_BACKUP_S3_ENDPOINT": proxy.url,
        "VOMEET_BACKUP_S3_BUCKET": BUCKET,
        "VOMEET_BACKUP_S3_PREFIX": "of vomeet/ü ",
        "VOMEET_BACKUP_S3_CREDENTIALS_FILE": str(keys),
        "VOMEET_BACKUP_S3_PLAIN": "true",
        **others,
    }


@contextmanager
def server(folder, variables):
    """A server, and the client of its administrator."""
    with running(folder, **variables) as url:
        yield VomeetClient(url, admin_key=ADMIN_KEY, timeout=60), url


def wait_for(ask):
    """Ask until there is something."""
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        if found := ask():
            return found
        time.sleep(0.05)
    pytest.fail("it did not come")


def command(folder, variables, *arguments):
    """Run a command of `vomeet`."""
    environment = {"PATH": os.environ["PATH"], **variables}
    line = [binary(), *arguments]
    return subprocess.run(
        line, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def objects(folder):
    """The names of the objects, with those of other places; the store's own files are hidden."""
    paths = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return sorted(str(path) for path in paths if not path.name.startswith("."))


def upload_of(admin):
    """How uploads go."""
    return admin.list_backups()["upload"]


def owner_backup(folder, variables):
    """Make a backup as the owner of the database, and give its name."""
    made = command(folder, variables, "backup", "--output", "json")
    assert made.returncode == 0, made.stderr
    return json.loads(made.stdout)["file"].rsplit("/", 1)[1]


def wait_until_uploaded(admin, at):
    """Wait until the newest backup in the store is of this time."""
    wait_for(lambda: upload_of(admin)["last_good_at"] == at)
