"""Backups in a store that speaks S3: uploaded, deleted there, fetched; what happens when that fails."""

import json
import os
import signal
import sqlite3
import subprocess
import urllib.request

import pytest
from live_server import binary, running
from s3_server import (
    bucket_in,
    command,
    objects,
    owner_backup,
    server,
    settings,
    upload_of,
    wait_for,
    wait_until_uploaded,
)

# More than one part of 16 MiB.
ROWS = 5500


@pytest.fixture
def bucket(tmp_path):
    """A proxy before a store, and the folder that the bucket is."""
    with bucket_in(tmp_path) as found:
        yield found


def test_backups_are_uploaded_deleted_by_keep_and_fetched(tmp_path, bucket):
    proxy, objects_folder = bucket
    folder = tmp_path / "server"
    variables = settings(folder, proxy)
    prefix = objects_folder / "of vomeet"
    prefix.mkdir()
    foreign = [
        "vomeet-20200101T000000.000Z.db",
        "of vomeet/ü mine.db",
        "of vomeet/ü vomeet-2020.db",
    ]
    for name in foreign:
        (objects_folder / name).write_text("somebody else's")
    with server(folder, variables) as (admin, url):
        for _ in range(2):
            name = owner_backup(folder, variables)
            newest = f"of vomeet/ü {name}"
            wait_for(lambda newest=newest: objects(objects_folder) == sorted([newest, *foreign]))
        assert upload_of(admin)["to"].startswith(proxy.url)
        metrics = urllib.request.urlopen(f"{url}/metrics").read().decode()
        assert "vomeet_backup_upload_failures_total 0" in metrics
        assert "vomeet_backup_upload_last_success_timestamp_seconds 1" in metrics
    for arguments in [(), (name,)]:
        machine = tmp_path / f"empty{len(arguments)}"
        machine.mkdir()
        fetched = command(machine, variables, "backup", "fetch", *arguments, "--output", "json")
        assert fetched.returncode == 0, fetched.stderr
        file = machine / name
        assert file.read_bytes() == (objects_folder / newest).read_bytes()
        assert file.stat().st_mode & 0o777 == 0o600
        assert json.loads(fetched.stdout)["bytes"] == file.stat().st_size
    again = command(machine, variables, "backup", "fetch")
    assert again.returncode == 6 and "exists" in again.stderr
    other = command(machine, variables, "backup", "fetch", "vomeet-x.db")
    assert other.returncode == 4 and name in other.stderr


def test_an_admin_key_deletes_nothing_in_the_store(tmp_path, bucket):
    proxy, objects_folder = bucket
    folder = tmp_path / "server"
    variables = settings(folder, proxy, VOMEET_BACKUP_S3_PREFIX="", VOMEET_BACKUP_KEEP="2")
    with server(folder, variables) as (admin, _):
        names = [owner_backup(folder, variables)]
        wait_for(lambda: objects(objects_folder) == names)
        for _ in range(3):
            made = admin.create_backup()
            names.append(made["file"].rsplit("/", 1)[1])
            wait_until_uploaded(admin, made["at"])
        # What is due after one upload is deleted before the next begins.
        assert objects(objects_folder) == names
        assert [line for line in proxy.lines if line.startswith("DELETE")] == []
        names.append(owner_backup(folder, variables))
        wait_for(lambda: objects(objects_folder) == names[-2:])


def test_what_cannot_be_deleted_is_no_failed_upload_and_in_nobodys_way(tmp_path, bucket):
    proxy, objects_folder = bucket
    folder = tmp_path / "server"
    variables = settings(folder, proxy, VOMEET_BACKUP_S3_PREFIX="")
    stays = []

    def fault(line):
        if not line.startswith("DELETE"):
            return None
        if ".sha256" in line:
            return "404"
        return "403" if any(name in line for name in stays) else None

    proxy.fault = fault
    with server(folder, variables) as (admin, _):
        stays.append(owner_backup(folder, variables))
        for _ in range(2):
            newest = owner_backup(folder, variables)
            wait_for(lambda newest=newest: objects(objects_folder) == [*stays, newest])
        log = folder / "stderr.log"
        wait_for(lambda: "old backups stay in the store" in log.read_text())
        upload = upload_of(admin)
        assert (upload["last_failure"], upload["failures"]) == (None, 0)
        stays.clear()
        newest = owner_backup(folder, variables)
        wait_for(lambda: objects(objects_folder) == [newest])


