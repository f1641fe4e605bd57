"""The notebooks run against a live server, from the first cell to the last, more than once."""

import nbformat
import pytest
from live_server import ADMIN_KEY, REPOSITORY
from nbclient import NotebookClient

NOTEBOOKS = ["manage_users.ipynb", "0_basic_test.ipynb"]
CELL_SECONDS = 60


@pytest.fixture
def run(server, tmp_path, monkeypatch):
    """Execute a notebook in a kernel of its own and return it with its outputs."""
    monkeypatch.setenv("VOMEET_URL", server)
    monkeypatch.setenv("ADMIN_API_TOKEN", ADMIN_KEY)
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path))
    monkeypatch.delenv("MEETING_URL", raising=False)

    def run(name):
        notebook = read(name)
        resources = {"metadata": {"path": str(tmp_path)}}
        NotebookClient(notebook, timeout=CELL_SECONDS, resources=resources).execute()
        return notebook

    return run


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


def test_manage_users_runs_twice_and_leaves_nothing_behind(run, admin):
    before = admin.list_users()
    for _ in range(2):
        output = printed(run("manage_users.ipynb"))
        assert "403: Invalid API token" in output
        assert "404: User not found" in output
    assert admin.list_users() == before


def test_basic_test_runs_twice(run):
    for _ in range(2):
        output = printed(run("0_basic_test.ipynb"))
        assert "0 meetings" in output
        assert "no bot was asked for" in output
