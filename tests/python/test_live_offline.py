"""The live feed and the example that shows it, without our server."""

import builtins
import importlib.util
import io
import os
import subprocess
import sys

import pytest
from live_server import REPOSITORY
from live_stub import live_stub
from vomeet_client import VomeetClient, VomeetClientError

EXAMPLE = REPOSITORY / "clients" / "python" / "examples" / "live.py"
MEET = ("google_meet", "abc-defg-hij")
NAMED = {"platform": MEET[0], "native_id": MEET[1]}
SUBSCRIBED = {"type": "subscribed", "meetings": [NAMED]}
RUN_SECONDS = 20


def segment(start, text, speaker="Ada"):
    return {
        "segment_id": f"1:{start}:{speaker}",
        "start": start,
        "text": text,
        "speaker": speaker,
        "absolute_start_time": f"2025-10-10T12:00:{start:06.3f}Z",
    }


def said(*segments):
    return {
        "type": "transcript.mutable",
        "meeting": {"id": 1, **NAMED},
        "payload": {"segments": list(segments)},
        "ts": "2025-10-10T12:00:00.000Z",
    }


def stands(status):
    return {
        "type": "meeting.status",
        "meeting": {"id": 1, **NAMED},
        "payload": {"status": status},
        "ts": "2025-10-10T12:00:00.000Z",
    }


@pytest.fixture
def stub():
    with live_stub() as stub:
        yield stub


@pytest.fixture
def client(stub):
    return VomeetClient(stub.base_url, api_key="user key", timeout=5)


# The feed


def test_a_feed_is_what_was_sent_until_the_caller_stops(stub, client):
    stub.script = [SUBSCRIBED, said(segment(1, "Hello")), stands("completed")]
    stub.close = None
    events = client.watch_meetings(MEET, ("teams", "9398850880426"))
    assert [next(events) for _ in range(3)] == stub.script
    events.close()
    assert stub.received == [
        {
            "action": "subscribe",
            "meetings": [NAMED, {"platform": "teams", "native_id": "9398850880426"}],
        }
    ]
    ((path, headers),) = stub.requests
    assert (path, headers["X-API-Key"]) == ("/ws", "user key")


def test_a_feed_behind_a_path_prefix(stub):
    stub.script = [SUBSCRIBED]
    client = VomeetClient(stub.base_url + "/vomeet/", api_key="key")
    assert next(client.watch_meetings(MEET)) == SUBSCRIBED
    assert stub.requests[0][0] == "/vomeet/ws"


@pytest.mark.parametrize(
    ("script", "close", "message", "detail"),
    [
        (
            [{"type": "error", "error": "invalid_api_key"}],
            (4401, ""),
            "refused: invalid_api_key",
            "invalid_api_key",
        ),
        (
            [{"type": "error", "error": "invalid_subscribe_payload", "details": ["meetings[0]"]}],
            (1000, ""),
            r"refused: invalid_subscribe_payload \['meetings",
            "invalid_subscribe_payload",
        ),
        ([], (1013, "too slow"), r"ended: too slow \(code 1013\)", 1013),
        ([], (1001, ""), r"ended: no reason given \(code 1001\)", 1001),
        (["no json"], (1000, ""), "No live feed at", None),
    ],
)
def test_a_feed_that_ends(stub, client, script, close, message, detail):
    stub.script, stub.close = [SUBSCRIBED, *script], close
    events = client.watch_meetings(MEET)
    assert next(events) == SUBSCRIBED
    with pytest.raises(VomeetClientError, match=message) as caught:
        next(events)
    assert caught.value.detail == detail


@pytest.mark.parametrize("status", [301, 307, 403, 503])
def test_a_feed_that_is_refused_or_elsewhere(stub, client, status):
    stub.refuse = status
    with pytest.raises(VomeetClientError, match="No live feed at"):
        next(client.watch_meetings(MEET))
    assert [path for path, _ in stub.requests] == ["/ws"], "the key went on to another address"


@pytest.mark.parametrize("url", ["ftp://localhost", "localhost:18056", "http://127.0.0.1:1"])
def test_a_feed_that_is_nowhere(url):
    with pytest.raises(VomeetClientError):
        next(VomeetClient(url, api_key="key").watch_meetings(MEET))