def test_a_fetch_that_breaks_leaves_nothing_that_blocks_the_next(tmp_path, bucket):
    proxy, objects_folder = bucket
    folder, machine = tmp_path / "server", tmp_path / "empty"
    variables = settings(folder, proxy, VOMEET_BACKUP_S3_PREFIX="")
    with server(folder, variables):
        name = owner_backup(folder, variables)
        wait_for(lambda: objects(objects_folder) == [name])
    machine.mkdir()

    def fault_of_get(kind):
        return lambda line: kind if line.startswith(f"GET /copies/{name}") else None

    proxy.fault = fault_of_get("half")
    broken = command(machine, variables, "backup", "fetch")
    assert broken.returncode != 0 and "cannot be fetched" in broken.stderr, broken
    assert list(machine.iterdir()) == []
    whole = (objects_folder / name).read_bytes()
    proxy.fault = fault_of_get(None)
    (objects_folder / name).write_bytes(whole[:-4096])
    damaged = command(machine, variables, "backup", "fetch")
    assert damaged.returncode == 14 and name in damaged.stderr, damaged
    assert ".partial" not in damaged.stderr, damaged
    assert list(machine.iterdir()) == []
    (objects_folder / name).write_bytes(whole)
    # A signal in the middle, and a kill, which leaves a part.
    proxy.fault = fault_of_get("stall")
    for number, left in [(signal.SIGINT, 0), (signal.SIGKILL, 1)]:
        line = [binary(), "backup", "fetch"]
        environment = {"PATH": os.environ["PATH"], **variables}
        running_fetch = subprocess.Popen(
            line, cwd=machine, env=environment, stderr=subprocess.DEVNULL
        )
        wait_for(lambda: any(path.stat().st_size for path in machine.iterdir()))
        running_fetch.send_signal(number)
        assert running_fetch.wait() != 0
        assert len(list(machine.iterdir())) == left
    proxy.fault = fault_of_get(None)
    fetched = command(machine, variables, "backup", "fetch")
    assert fetched.returncode == 0 and "is good" in fetched.stderr, fetched
    assert [path.name for path in machine.iterdir()] == [name]
    assert (machine / name).read_bytes() == whole


def fill(folder, variables):
    """Make a database whose backup is uploaded in parts."""
    assert command(folder, variables, "user", "add", "a@example.com").returncode == 0
    with sqlite3.connect(folder / "vomeet.db") as database:
        rows = ((f"{n}", f"{n}", json.dumps({"x": "x" * 3500})) for n in range(ROWS))
        insert = "INSERT INTO users (email, email_key, max_concurrent_bots, data, created_at) VALUES (?, ?, 1, ?, 0)"
        database.executemany(insert, rows)
    database.close()


def test_a_large_one_goes_in_parts_through_503_and_broken_connections(tmp_path, bucket):
    proxy, objects_folder = bucket
    folder = tmp_path / "server"
    variables = settings(folder, proxy, VOMEET_BACKUP_S3_PREFIX="")
    fill(folder, variables)
    # Parts fail for good: nothing is there, and nothing stays.
    proxy.fault = lambda line: "503" if "partNumber=2" in line else None
    with server(folder, variables) as (admin, _):
        name = admin.create_backup()["file"].rsplit("/", 1)[1]
        failure = wait_for(lambda: upload_of(admin)["last_failure"])
        assert "503" in failure["why"], failure
        assert objects(objects_folder) == []
        aborts = [line for line in proxy.lines if line.startswith("DELETE") and "uploadId" in line]
        assert aborts, proxy.lines
        told = command(folder, variables, "doctor")
        assert "backup_upload_failed" in told.stdout + told.stderr
        # Each part fails once, the one way or the other.
        seen = set()

        def once(line):
            part = next(
                (part for part in ("partNumber=1", "partNumber=2") if part in line),
                None,
            )
            if part is None or part in seen:
                return None
            seen.add(part)
            return "cut" if part == "partNumber=1" else "503"

        proxy.fault = once
        wait_for(lambda: upload_of(admin)["last_failure"] is None)
        assert seen == {"partNumber=1", "partNumber=2"}
        assert objects(objects_folder) == [name]
        assert (objects_folder / name).read_bytes() == (folder / "backups" / name).read_bytes()


