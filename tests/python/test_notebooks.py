"""The notebooks run against a live server, from the first cell to the last, more than once."""

import nbformat
import pytest
from live_server import ADMIN_KEY, REPOSITORY, running
from nbclient import NotebookClient
from vomeet_client import VomeetClient

NOTEBOOKS = ["manage_users.ipynb", "0_basic_test.ipynb"]
LOOPBACK = "127.0.0.0/8"
CELL_SECONDS = 60


@pytest.fixture
def execute(tmp_path, monkeypatch):
    """Execute a notebook against a server, in a kernel of its own, and return it with its outputs."""
    monkeypatch.setenv("ADMIN_API_TOKEN", ADMIN_KEY)
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path))
    monkeypatch.delenv("MEETING_URL", raising=False)

    def execute(name, base_url):
        monkeypatch.setenv("VOMEET_URL", base_url)
        notebook = read(name)
        resources = {"metadata": {"path": str(tmp_path)}}
        NotebookClient(notebook, timeout=CELL_SECONDS, resources=resources).execute()
        return notebook

    return execute


def read(name):
    return nbformat.read(REPOSITORY / "nbs" / name, as_version=4)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def printed(notebook):
    return "".join(
        output.text
        for cell in code_cells(notebook)
        for output in cell.outputs
        if output.output_type == "stream"
    )


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_is_kept_clean(name):
    notebook = read(name)
    nbformat.validate(notebook)
    assert notebook.metadata.kernelspec.name == "python3"
    for cell in code_cells(notebook):
        assert (cell.outputs, cell.execution_count) == ([], None)


def test_manage_users_runs_twice_and_leaves_nothing_behind(execute, server, admin):
    before = admin.list_users()
    for _ in range(2):
        output = printed(execute("manage_users.ipynb", server))
        assert "403: Invalid API token" in output
        assert "404: User not found" in output
    assert admin.list_users() == before


def test_basic_test_without_a_runner_says_what_to_set(execute, server):
    output = printed(execute("0_basic_test.ipynb", server))
    assert "0 meetings so far" in output
    assert "No webhook: " in output
    assert "No bot was sent. " in output and "Set runner in section [bots]" in output
    assert "Heard" not in output


def test_basic_test_tells_the_whole_story_twice(execute, tmp_path):
    settings = {"VOMEET_BOTS_RUNNER": "demo", "VOMEET_WEBHOOKS_ALLOWED_NETWORKS": LOOPBACK}
    with running(tmp_path, **settings) as base_url:
        for before in range(2):
            output = printed(execute("0_basic_test.ipynb", base_url))
            for expected in [
                f"{before} meetings so far",
                "'has_secret': True",
                "'delivered': True",
                "The meeting is active",
                "Ada: Good morning, everybody. Shall we begin?",
                "Reconfiguration request accepted and sent to the bot.",
                "6 segments",
                "WEBVTT",
                "Ada: <mark>Good morning</mark>, everybody. Shall we begin?",
                "Stop request accepted and is being processed.",
                "The meeting is completed",
                "Participants: Ada, Grace, Lucía",
                "Languages: en, es",
                "active to stopping",
                "stopping to completed",
                "'unique_speakers': 3",
            ]:
                assert expected in output, f"{expected} is missing from {output}"
            heard = output.split("Heard: ")[1].splitlines()[0].split(", ")
            assert heard.count("meeting.status_change") == 5
        (meeting, _) = admin_meetings(base_url)
        assert meeting["status"] == "completed"
        assert meeting["data"]["completion_reason"] == "stopped"
        assert meeting["data"]["notes"] == "It works."


def admin_meetings(base_url):
    """Everybody's meetings, newest first."""
    return VomeetClient(base_url, admin_key=ADMIN_KEY).get_stats_meetings_users()["items"]
