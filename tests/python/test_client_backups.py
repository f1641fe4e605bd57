"""Backups by our Python client, and the page about them, against live servers."""

import re
import subprocess
from pathlib import Path

import pytest
from documents import Reader, blocks_of
from live_server import ADMIN_KEY, REPOSITORY, binary, running
from shapes import assert_fits
from vomeet_client import VomeetClient, VomeetClientError, types

PAGE = REPOSITORY / "docs/backup.md"


def test_backups_are_made_and_listed(tmp_path):
    settings = {"VOMEET_BACKUP_FOLDER": str(tmp_path / "backups"), "VOMEET_BACKUP_EVERY": ""}
    with running(tmp_path, **settings) as base_url:
        admin = VomeetClient(base_url, admin_key=ADMIN_KEY)
        admin.create_user("ada@example.com")
        made = admin.create_backup()
        assert_fits(made, types.Backup)
        assert made["tables"]["users"] == 1
        assert Path(made["file"]).stat().st_size == made["bytes"]
        listed = admin.list_backups()
        assert_fits(listed, types.BackupList)
        assert [each["file"] for each in listed["backups"]] == [Path(made["file"]).name]


def test_without_a_folder_there_is_a_reason(admin):
    with pytest.raises(VomeetClientError, match="No folder of backups is configured") as caught:
        admin.create_backup()
    assert caught.value.status_code == 409


def follow_page(reader):
    """Do what the page says beside a server, after its settings were written."""
    for block in blocks_of(PAGE):
        if block.language == "bash" and "vomeet restore" in block.code:
            # It is for a server that was stopped.
            continue
        assert block.reason is None, f"{block.place} is not run"
        reader.follow(block)


def settings_of_page(directory):
    """Write the settings that the page shows to where the server and the commands find them."""
    block = next(block for block in blocks_of(PAGE) if block.language == "toml")
    (directory / "vomeet.toml").write_text(block.code, encoding="utf-8")


def test_the_page_works_beside_a_running_server(tmp_path):
    settings_of_page(tmp_path)
    with running(tmp_path) as base_url:
        VomeetClient(base_url, admin_key=ADMIN_KEY).create_user("ada@example.com")
        # The schedule begins with one, and the page with another.
        _until_there(tmp_path / "backups")
        follow_page(Reader(base_url, tmp_path))


def _until_there(folder):
    command = [binary(), "backup", "list", "--output", "json"]
    for _ in range(1000):
        listed = subprocess.run(
            command, cwd=folder.parent, capture_output=True, text=True, check=True
        )
        if '"verified":true' in listed.stdout:
            return
    pytest.fail("the schedule made no backup")


def test_the_commands_of_the_page_work_without_a_server(tmp_path):
    settings_of_page(tmp_path)
    subprocess.run([binary(), "user", "add", "ada@example.com"], cwd=tmp_path, check=True)
    reader = Reader("http://nobody.invalid", tmp_path)
    blocks = [block for block in blocks_of(PAGE) if block.language == "bash"]
    blocks = [block for block in blocks if not re.search(r"^curl", block.code, re.MULTILINE)]
    assert len(blocks) >= 3
    for block in blocks:
        reader.follow(block)
    kept = list(tmp_path.glob("vomeet.db.before-restore-*"))
    assert len(kept) == sum("vomeet restore" in block.code for block in blocks) >= 1