def test_a_stop_leaves_no_parts_of_an_upload(tmp_path, bucket):
    proxy, objects_folder = bucket
    folder = tmp_path / "server"
    variables = settings(folder, proxy, VOMEET_BACKUP_S3_PREFIX="")
    fill(folder, variables)
    proxy.fault = lambda line: "hold" if "partNumber=2" in line else None

    def lines_of(method, parameter):
        return [line for line in proxy.lines if line.startswith(method) and parameter in line]

    with server(folder, variables):
        name = owner_backup(folder, variables)
        wait_for(lambda: lines_of("PUT", "partNumber=2"))
        assert lines_of("DELETE", "uploadId") == []
    assert len(lines_of("DELETE", "uploadId")) == 1
    assert objects(objects_folder) == []
    assert "may stay" not in (folder / "stderr.log").read_text()
    proxy.fault = lambda _line: None
    with server(folder, variables):
        wait_for(lambda: objects(objects_folder) == [name])


def test_a_wrong_key_is_told_in_one_sentence(tmp_path, bucket):
    proxy, objects_folder = bucket
    folder = tmp_path / "server"
    variables = settings(folder, proxy, secret="WRONG")
    with server(folder, variables) as (admin, url):
        admin.create_backup()
        failure = wait_for(lambda: upload_of(admin)["last_failure"])
        assert "refuses the key" in failure["why"] and "s3_credentials_file" in failure["why"]
        assert "WRONG" not in failure["why"]
        health = command(folder, variables, "doctor")
        assert "refuses the key" in health.stdout + health.stderr
        metrics = urllib.request.urlopen(f"{url}/metrics").read().decode()
        assert 'vomeet_health_finding{code="backup_upload_failed"} 1' in metrics
    assert "no backup is uploaded" in (folder / "stderr.log").read_text()
    assert objects(objects_folder) == []


def test_what_would_not_do_is_refused_at_the_start(tmp_path):
    folder = tmp_path / "server"
    folder.mkdir()
    readable = folder / "open"
    readable.write_text("aws_access_key_id = a\naws_secret_access_key = b\n")
    readable.chmod(0o644)
    empty = folder / "empty"
    empty.write_text("")
    empty.chmod(0o600)

    class Nowhere:
        url = "http://127.0.0.1:1"

    good = settings(folder, Nowhere)
    for change, wanted in [
        ({"S3_PLAIN": "false"}, "backups are not encrypted"),
        ({"S3_BUCKET": ""}, "belong together"),
        ({"FOLDER": ""}, "backup.folder is not"),
        ({"S3_ENDPOINT": "ftp://x"}, "should be an address such as"),
        ({"S3_CREDENTIALS_FILE": ""}, "s3_credentials_file is not"),
        ({"S3_CREDENTIALS_FILE": str(readable)}, "chmod 600"),
        ({"S3_CREDENTIALS_FILE": str(empty)}, "aws_access_key_id"),
        ({"S3_CREDENTIALS_FILE": str(folder / "gone")}, "cannot read"),
    ]:
        variables = {
            **good,
            **{f"VOMEET_BACKUP_{name}": value for name, value in change.items()},
        }
        ended = command(folder, variables, "serve", "--listen", "127.0.0.1:0")
        assert ended.returncode == 10, (change, ended)
        assert wanted in ended.stderr.splitlines()[0], (change, ended)
    credential = folder / "s3_credentials"
    credential.write_text(readable.read_text())
    given = {
        **good,
        "VOMEET_BACKUP_S3_CREDENTIALS_FILE": "",
        "CREDENTIALS_DIRECTORY": str(folder),
    }
    with running(folder, **given):
        pass
