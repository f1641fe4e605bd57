"""schemathesis reads /openapi.json of a live server and finds nothing that it does not keep."""

import subprocess
import sys
from pathlib import Path

from live_server import ADMIN_KEY
from vomeet_client import VomeetClient

EXAMPLES = 30
SEED = 1
RUN_SECONDS = 900

# A change of user that names another e-mail address is valid JSON, and refused: no schema can say so.
CONFIG = """
[auth.openapi.AdminKey]
api_key = "{admin_key}"

[auth.openapi.UserToken]
api_key = "{user_token}"

[[operations]]
include-name = "PATCH /admin/users/{{id}}"
checks.positive_data_acceptance.expected-statuses = ["2xx", "400", "404"]

# A WebSocket: whatever speaks HTTP alone is answered 426.
[[operations]]
include-name = "GET /ws"
enabled = false
"""


def test_the_server_keeps_what_its_openapi_document_says(fresh_server, tmp_path, capsys):
    admin = VomeetClient(fresh_server, admin_key=ADMIN_KEY)
    user = admin.create_user("schemathesis@example.com", max_concurrent_bots=2)
    token = admin.create_token(user["id"])["token"]
    config = CONFIG.format(admin_key=ADMIN_KEY, user_token=token)
    (tmp_path / "schemathesis.toml").write_text(config)
    done = subprocess.run(
        [
            Path(sys.executable).with_name("schemathesis"),
            "run",
            f"{fresh_server}/openapi.json",
            "--checks=all",
            f"--max-examples={EXAMPLES}",
            f"--seed={SEED}",
            "--no-color",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS,
        check=False,
    )
    with capsys.disabled():
        print("\n" + done.stdout[done.stdout.find("SUMMARY") :])
    assert done.returncode == 0, done.stdout + done.stderr
