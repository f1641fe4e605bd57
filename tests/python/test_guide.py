"""Every command in the documents is run against a live server."""

import pytest
from documents import Reader, assert_same_shape, blocks_of, has_same_shape
from live_server import REPOSITORY

GUIDE = "docs/self-hosted-management.md"

# The blocks of each document that are not run, by their first lines.
NOT_RUN = {
    GUIDE: [
        "cargo run --release",
        "pip install --find-links http://localhost:18056/clients/ vomeet-client",
    ],
    "README.md": [
        "cargo run --release",
        "make test",
        "cargo build --release --features whisper",
        "VOMEET_BOTS_RUNNER=demo cargo run --release",
        "pip install --find-links http://localhost:18056/clients/ 'vomeet-client[live]'",
    ],
    # Each is run by a test of its own: test_bots.py, and the browser's tests of that bot.
    "docs/bots.md": [
        "import json, struct, sys, time, wave",
        "import json, os, signal, sys, time, urllib.request",
        "apt-get install chromium python3-venv",
    ],
    "docs/deployment.md": [
        "cargo run --release",
        "sudo target/release/vomeet service install",
        "sudo apt install ./target/package/vomeet_0.1.0-1_amd64.deb",
        "cd contrib/container",
        "docker build -f contrib/container/Containerfile -t vomeet .",
        "vomeet upgrade --check /var/lib/vomeet/vomeet.db",
        "vomeet compact",
    ],
    # Here without a server; test_command_line.py runs it with one.
    "docs/command-line.md": [
        "vomeet completions bash | sudo tee /etc/bash_completion.d/vomeet > /dev/null",
    ],
    "docs/clients.md": [],
    "docs/console.md": ["vomeet open"],
    "docs/demo.md": ["vomeet demo", "vomeet demo --speech --engine http://127.0.0.1:8000/v1"],
    "docs/webhooks.md": [
        'curl -X POST http://localhost:18056/user/webhook/test -H "X-API-Key: $API_TOKEN"',
        "{",
        "from standardwebhooks import Webhook",
    ],
    "docs/keys.md": [],
    "docs/jitsi.md": [
        "vomeet token create ada@example.com --name jitsi --platform jitsi --transcribe-only"
    ],
    "docs/recordings.md": [
        "vomeet user add ada@example.com",
        'curl -X POST "http://localhost:18056/meetings/upload?name=Weekly&start_time=2025-10-10T12:00:00Z" -H "X-API-Key: $API_TOKEN" -H "Content-Type: application/octet-stream" --data-binary @talk.wav',
        'curl http://localhost:18056/v1/audio/transcriptions -H "Authorization: Bearer $API_TOKEN" -F file=@talk.wav -F model=whisper-1',
        'curl -X POST "http://localhost:18056/meetings/import?start_time=2025-10-10T12:00:00Z&name=Weekly" -H "X-API-Key: $API_TOKEN" --data-binary @talk.srt',
    ],
    "docs/usage.md": [],
    "docs/limits.md": [],
    "docs/scanners.md": [
        "gitleaks git --config gitleaks.toml --exit-code 0 --report-format json --report-path report.json",
        "trufflehog git file://. --config trufflehog.yaml --no-verification --json > report.json",
    ],
    "clients/python/README.md": [
        "pip install --find-links http://localhost:18056/clients/ 'vomeet-client[live]'",
        'python clients/python/examples/live.py google_meet abc-defg-hij --key "$API_TOKEN"',
        "client.get_running_bots_status()",
    ],
}

# What the users of the guide have always typed.
COMMANDS = [
    "curl -X POST http://localhost:18056/admin/users \\",
    "curl -X POST http://localhost:18056/admin/users/1/tokens \\",
    "USER_RESPONSE=$(curl -s -X POST http://localhost:18056/admin/users \\",
    "USER_ID=$(echo $USER_RESPONSE | jq -r '.id')",
    "TOKEN_RESPONSE=$(curl -s -X POST http://localhost:18056/admin/users/${USER_ID}/tokens \\",
    "API_TOKEN=$(echo $TOKEN_RESPONSE | jq -r '.token')",
    'curl -X GET "http://localhost:18056/meetings" \\',
    'curl -X GET "http://localhost:18056/admin/users/email/user@example.com" \\',
    'curl -X GET "http://localhost:18056/admin/users/1" \\',
    'curl -X GET "http://localhost:18056/admin/users?skip=0&limit=100" \\',
    "curl -X PATCH http://localhost:18056/admin/users/1 \\",
    "curl -X DELETE http://localhost:18056/admin/tokens/1 \\",
    "curl http://localhost:18056/",
    '  -H "X-Admin-API-Key: token"',
    '  -H "X-API-Key: $API_TOKEN"',
    "from vomeet_client import VomeetClient",
    "admin_client = VomeetClient(",
    "user = admin_client.create_user(",
    "token_info = admin_client.create_token(user_id=user['id'])",
    'user_client = VomeetClient(base_url="http://localhost:18056", api_key=api_token)',
    "meetings = user_client.get_meetings()",
    'user = admin_client.get_user_by_email("user@example.com")',
    "users = admin_client.list_users(skip=0, limit=100)",
    "updated_user = admin_client.update_user(",
]


