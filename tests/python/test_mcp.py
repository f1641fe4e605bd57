"""The published client of the Model Context Protocol, over HTTP and over `vomeet mcp`; and docs/mcp.md followed."""

import asyncio
import json
import time

import httpx2
import pytest
from documents import Reader, blocks_of
from live_server import ADMIN_KEY, REPOSITORY, binary, running
from mcp import Client, MCPError, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client
from vomeet_client import VomeetClient

DOCUMENT = REPOSITORY / "docs/mcp.md"
NOT_RUN = [
    '{"mcpServers": {"vomeet": {"command": "vomeet", "args": ["mcp", "--url", "https://vomeet.example.com", "--token-file", "/home/ada/vomeet-token"]}}}'
]
MEETING = {"platform": "google_meet", "native_meeting_id": "abc-defg-hij"}
READING = {
    "parse_meeting_link",
    "list_meetings",
    "get_transcript",
    "search_transcripts",
    "get_notes",
    "get_bot_status",
}
ACTING = {"send_bot", "stop_bot", "update_notes"}
# The newest version of the protocol, which the client finds by itself, and those with a handshake.
MODES = ["auto", "legacy"]
PATIENCE_SECONDS = 60


def token_for(base_url, **scope):
    """A token of a user who may run a bot."""
    admin = VomeetClient(base_url, admin_key=ADMIN_KEY)
    user = admin.create_user("ada@example.com", max_concurrent_bots=1)
    return admin.create_token(user_id=user["id"], **scope)["token"]


class OverHttp:
    """A client of `/mcp`."""

    def __init__(self, base_url, token, mode):
        self.base_url, self.token, self.mode = base_url, token, mode

    async def __aenter__(self):
        self.http = httpx2.AsyncClient(headers={"Authorization": f"Bearer {self.token}"})
        await self.http.__aenter__()
        transport = streamable_http_client(f"{self.base_url}/mcp", http_client=self.http)
        self.client = Client(transport, mode=self.mode)
        return await self.client.__aenter__()

    async def __aexit__(self, *error):
        await self.client.__aexit__(*error)
        await self.http.__aexit__(*error)


class OverStdio:
    """A client that starts `vomeet mcp`."""

    def __init__(self, base_url, token, mode):
        variables = {"VOMEET_URL": base_url, "VOMEET_API_KEY": token}
        command = StdioServerParameters(command=str(binary()), args=["mcp"], env=variables)
        self.client = Client(stdio_client(command), mode=mode)

    async def __aenter__(self):
        return await self.client.__aenter__()

    async def __aexit__(self, *error):
        await self.client.__aexit__(*error)


TRANSPORTS = pytest.mark.parametrize("transport", [OverHttp, OverStdio])


async def text_of(client, tool, arguments):
    """Call a tool that must succeed, and give its text."""
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result
    return result.content[0].text


async def wait_for(look):
    """Look again and again until there is something; what was seen last is told otherwise."""
    end = time.monotonic() + PATIENCE_SECONDS
    while True:
        is_there, seen = await look()
        if is_there:
            return seen
        assert time.monotonic() < end, seen
        await asyncio.sleep(0.1)


@TRANSPORTS
@pytest.mark.parametrize("mode", MODES)
def test_a_meeting_is_held_found_and_read(transport, mode, tmp_path):
    async def use(base_url):
        async with transport(base_url, token_for(base_url), mode) as client:
            tools = (await client.list_tools()).tools
            assert {tool.name for tool in tools} == READING | ACTING
            await text_of(
                client, "send_bot", {"meeting_url": "https://meet.google.com/abc-defg-hij"}
            )

            async def search():
                found = await text_of(client, "search_transcripts", {"q": "good morn*"})
                return "Good morning" in found, found

            found = await wait_for(search)
            assert found.startswith("BEGIN UNTRUSTED MEETING CONTENT ")
            said = await text_of(client, "get_transcript", MEETING)
            assert "Ada: Good morning" in said
            assert said.splitlines()[-1].startswith("END UNTRUSTED MEETING CONTENT ")
            await text_of(client, "update_notes", MEETING | {"data": {"notes": "Bring figures."}})
            assert "Bring figures." in await text_of(client, "get_notes", MEETING)
            again = await client.call_tool("send_bot", MEETING)
            if again.is_error:
                assert "already exists" in again.content[0].text
            await text_of(client, "stop_bot", MEETING)

            async def is_over():
                running_bots = json.loads(await text_of(client, "get_bot_status", {}))
                return not running_bots["running_bots"], running_bots

            await wait_for(is_over)

    settings = {"VOMEET_BOTS_RUNNER": "demo", "VOMEET_MCP_ALLOW_ACTIONS": "true"}
    with running(tmp_path, **settings) as base_url:
        asyncio.run(use(base_url))


@TRANSPORTS
@pytest.mark.parametrize("mode", MODES)
def test_what_is_not_allowed_is_not_listed_and_not_done(transport, mode, tmp_path):
    async def use(base_url):
        async with transport(base_url, token_for(base_url), mode) as client:
            tools = (await client.list_tools()).tools
            assert {tool.name for tool in tools} == READING
            with pytest.raises(MCPError, match="allow_actions"):
                await client.call_tool("send_bot", MEETING)
            missing = await client.call_tool("get_transcript", MEETING)
            assert missing.is_error
            assert "Meeting not found" in missing.content[0].text

    with running(tmp_path) as base_url:
        asyncio.run(use(base_url))


def leaves(error):
    """The errors in a group of errors, or the error itself."""
    inner = getattr(error, "exceptions", None)
    return [error] if inner is None else [leaf for one in inner for leaf in leaves(one)]


@TRANSPORTS
@pytest.mark.parametrize("mode", MODES)
def test_a_wrong_token_is_an_error_and_no_hang(transport, mode, server):
    async def use():
        async with transport(server, "wrong", mode) as client:
            await client.list_tools()

    with pytest.raises(Exception, match=r".") as caught:
        asyncio.run(asyncio.wait_for(use(), PATIENCE_SECONDS))
    assert any(isinstance(error, MCPError) for error in leaves(caught.value))


def test_every_block_of_the_page_works(tmp_path):
    skipped = []
    with running(tmp_path) as base_url:
        reader = Reader(base_url, tmp_path)
        for block in blocks_of(DOCUMENT):
            if block.reason:
                skipped.append(block.title)
                continue
            reader.follow(block)
            reader.namespace["API_TOKEN"] = reader.environment.get("API_TOKEN")
    assert skipped == NOT_RUN
