"""A public linter is content with the OpenAPI document, and the clients that generators make of it work."""

import importlib
import json
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from live_server import ADMIN_KEY, REPOSITORY, running
from openapi_spec_validator import validate

SECONDS = 300
SOURCES = REPOSITORY / "tests" / "openapi"
MODULES = REPOSITORY / ".venv" / "node" / "node_modules"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with running(tmp_path_factory.mktemp("clients")) as base_url:
        yield base_url


@pytest.fixture(scope="module")
def folder(server, tmp_path_factory):
    """The document of the server, beside what the tools of Node need."""
    folder = tmp_path_factory.mktemp("generated")
    with urllib.request.urlopen(f"{server}/openapi.json") as answer:
        (folder / "openapi.json").write_bytes(answer.read())
    for name in ["package.json", "client.ts", "redocly.yaml"]:
        shutil.copy(SOURCES / name, folder / name)
    (folder / "node_modules").symlink_to(MODULES)
    return folder


def run(folder, *command):
    """Run a command, and give what it printed; it must end well."""
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert done.returncode == 0, (
        f"{command} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
    )
    return done.stdout + done.stderr


def test_the_document_is_valid(folder):
    validate(json.loads((folder / "openapi.json").read_text()))


def lint(folder, name):
    """What the linter says of a document."""
    return subprocess.run(
        [MODULES / ".bin" / "redocly", "lint", name, "--format", "json"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


def test_the_linter_finds_nothing(folder):
    done = lint(folder, "openapi.json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["problems"] == []


def test_the_linter_would_find_an_operation_without_security(folder):
    document = json.loads((folder / "openapi.json").read_text())
    del document["paths"]["/user"]["get"]["security"]
    (folder / "open.json").write_text(json.dumps(document))
    done = lint(folder, "open.json")
    assert "security-defined" in done.stdout, done.stdout + done.stderr


def test_a_generated_typescript_client_compiles_and_works(folder, server):
    tools = MODULES / ".bin"
    run(folder, tools / "openapi-typescript", "openapi.json", "--output", "api.d.ts")
    strict = ["--strict", "--target", "es2022", "--module", "nodenext", "--skipLibCheck"]
    run(folder, tools / "tsc", *strict, "client.ts")
    said = run(folder, "node", "client.js", server, ADMIN_KEY)
    assert said == "typed@example.com typed User not found\n"


def test_a_generated_python_client_works(folder, server):
    config = folder / "config.json"
    # A line of JSON for each entry: the generator knows it as text alone.
    config.write_text(
        json.dumps(
            {
                "content_type_overrides": {
                    "application/jsonl": "text/plain",
                    "audio/ogg": "application/octet-stream",
                    "audio/wav": "application/octet-stream",
                },
                "post_hooks": [],
            }
        )
    )
    generator = Path(sys.executable).parent / "openapi-python-client"
    said = run(
        folder,
        *(generator, "generate", "--path", "openapi.json", "--config", config),
        *("--meta", "none", "--output-path", folder / "generated_client"),
    )
    assert "WARNING" not in said.upper(), said
    sys.path.insert(0, str(folder))
    try:
        client = importlib.import_module("generated_client.client")
        models = importlib.import_module("generated_client.models")
        create_user = importlib.import_module("generated_client.api.users_admin.create_user")
        create_token = importlib.import_module("generated_client.api.tokens_admin.create_token")
        get_caller = importlib.import_module("generated_client.api.the_caller.get_caller")
        admin = client.AuthenticatedClient(
            base_url=server, token=ADMIN_KEY, prefix="", auth_header_name="X-Admin-API-Key"
        )
        body = models.CreateUserBody(email="generated@example.com")
        user = create_user.sync(client=admin, body=body)
        body = models.CreateTokenBody(name="generated")
        token = create_token.sync(id=user.id, client=admin, body=body)
        mine = client.AuthenticatedClient(
            base_url=server, token=token.token, prefix="", auth_header_name="X-API-Key"
        )
        caller = get_caller.sync(client=mine)
        assert (caller.email, caller.token.name) == ("generated@example.com", "generated")
    finally:
        sys.path.remove(str(folder))
