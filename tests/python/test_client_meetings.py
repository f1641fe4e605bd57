"""Our Python client and the demo bot: one meeting from its request to its end, by every method."""

import hashlib
import hmac
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
from http_stub import stub_server
from live_server import ADMIN_KEY, REPOSITORY, running
from shapes import assert_fits, fits
from vomeet_client import VomeetClient, VomeetClientError, types

EXAMPLE = REPOSITORY / "clients" / "python" / "examples" / "live.py"
MEET = ("google_meet", "abc-defg-hij")
TEAMS = ("teams", "9398850880426")
SECRET = "a-secret-for-the-tests"
OVER = ("completed", "failed")
LINES = 12
RUN_SECONDS = 90


def watch(client, name):
    """All events of a meeting up to its end, and what was there when the first one came."""
    events, before = [], None
    for event in client.watch_meetings(name):
        events.append(event)
        if event["type"] == "subscribed":
            before = client.get_transcript(*name)
        if event["type"] == "meeting.status" and event["payload"]["status"] in OVER:
            return events, before
    raise AssertionError("a feed ends with an error or not at all")


def show(base_url, key):
    """What the example prints of the meeting."""
    return subprocess.run(
        [sys.executable, EXAMPLE, *MEET, "--key", key, "--url", base_url],
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS,
        check=False,
    )


@pytest.fixture(scope="module")
def story(tmp_path_factory):
    """A meeting that was watched to its end by two clients and the example, and a webhook that heard of it."""
    settings = {
        "VOMEET_BOTS_RUNNER": "demo",
        "VOMEET_WEBHOOKS_ALLOWED_NETWORKS": "127.0.0.0/8",
    }
    with (
        running(tmp_path_factory.mktemp("server"), **settings) as base_url,
        stub_server() as receiver,
        ThreadPoolExecutor() as pool,
    ):
        admin = VomeetClient(base_url, admin_key=ADMIN_KEY)
        user = admin.create_user("meets@example.com", name="Ada", max_concurrent_bots=2)
        key = admin.create_token(user["id"])["token"]
        client = VomeetClient(base_url, api_key=key)
        client.set_webhook_url(receiver.base_url + "/hook", secret=SECRET)
        requested = client.request_bot(*MEET, bot_name="Scribe", language="en", task="transcribe")
        running_bots = client.get_running_bots_status()
        watchers = [pool.submit(watch, client, MEET) for _ in range(2)]
        shown = pool.submit(show, base_url, key)
        yield SimpleNamespace(
            base_url=base_url,
            receiver=receiver,
            admin=admin,
            client=client,
            user=user,
            requested=requested,
            running_bots=running_bots,
            watched=[watcher.result(RUN_SECONDS) for watcher in watchers],
            shown=shown.result(RUN_SECONDS),
        )


def merged(events, before):
    """The texts by their start: what was there, and then each event."""
    segments = {each["absolute_start_time"]: each["text"] for each in before["segments"]}
    for event in events:
        if event["type"] == "transcript.mutable":
            for each in event["payload"]["segments"]:
                segments[each["absolute_start_time"]] = each["text"]
    return segments


def test_a_bot_is_sent(story):
    assert_fits(story.requested, types.Meeting)
    assert story.requested["status"] == "requested"
    assert_fits(story.running_bots, list[types.RunningBot])
    assert len(story.running_bots) == 1


def test_every_event_has_its_type(story):
    for events, _ in story.watched:
        assert_fits(events[0], types.SubscribedEvent)
        for event in events[1:]:
            assert_fits(event, types.LiveEvent, event["type"])
            assert event["meeting"]["id"] == story.requested["id"]
        states = [each["payload"]["status"] for each in events if each["type"] == "meeting.status"]
        assert states[-2:] == ["active", "completed"]


def test_what_comes_live_and_what_was_there_are_the_transcript(story):
    transcript = story.client.get_transcript(*MEET)
    assert_fits(transcript, types.Transcript)
    texts = {each["absolute_start_time"]: each["text"] for each in transcript["segments"]}
    assert len(texts) == LINES
    for events, before in story.watched:
        assert merged(events, before) == texts


