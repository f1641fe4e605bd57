"""schemathesis reads /openapi.json of a live server and finds no response that contradicts it."""

import subprocess
import sys
from pathlib import Path

import pytest
from live_server import ADMIN_KEY, running
from sound_engine import Engine
from vomeet_client import VomeetClient

EXAMPLES = 30
SEED = 1
REQUEST_SECONDS = 120
RUN_SECONDS = 900

# What is valid by itself and refused because of another field, or of nothing being there to change, no schema can say:
# another e-mail address, a meeting's id that is of the other platform, a change without a change, what is no URL, a day that
# no month has. And the contract
# answers 403 to every key that is missing.
CONFIG = """
[auth.openapi.AdminKey]
api_key = "{admin_key}"

[auth.openapi.ApiToken]
api_key = "{user_token}"

[[operations]]
include-name = "PATCH /admin/users/{{id}}"
checks.positive_data_acceptance.expected-statuses = ["2xx", "400", "404"]
checks.negative_data_rejection.expected-statuses = ["2xx", "400", "401", "403", "404", "422"]

[[operations]]
include-name = "PATCH /meetings/{{platform}}/{{native_meeting_id}}"
checks.positive_data_acceptance.expected-statuses = ["2xx", "400", "404"]

[[operations]]
include-name = "POST /bots"
checks.positive_data_acceptance.expected-statuses = ["2xx", "403", "409", "422"]

[[operations]]
include-name = "PUT /user/webhook"
checks.positive_data_acceptance.expected-statuses = ["2xx", "422"]

[[operations]]
include-name-regex = "^GET /(admin|user)/usage$"
checks.positive_data_acceptance.expected-statuses = ["2xx", "422"]

[[operations]]
include-name = "POST /user/tokens/rotate"
checks.positive_data_acceptance.expected-statuses = ["2xx", "403", "409", "429"]

# No more than the token in use may, and a few in an hour.
[[operations]]
include-name = "POST /user/tokens"
checks.positive_data_acceptance.expected-statuses = ["2xx", "403", "409", "422", "429"]

[[operations]]
include-name = "POST /bots/internal/segments"
checks.missing_required_header.expected-statuses = ["403"]

# More is taken than is asked for: an unknown query parameter is ignored, an empty text is absent, null is no body, digits in a
# text are a number, and a segment that cannot be read is refused by itself. What is refused, the Rust tests say field by field.
[[operations]]
include-name-regex = "^(GET /|POST /(bots|admin/keys/.*/rotate|admin/users/.*/tokens|user/tokens|user/webhooks/.*/rotate|bots/internal/segments|meetings/import)$)"
checks.negative_data_rejection.expected-statuses = ["2xx", "307", "400", "401", "403", "404", "409", "422", "426", "503"]

# Two times may be valid and their span not.
[[operations]]
include-name = "GET /admin/audit"
checks.positive_data_acceptance.expected-statuses = ["2xx", "422"]

# The form of a meeting's id depends on its platform.
[[operations]]
include-name-regex = "^(POST /admin/users/{{id}}/tokens|PATCH /admin/tokens/{{id}})$"
checks.positive_data_acceptance.expected-statuses = ["2xx", "404", "409", "422"]

# A cursor has a form of its own, and is for JSON alone.
[[operations]]
include-name-regex = "^GET /transcripts/({{platform}}/{{native_meeting_id}}|by-id/{{id}})$"
checks.positive_data_acceptance.expected-statuses = ["2xx", "3xx", "404", "422"]

# What a message of MCP may be, JSON-RPC says, and how it is refused.
[[operations]]
include-name = "POST /mcp"
checks.positive_data_acceptance.expected-statuses = ["2xx", "400", "404"]

# A file may be no sound, a page is named by its address alone, and a change changes something.
[[operations]]
include-name-regex = "^POST /(meetings/upload|meetings/import|v1/audio/transcriptions)$|^PUT /user/transcription$"
checks.positive_data_acceptance.expected-statuses = ["2xx", "400", "403", "409", "413", "415", "422", "429"]

# No member of `data` must be there, and none changes nothing; so it is with corrections.
[[operations]]
include-name-regex = "^PATCH /(meetings/{{id}}|transcripts/.*/(speakers|segments/{{segment_id}}))$"
checks.positive_data_acceptance.expected-statuses = ["2xx", "400", "404"]

# A webhook gets at least one event, and a change changes something.
[[operations]]
include-name-regex = "^(POST /user/webhooks|PATCH /user/webhooks/.*)$"
checks.positive_data_acceptance.expected-statuses = ["2xx", "400", "404", "409", "422"]

# WebSockets: whatever speaks HTTP alone is answered 426.
[[operations]]
include-name-regex = "^GET /(ws|whisper-live|jitsi|bots/internal/audio)$"
enabled = false
"""


# Whoever calls these takes the user or the token away that all the others are tried with.
LAST = "^(DELETE|PATCH) /admin/(users|tokens)/|^DELETE /user/tokens/|/tokens/.*rotate$"
# Most of the keys that are tried are wrong.
UNLIMITED = {
    "VOMEET_LIMITS_FAILED_KEYS_PER_MINUTE": "0",
    "VOMEET_LIMITS_REQUESTS_PER_MINUTE_TOKEN": "0",
    "VOMEET_LIMITS_REQUESTS_PER_MINUTE_USER": "0",
}


@pytest.fixture
def demo_server(tmp_path):
    """A server that looks at every wrong key."""
    engine = Engine("Good morning.")
    (tmp_path / "vomeet.toml").write_text(engine.settings("engine"))
    with running(tmp_path, VOMEET_BOTS_RUNNER="demo", **UNLIMITED) as base_url:
        yield base_url
    engine.close()


def test_the_server_keeps_what_its_openapi_document_says(demo_server, tmp_path, capsys):
    admin = VomeetClient(demo_server, admin_key=ADMIN_KEY)
    user = admin.create_user("schemathesis@example.com", max_concurrent_bots=2)
    token = admin.create_token(user["id"])["token"]
    config = CONFIG.format(admin_key=ADMIN_KEY, user_token=token)
    (tmp_path / "schemathesis.toml").write_text(config)
    for choice in (f"--exclude-name-regex={LAST}", f"--include-name-regex={LAST}"):
        done = run_schemathesis(demo_server, tmp_path, choice)
        with capsys.disabled():
            print("\n" + done.stdout[done.stdout.find("SUMMARY") :])
        assert done.returncode == 0, done.stdout + done.stderr


def run_schemathesis(base_url, folder, choice):
    return subprocess.run(
        [
            Path(sys.executable).with_name("schemathesis"),
            "run",
            f"{base_url}/openapi.json",
            "--checks=all",
            f"--max-examples={EXAMPLES}",
            f"--seed={SEED}",
            f"--request-timeout={REQUEST_SECONDS}",
            f"--max-response-time={REQUEST_SECONDS}",
            choice,
            "--no-color",
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS,
        check=False,
    )
