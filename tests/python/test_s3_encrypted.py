"""Encrypted backups in a store that speaks S3, by a program with the feature `encryption`."""

import json
import os
import pty
import signal
import subprocess

import pytest
from live_server import binary
from s3_server import (
    bucket_in,
    command,
    objects,
    owner_backup,
    server,
    settings,
    upload_of,
    wait_for,
)

MAGIC = b"age-encryption.org/v1\n"


class Nowhere:
    """A store that nobody asks."""

    url = "http://127.0.0.1:1"


@pytest.fixture
def bucket(tmp_path):
    """A proxy before a store, and the folder that the bucket is."""
    with bucket_in(tmp_path) as found:
        yield found


@pytest.fixture(autouse=True)
def with_encryption():
    """`make test-python` builds the program with the feature."""
    version = subprocess.run([binary(), "--version"], capture_output=True, text=True, check=True)
    assert "encryption: on" in version.stdout, "cargo build --features encryption"


def encrypted(folder, proxy, **others):
    """The variables of a server whose backups are encrypted and uploaded, and the private key."""
    folder.mkdir()
    key = folder.parent / "backup.key"
    made = subprocess.run(
        [binary(), "backup", "key", key], capture_output=True, text=True, check=True
    )
    variables = settings(
        folder,
        proxy,
        VOMEET_BACKUP_S3_PREFIX="",
        VOMEET_BACKUP_S3_PLAIN="false",
        VOMEET_BACKUP_ENCRYPT_TO=made.stdout.strip(),
        **others,
    )
    return variables, key


def both(name):
    """A backup and its checksum."""
    return [name, f"{name}.sha256"]


def test_an_encrypted_one_goes_up_is_deleted_and_comes_back(tmp_path, bucket):
    proxy, store = bucket
    folder, machine = tmp_path / "server", tmp_path / "empty"
    variables, key = encrypted(folder, proxy)
    with server(folder, variables) as (admin, _):
        admin.create_user("one@example.com")
        first = owner_backup(folder, variables)
        wait_for(lambda: objects(store) == both(first))
        name = owner_backup(folder, variables)
        assert name.endswith(".db.age")
        wait_for(lambda: objects(store) == both(name))
        wait_for(lambda: upload_of(admin)["last_good_at"])
        listed = command(folder, variables, "backup", "list")
        assert listed.stdout.splitlines()[0].endswith("ENCRYPTED"), listed
        assert "The newest one in the store is of " in listed.stderr, listed
    for uploaded in both(name):
        assert (store / uploaded).read_bytes() == (folder / "backups" / uploaded).read_bytes()
    assert (store / name).read_bytes().startswith(MAGIC)

    machine.mkdir()
    fetched = command(machine, variables, "backup", "fetch")
    assert fetched.returncode == 0 and "as it was uploaded" in fetched.stderr, fetched
    assert sorted(path.name for path in machine.iterdir()) == both(name)
    with_key = ["--identity", str(key)]
    verified = command(machine, {}, "backup", "verify", name, *with_key, "--output", "json")
    assert verified.returncode == 0, verified
    assert json.loads(verified.stdout)["tables"]["users"] == 1
    restored = command(machine, {}, "restore", name, *with_key, "--without-old-file", "--yes")
    assert restored.returncode == 0, restored
    users = command(machine, {}, "user", "list", "--output", "json")
    assert "one@example.com" in users.stdout, users

    # Without its checksum it comes too, and with another one it does not.
    (store / f"{name}.sha256").unlink()
    for path in machine.iterdir():
        path.unlink()
    fetched = command(machine, variables, "backup", "fetch")
    assert fetched.returncode == 0 and "cannot be checked" in fetched.stderr, fetched
    (machine / name).unlink()
    checksum = (folder / "backups" / f"{name}.sha256").read_text()
    bytes_said, sha256 = checksum.splitlines()
    (store / f"{name}.sha256").write_text(f"{bytes_said}\n{'0' * 64}{sha256[64:]}\n")
    fetched = command(machine, variables, "backup", "fetch")
    assert fetched.returncode == 14 and "is not as it was written" in fetched.stderr, fetched
    assert list(machine.iterdir()) == []


def test_one_that_was_changed_in_the_folder_is_not_uploaded(tmp_path, bucket):
    proxy, store = bucket
    folder = tmp_path / "server"
    variables, _ = encrypted(folder, proxy)
    assert command(folder, variables, "user", "add", "one@example.com").returncode == 0
    name = owner_backup(folder, variables)
    file = folder / "backups" / name
    whole = file.read_bytes()
    file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with server(folder, variables) as (admin, _):
        failure = wait_for(lambda: upload_of(admin)["last_failure"])
        assert "has not the SHA-256 that it had" in failure["why"], failure
        assert name not in objects(store)
        file.write_bytes(whole)
        wait_for(lambda: name in objects(store))


def test_one_that_is_not_encrypted_stays_in_the_folder(tmp_path, bucket):
    proxy, store = bucket
    folder = tmp_path / "server"
    variables, _ = encrypted(folder, proxy)
    plain = {**variables, "VOMEET_BACKUP_ENCRYPT_TO": "", "VOMEET_BACKUP_S3_PLAIN": "true"}
    assert command(folder, variables, "user", "add", "one@example.com").returncode == 0
    left = owner_backup(folder, plain)
    assert left.endswith(".db")
    with server(folder, {**variables, "VOMEET_BACKUP_KEEP": "9"}) as (admin, _):
        # It has looked at the folder before, and found nothing to upload.
        wait_for(lambda: any("list-type=2" in line for line in proxy.lines))
        name = owner_backup(folder, variables)
        wait_for(lambda: objects(store) == both(name))
        assert upload_of(admin)["last_failure"] is None
    assert (folder / "backups" / left).exists()
    assert not any(line.startswith(f"PUT /copies/{left} ") for line in proxy.lines)


def test_an_interrupt_at_the_question_leaves_no_decrypted_copy(tmp_path):
    folder = tmp_path / "server"
    variables, key = encrypted(folder, Nowhere())
    assert command(folder, variables, "user", "add", "one@example.com").returncode == 0
    name = owner_backup(folder, variables)
    before = (folder / "vomeet.db").read_bytes()
    terminal, side = pty.openpty()
    line = [binary(), "restore", folder / "backups" / name, "--identity", key]
    restore = subprocess.Popen(line, cwd=folder, stdin=side, stderr=subprocess.PIPE)
    os.close(side)
    asked = b""
    while b"[y/N]" not in asked:
        piece = os.read(restore.stderr.fileno(), 65536)
        assert piece, asked
        asked += piece
    assert any(path.name.startswith("vomeet.db.restoring") for path in folder.iterdir())
    restore.send_signal(signal.SIGINT)
    _, said = restore.communicate()
    os.close(terminal)
    assert restore.returncode > 0 and b"nothing was changed" in said, (restore, said)
    assert (folder / "vomeet.db").read_bytes() == before
    assert [path.name for path in folder.iterdir() if "restor" in path.name] == []