def test_the_example_shows_every_line_once(story):
    assert story.shown.returncode == 0, story.shown.stderr
    rows = story.shown.stdout.splitlines()
    said = [row for row in rows if not row.startswith("[")]
    texts = [each["text"] for each in story.client.get_transcript(*MEET)["segments"]]
    assert [row.split(": ", 1)[1] for row in said] == texts
    assert "[completed]" in rows


def test_a_transcript_as_text(story):
    text = story.client.get_transcript_text(*MEET)
    assert len(text.splitlines()) == LINES
    assert "Lucía: Buenos días." in text
    assert story.client.get_transcript_text(*MEET, format="vtt").startswith("WEBVTT\n")
    subtitles = story.client.get_transcript_text(*MEET, "srt", story.requested["id"])
    assert subtitles.startswith("1\n00:00:00,400 --> 00:00:02,100\n")
    with pytest.raises(VomeetClientError) as caught:
        story.client.get_transcript_text(*MEET, format="pdf")
    assert caught.value.status_code == 422


def test_a_search(story):
    found = story.client.search_transcripts("good morn*")
    assert_fits(found, types.SearchResults)
    assert {each["speaker"] for each in found["results"]} == {"Ada", "Grace"}
    assert all("<mark>" in each["highlight"] for each in found["results"])
    (first,) = story.client.search_transcripts("good", speaker="Grace")["results"]
    assert first["text"] == "Good morning! Yes, let us begin."
    one = story.client.search_transcripts("good", limit=1)
    assert len(one["results"]) == 1
    later = story.client.search_transcripts("good", limit=1, before=one["next"])
    assert later["results"][0]["id"] < one["results"][0]["id"]
    at = first["absolute_start_time"]
    for times, count in [
        ({"from_time": at}, 1),
        ({"to_time": at}, 1),
        ({"from_time": "2999-01-01T00:00:00Z"}, 0),
    ]:
        results = story.client.search_transcripts("good", **times)["results"]
        assert len(results) == count, times


def test_a_finished_meeting(story):
    meeting = story.client.get_meeting_by_id(*MEET)
    assert_fits(meeting, types.Meeting)
    assert meeting["data"]["completion_reason"] == "left_alone"
    assert story.client.get_meeting_participants(meeting) == ["Ada", "Grace", "Lucía"]
    assert story.client.get_meeting_languages(meeting) == ["en", "es"]
    noted = story.client.update_meeting_data(*MEET, name="Weekly", notes="Done.")
    assert story.client.get_meeting_metadata(noted)["name"] == "Weekly"


def header(headers, name):
    """The value of a header, in whatever case its name was sent."""
    return {each.lower(): value for each, value in headers.items()}[name.lower()]


def test_the_webhook_heard_every_step_signed_and_in_order(story):
    assert story.client.get_webhook() == {
        "webhook_url": story.receiver.base_url + "/hook",
        "has_secret": True,
    }
    deliveries = story.client.list_webhook_deliveries()
    assert_fits(deliveries, list[types.Delivery])
    assert {each["state"] for each in deliveries} <= {"delivered", "waiting"}
    assert story.client.list_webhook_deliveries(1, deliveries[0]["id"]) == deliveries[1:2]
    tested = story.client.test_webhook()
    assert_fits(tested, types.WebhookTest)
    assert tested["delivered"], tested
    for (_, path, _, headers), body in zip(
        story.receiver.requests, story.receiver.bodies, strict=True
    ):
        signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        assert (path, header(headers, "X-Vomeet-Signature")) == ("/hook", f"sha256={signature}")
    changes = [
        body["status_change"]["to"]
        for _, _, body, headers in story.receiver.requests
        if header(headers, "X-Vomeet-Event") == "meeting.status_change"
    ]
    assert changes[:3] == ["joining", "awaiting_admission", "active"]


