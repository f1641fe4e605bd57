"""Two browsers follow one meeting by WebSocket, and both see the same, which is what the transcript says in the end."""

import json
import sys
import urllib.request
from pathlib import Path

import pytest
from test_docs_page import browser  # noqa: F401

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "python"))
from live_server import ADMIN_KEY, running

MEETING = {"platform": "google_meet", "native_id": "abc-defg-hij"}
PATIENCE_MS = 60_000

# Opens a socket, subscribes, keeps all that is pushed, and says when the meeting is over.
FOLLOW = """([key, meeting]) => {
  window.pushed = [];
  const socket = new WebSocket(`ws://${location.host}/ws?api_key=${key}`);
  socket.onopen = () => socket.send(JSON.stringify({action: "subscribe", meetings: [meeting]}));
  return new Promise((subscribed) => {
    socket.onmessage = ({data}) => {
      const event = JSON.parse(data);
      if (event.type === "subscribed") subscribed(event.meetings);
      else window.pushed.push(event);
      if (event.type === "meeting.status") window.status = event.payload.status;
    };
  });
}"""


@pytest.fixture
def server(tmp_path):
    with running(tmp_path, VOMEET_BOTS_RUNNER="demo") as base_url:
        yield base_url


def ask(url, headers, body=None):
    headers = {"Content-Type": "application/json", **headers}
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data, headers)) as answer:
        return json.load(answer)


def test_two_browsers_see_the_same(browser, server):  # noqa: F811
    admin = {"X-Admin-API-Key": ADMIN_KEY}
    wish = {"email": "two@example.com", "max_concurrent_bots": 1}
    user = ask(f"{server}/admin/users", admin, wish)
    key = ask(f"{server}/admin/users/{user['id']}/tokens", admin, {})["token"]
    wish = {"platform": MEETING["platform"], "native_meeting_id": MEETING["native_id"]}
    ask(f"{server}/bots", {"X-API-Key": key}, wish)
    pages = [browser.new_context().new_page() for _ in range(2)]
    for page in pages:
        page.goto(f"{server}/healthz")
        assert page.evaluate(FOLLOW, [key, MEETING]) == [MEETING]
    for page in pages:
        page.wait_for_function("window.status === 'completed'", timeout=PATIENCE_MS)
    one, other = (page.evaluate("window.pushed") for page in pages)
    words = [
        [event for event in all if event["type"] == "transcript.mutable"] for all in (one, other)
    ]
    assert words[0] == words[1] and len(words[0]) == 17
    heard = {}
    for event in words[0]:
        for segment in event["payload"]["segments"]:
            heard[segment["absolute_start_time"]] = segment["text"]
    path = f"transcripts/{MEETING['platform']}/{MEETING['native_id']}"
    transcript = ask(f"{server}/{path}", {"X-API-Key": key})["segments"]
    assert heard == {segment["absolute_start_time"]: segment["text"] for segment in transcript}
