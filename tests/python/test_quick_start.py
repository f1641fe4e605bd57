"""docs/quick-start.md followed in an empty folder: its files are those that its server starts with."""

from contextlib import ExitStack

from documents import Reader, blocks_of
from live_server import REPOSITORY, running

DOCUMENT = REPOSITORY / "docs/quick-start.md"
START = "VOMEET_BOTS_RUNNER=demo vomeet"
NOT_RUN = ["pip install --find-links http://localhost:18056/clients/ vomeet-client"]


def test_every_block_works_in_an_empty_folder(tmp_path):
    reader = Reader("http://localhost:18056", tmp_path)
    skipped = []
    with ExitStack() as stack:
        for block in blocks_of(DOCUMENT):
            if block.title == START:
                server = running(tmp_path, VOMEET_BOTS_RUNNER="demo")
                reader.base_url = stack.enter_context(server)
            elif block.reason:
                skipped.append(block.title)
            else:
                reader.follow(block)
                reader.namespace["API_TOKEN"] = reader.environment.get("API_TOKEN")
    assert skipped == NOT_RUN


def test_what_init_prints_is_what_the_document_shows(tmp_path):
    command, printed = blocks_of(DOCUMENT)[:2]
    reader = Reader("http://localhost:18056", tmp_path)
    reader.follow(command)
    assert reader.last_output == printed.code