def test_analytics(story):
    admin, meeting = story.admin, story.requested["id"]
    page = admin.get_stats_meetings_users()
    assert_fits(page, types.MeetingsWithUsers)
    assert (page["total"], page["items"][0]["user"]["id"]) == (1, story.user["id"])
    assert_fits(admin.get_analytics_users(), list[types.UserSummary])
    assert_fits(admin.get_analytics_meetings(), list[types.MeetingSummary])
    plain = admin.get_meeting_telematics(meeting)
    assert_fits(plain, types.Telematics)
    assert (plain["sessions"], plain["transcription_stats"]) == ([], None)
    whole = admin.get_meeting_telematics(meeting, True, include_sessions=True)
    assert_fits(whole, types.Telematics)
    assert len(whole["sessions"]) == 1
    assert whole["transcription_stats"]["total_transcriptions"] == LINES
    assert whole["transcription_stats"]["languages_detected"] == ["en", "es"]
    assert all(whole["performance_metrics"].values())
    details = admin.get_user_analytics(story.user["id"], include_tokens=True)
    assert_fits(details, types.UserAnalytics)
    assert details["meeting_stats"]["completed_meetings"] == 1
    assert admin.get_user_analytics(story.user["id"])["api_tokens"] is None


def test_use(story):
    everybody = story.admin.get_users_usage(by="token")
    assert_fits(everybody, types.UsageList)
    mine = story.client.get_usage(by="token")
    assert_fits(mine, types.UsageList)
    (line,) = mine["usage"]
    assert (line["user_id"], line["bots"], everybody["next"]) == (story.user["id"], 1, None)
    assert line["requests"] > everybody["usage"][0]["requests"]
    assert line["bot_minutes"] > 0
    assert line["transcript_minutes"] > 0
    assert story.client.get_usage("1999-12-31", "1999-12-31")["usage"] == []


def test_a_bot_is_told_otherwise_and_stopped(story):
    link = "https://teams.live.com/meet/9398850880426?p=Passcode1234"
    meeting = story.client.request_bot_from_url(link)
    assert meeting["constructed_meeting_url"] == link
    for event in story.client.watch_meetings(TEAMS, MEET):
        if event["type"] == "meeting.status" and event["payload"]["status"] == "active":
            assert story.client.update_bot_config(*TEAMS, language="es")["message"]
            assert story.client.stop_bot(*TEAMS)["message"]
        if event["type"] == "meeting.status" and event["payload"]["status"] in OVER:
            break
    (over,) = story.client.get_meetings(platform="teams")
    assert (over["status"], over["data"]["completion_reason"]) == ("completed", "stopped")
    assert story.client.delete_meeting(*TEAMS)["message"]
    assert story.client.delete_meeting(*TEAMS, meeting_id=over["id"])["message"]
    (redacted,) = story.client.get_meetings(platform="teams")
    assert_fits(redacted, types.Meeting)
    assert redacted["native_meeting_id"] is None


def test_a_feed_with_a_wrong_key(story):
    with pytest.raises(VomeetClientError) as caught:
        next(VomeetClient(story.base_url, api_key="wrong").watch_meetings(MEET))
    assert caught.value.detail == "invalid_api_key"


def test_a_feed_of_a_meeting_that_is_not_there(story):
    with pytest.raises(VomeetClientError) as caught:
        list(story.client.watch_meetings(("google_meet", "zzz-zzzz-zzz")))
    assert caught.value.detail == "invalid_subscribe_payload"


def test_a_feed_ends_with_its_token(story):
    token = story.admin.create_token(story.user["id"])
    events = VomeetClient(story.base_url, api_key=token["token"]).watch_meetings(MEET)
    assert next(events)["type"] == "subscribed"
    story.admin.delete_token(token["id"])
    with pytest.raises(VomeetClientError) as caught:
        next(events)
    assert caught.value.detail == "invalid_api_key"


@pytest.mark.parametrize(
    ("value", "declared", "expected"),
    [
        ({"message": "a"}, types.Message, True),
        ({"message": 1}, types.Message, False),
        ({"message": "a", "more": 1}, types.Message, False),
        ({}, types.Message, False),
        (None, types.Message | None, True),
        (1, float, True),
        (True, int, False),
        ([{"message": "a"}], list[types.Message], True),
        ([{}], list[types.Message], False),
        ({"a": 1}, dict[str, int], True),
    ],
)
def test_shapes(value, declared, expected):
    assert fits(value, declared) is expected
