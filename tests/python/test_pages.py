"""Pages that are followed beside a server in its own folder; and no page of docs/ is left out."""

import re

import pytest
from documents import Reader, blocks_of
from live_server import ADMIN_KEY, REPOSITORY, running
from test_guide import NOT_RUN
from vomeet_client import VomeetClient

DOCS = REPOSITORY / "docs"

# The blocks of each page here that are not run, by their first lines.
NOT_RUN_HERE = {
    "docs/api.md": [
        "pip install --find-links http://localhost:18056/clients/ 'vomeet-client[live]'",
    ],
    "docs/configured-users.md": [],
    "docs/operations.md": [],
    "docs/personal-data.md": [],
    "docs/transcription.md": [],
    "docs/transcripts.md": [],
    "docs/troubleshooting.md": [],
}
# Pages that ask about a meeting.
WITH_A_MEETING = {"docs/transcripts.md", "docs/troubleshooting.md"}
# Pages whose tests do more than to follow them.
FOLLOWED_ELSEWHERE = {
    "docs/backup.md": "test_client_backups.py",
    "docs/mcp.md": "test_mcp.py",
    "docs/monitoring.md": "test_monitoring.py",
    "docs/moving.md": "test_import.py",
    "docs/quick-start.md": "test_quick_start.py",
}
RUNNABLE = {"bash", "python", "json"}


def prepare(page, reader):
    """What a page takes for granted; the first user, where it creates its own, is its own."""
    if page == "docs/api.md":
        return
    admin = VomeetClient(reader.base_url, admin_key=ADMIN_KEY)
    users = [admin.create_user(f"{name}@example.com") for name in ("ada", "grace")]
    token = admin.create_token(user_id=users[0]["id"])["token"]
    (reader.directory / "token.txt").write_text(f"{token}\n", encoding="utf-8")
    reader.environment["ADMIN_API_TOKEN"] = ADMIN_KEY
    reader.environment["API_TOKEN"] = token
    if page in WITH_A_MEETING:
        admin.update_user(users[0]["id"], max_concurrent_bots=1)
        VomeetClient(reader.base_url, api_key=token).request_bot("google_meet", "abc-defg-hij")


@pytest.mark.parametrize("page", NOT_RUN_HERE)
def test_every_block_of_a_page_works_in_the_folder_of_a_server(page, tmp_path):
    skipped = []
    with running(tmp_path, VOMEET_BOTS_RUNNER="demo") as base_url:
        reader = Reader(base_url, tmp_path)
        prepare(page, reader)
        for block in blocks_of(REPOSITORY / page):
            if block.reason:
                skipped.append(block.title)
                continue
            reader.follow(block)
            reader.namespace.update(reader.environment)
    assert skipped == NOT_RUN_HERE[page]


@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=lambda page: page.name)
def test_a_page_with_examples_is_followed(page):
    name = f"docs/{page.name}"
    if {block.language for block in blocks_of(page)} & RUNNABLE:
        assert name in NOT_RUN or name in NOT_RUN_HERE or name in FOLLOWED_ELSEWHERE


@pytest.mark.parametrize(("page", "test"), FOLLOWED_ELSEWHERE.items())
def test_a_page_is_followed_where_it_is_said(page, test):
    text = (REPOSITORY / "tests/python" / test).read_text(encoding="utf-8")
    assert page.split("/")[1] in text
    assert "blocks_of" in text


@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=lambda page: page.name)
def test_no_block_of_a_page_is_overlooked(page):
    text = page.read_text(encoding="utf-8")
    assert len(re.findall("^```", text, re.MULTILINE)) == 2 * len(blocks_of(page))