def test_a_feed_without_a_key(stub):
    with pytest.raises(VomeetClientError, match="X-API-Key"):
        VomeetClient(stub.base_url).watch_meetings(MEET)
    assert stub.requests == []


def test_a_feed_without_the_package_that_it_needs(client, monkeypatch):
    real = builtins.__import__

    def without_websockets(name, *arguments, **named):
        if name.startswith("websockets"):
            raise ImportError(name)
        return real(name, *arguments, **named)

    monkeypatch.delitem(sys.modules, "vomeet_client._live", raising=False)
    monkeypatch.setattr(builtins, "__import__", without_websockets)
    with pytest.raises(VomeetClientError, match=r"pip install .websockets>=15."):
        client.watch_meetings(MEET)


# The example


def run_example(*arguments):
    return subprocess.run(
        [sys.executable, EXAMPLE, *arguments],
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS,
        check=False,
        env={"PATH": os.environ["PATH"], "PYTHONIOENCODING": "utf-8"},
    )


def test_the_example_shows_a_meeting_to_its_end(stub):
    stub.answers["/transcripts/google_meet/abc-defg-hij"] = {
        "status": "active",
        "segments": [segment(1, "Good morn"), segment(0.5, "Hi.", None)],
    }
    stub.script = [
        SUBSCRIBED,
        said(segment(1, "Good morning.")),
        said(segment(61, "How are\x1b[2J you?", "Grace")),
        stands("stopping"),
        stands("completed"),
        said(segment(90, "Too late.")),
    ]
    done = run_example(*MEET, "--key", "user key", "--url", stub.base_url)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "[active]",
        "  0:00 Somebody: Hi.",
        "  0:01 Ada: Good morning.",
        "[stopping]",
        "[completed]",
        "  1:01 Grace: How are [2J you?",
    ]


def test_the_example_says_what_is_wrong(stub):
    stub.script = [{"type": "error", "error": "invalid_api_key"}]
    done = run_example(*MEET, "--key", "wrong", "--url", stub.base_url)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines() == ["The live feed refused: invalid_api_key"]


class Terminal(io.StringIO):
    """Takes what a terminal takes, and shows what one would show."""

    def isatty(self):
        return True

    def rows(self):
        rows, at = [], 0
        for part in self.getvalue().replace("\x1b[J", "\0").split("\n"):
            while part.startswith("\x1b["):
                count, part = part[2:].split("A", 1)
                at -= int(count)
            if "\0" in part:
                del rows[at:]
            rows[at:] = [part.replace("\0", "").replace("\r", "")]
            at += 1
        return rows[:-1] if rows[-1] == "" else rows


@pytest.fixture
def view(monkeypatch):
    spec = importlib.util.spec_from_file_location("live_example", EXAMPLE)
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    monkeypatch.setattr(example.shutil, "get_terminal_size", lambda: os.terminal_size((41, 6)))
    return example.View(Terminal())


def show(view, *segments):
    view.merge(segments)
    view.draw()
    return view._out.rows()


def test_a_line_is_written_anew_in_its_place(view):
    view.note("active")
    assert show(view) == ["[active]"]
    assert show(view, segment(1, "Good")) == ["  0:01 Ada: Good", "[active]"]
    assert show(view, segment(1, "Good morning.")) == ["  0:01 Ada: Good morning.", "[active]"]
    assert show(view, segment(0, "Hi.")) == [
        "  0:00 Ada: Hi.",
        "  0:01 Ada: Good morning.",
        "[active]",
    ]
    long = segment(1, "Good morning, and welcome to all of you.")
    assert show(view, long) == [
        "  0:00 Ada: Hi.",
        "  0:01 Ada: Good morning, and welcome to",
        "all of you.",
        "[active]",
    ]
    assert show(view, segment(1, "Good.")) == ["  0:00 Ada: Hi.", "  0:01 Ada: Good.", "[active]"]
    view.note("completed")
    assert show(view)[-1] == "[completed]"


def test_what_has_left_the_screen_stays(view):
    view.note("active")
    for second in range(10):
        rows = show(view, segment(second, f"line {second}"))
    before = view._out.tell()
    assert rows == [*(f"  0:{n:02} Ada: line {n}" for n in range(10)), "[active]"]
    show(view, segment(0, "changed"))
    assert "changed" not in view._out.getvalue()[before:]
    assert show(view, segment(9, "changed"))[-2:] == ["  0:09 Ada: changed", "[active]"]