@pytest.mark.parametrize("document", NOT_RUN)
def test_every_block_of_a_document_works(document, demo_server, tmp_path):
    reader = Reader(demo_server, tmp_path)
    for block in blocks_of(REPOSITORY / document):
        if not block.reason:
            reader.follow(block)


@pytest.mark.parametrize(("document", "expected"), NOT_RUN.items(), ids=NOT_RUN)
def test_no_other_block_of_a_document_is_skipped(document, expected, capsys):
    skipped = [block for block in blocks_of(REPOSITORY / document) if block.reason]
    with capsys.disabled():
        print(f"\n{len(skipped)} blocks of {document} are not run:")
        for block in skipped:
            print(f"  {block.place} {block.title}: {block.reason}")
    assert [block.title for block in skipped] == expected


@pytest.mark.parametrize("document", NOT_RUN)
def test_a_document_has_no_block_that_the_tests_cannot_read(document):
    text = (REPOSITORY / document).read_text(encoding="utf-8")
    blocks = blocks_of(REPOSITORY / document)
    assert text.count("```") == 2 * len(blocks)
    assert text.count("<!-- not run") == sum(block.reason is not None for block in blocks)
    assert {block.language for block in blocks} <= {
        "bash",
        "python",
        "json",
        "text",
        "toml",
        "ini",
        "html",
        "nginx",
        "caddy",
        "haproxy",
    }


def test_the_guide_has_every_command_that_its_users_know():
    lines = {
        line
        for block in blocks_of(REPOSITORY / GUIDE)
        if not block.reason
        for line in block.code.splitlines()
    }
    assert [command for command in COMMANDS if command not in lines] == []


@pytest.mark.parametrize(
    "code",
    [
        "curl http://localhost:18056/admin/users",
        "ANSWER=$(curl http://localhost:18056/admin/users); echo $ANSWER",
        "false | true",
        "echo $NEVER_SET",
    ],
)
def test_the_reader_notices_a_command_that_fails(code, server, tmp_path):
    document = tmp_path / "wrong.md"
    document.write_text(f"```bash\n{code}\n```\n")
    (block,) = blocks_of(document)
    with pytest.raises(AssertionError, match="wrong.md:1 ended with"):
        Reader(server, tmp_path).follow(block)


def test_the_reader_carries_variables_from_block_to_block(server, tmp_path):
    document = tmp_path / "shared.md"
    document.write_text(
        "```bash\nA='two\nlines'\n```\n```bash\nprintf '%s' \"$A\"\n```\n"
        "```python\na = 1\n```\n```python\nb = a + 1\n```\n"
    )
    reader = Reader(server, tmp_path)
    for block in blocks_of(document):
        reader.follow(block)
    assert reader.last_output == "two\nlines"
    assert reader.namespace["b"] == 2


@pytest.mark.parametrize(
    ("documented", "actual", "same"),
    [
        ({"id": 1}, {"id": 7}, True),
        ({"id": 1}, {"id": "1"}, False),
        ({"id": 1}, {"id": 1, "name": None}, False),
        ({"id": 1, "name": None}, {"id": 1}, False),
        ({"id": 1, "…": "…"}, {"id": 7, "name": None}, True),
        ({"id": 1, "…": "…"}, {"id": 7}, True),
        ({"id": 1, "…": "…"}, {"name": None}, False),
        ({"id": 1, "…": "…"}, {"id": "1", "name": None}, False),
        ({"name": None}, {"name": "Ada"}, False),
        ([{"id": 1}], [{"id": "1"}, {"id": 7}], True),
        ([{"id": 1}], [], False),
        ([], [], True),
        ({"data": {"a": [1]}}, {"data": {"a": ["1"]}}, False),
    ],
)
def test_shapes(documented, actual, same):
    assert has_same_shape(documented, actual) is same
    if same:
        assert_same_shape(documented, actual, "here")
