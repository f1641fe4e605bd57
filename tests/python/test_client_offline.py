"""What our Python client sends, and how it reads responses, without our server."""

import json
import re
import socket
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from http_stub import stub_server
from vomeet_client import VomeetClient, VomeetClientError, parse_url
from vomeet_client.urls import parse_link

REPOSITORY = Path(__file__).resolve().parents[2]

MEET = ("google_meet", "abc-defg-hij")
TEAMS_LINK = "https://teams.live.com/meet/9398850880426?p=Passcode1234"
MESSAGE = {"message": "Done."}


@pytest.fixture
def stub():
    with stub_server() as stub:
        yield stub


@pytest.fixture
def client(stub):
    return VomeetClient(stub.base_url, api_key="user key", admin_key="admin key", timeout=5)


@pytest.fixture
def silent_port():
    """A port that accepts connections and never responds."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


# Requests: call, answer, and then what must have been sent and what must be returned

USER_CALLS = {
    "request_bot": (
        lambda c: c.request_bot(*MEET),
        {"id": 1},
        ("POST", "/bots", {"platform": "google_meet", "native_meeting_id": "abc-defg-hij"}),
        {"id": 1},
    ),
    "request_bot, all arguments": (
        lambda c: c.request_bot(
            "teams", "9398850880426", "Scribe", "en", "translate", "Passcode1234", True
        ),
        {"id": 1},
        (
            "POST",
            "/bots",
            {
                "platform": "teams",
                "native_meeting_id": "9398850880426",
                "bot_name": "Scribe",
                "language": "en",
                "task": "translate",
                "passcode": "Passcode1234",
                "voice_agent_enabled": True,
            },
        ),
        {"id": 1},
    ),
    "request_bot, planned": (
        lambda c: c.request_bot(*MEET, join_at="2030-01-01T09:00:00Z"),
        {"id": 1},
        (
            "POST",
            "/bots",
            {
                "platform": "google_meet",
                "native_meeting_id": "abc-defg-hij",
                "join_at": "2030-01-01T09:00:00Z",
            },
        ),
        {"id": 1},
    ),
    "request_bot_from_url": (
        lambda c: c.request_bot_from_url(TEAMS_LINK, "Scribe", voice_agent_enabled=True),
        {"id": 1},
        (
            "POST",
            "/bots",
            {"meeting_url": TEAMS_LINK, "bot_name": "Scribe", "voice_agent_enabled": True},
        ),
        {"id": 1},
    ),
    "stop_bot": (
        lambda c: c.stop_bot(*MEET),
        MESSAGE,
        ("DELETE", "/bots/google_meet/abc-defg-hij", None),
        MESSAGE,
    ),
    "update_bot_config": (
        lambda c: c.update_bot_config(*MEET, language="de"),
        MESSAGE,
        ("PUT", "/bots/google_meet/abc-defg-hij/config", {"language": "de"}),
        MESSAGE,
    ),
    "speak": (
        lambda c: c.speak(*MEET, "Hello"),
        {**MESSAGE, "meeting_id": 1},
        ("POST", "/bots/google_meet/abc-defg-hij/speak", {"text": "Hello"}),
        {**MESSAGE, "meeting_id": 1},
    ),
    "speak, all arguments": (
        lambda c: c.speak(*MEET, "Hello", "openai", "nova"),
        {**MESSAGE, "meeting_id": 1},
        (
            "POST",
            "/bots/google_meet/abc-defg-hij/speak",
            {"text": "Hello", "provider": "openai", "voice": "nova"},
        ),
        {**MESSAGE, "meeting_id": 1},
    ),
    "send_chat_message": (
        lambda c: c.send_chat_message(*MEET, "Hello"),
        {**MESSAGE, "meeting_id": 1},
        ("POST", "/bots/google_meet/abc-defg-hij/chat", {"text": "Hello"}),
        {**MESSAGE, "meeting_id": 1},
    ),
    "get_running_bots_status": (
        lambda c: c.get_running_bots_status(),
        {"running_bots": [{"normalized_status": "Up"}]},
        ("GET", "/bots/status", None),
        [{"normalized_status": "Up"}],
    ),
    "get_meetings": (
        lambda c: c.get_meetings(),
        {"meetings": [{"id": 1}]},
        ("GET", "/meetings", None),
        [{"id": 1}],
    ),
    "get_meetings, all arguments": (
        lambda c: c.get_meetings(10, 0, "active", "teams"),
        {"meetings": []},
        ("GET", "/meetings?limit=10&skip=0&status=active&platform=teams", None),
        [],
    ),
    "get_meeting_by_id": (
        lambda c: c.get_meeting_by_id(*MEET),
        {
            "meetings": [
                {"id": 3, "platform": "teams", "native_meeting_id": "abc-defg-hij"},
                {"id": 2, "platform": "google_meet", "native_meeting_id": "abc-defg-hij"},
                {"id": 1, "platform": "google_meet", "native_meeting_id": "abc-defg-hij"},
            ]
        },
        ("GET", "/meetings", None),
        {"id": 2, "platform": "google_meet", "native_meeting_id": "abc-defg-hij"},
    ),
    "retry_bot": (
        lambda c: c.retry_bot(*MEET),
        {"id": 2},
        ("POST", "/bots/google_meet/abc-defg-hij/retry", None),
        {"id": 2},
    ),
    "get_meeting": (
        lambda c: c.get_meeting(7),
        {"id": 7},
        ("GET", "/meetings/7", None),
        {"id": 7},
    ),
    "correct_segment": (
        lambda c: c.correct_segment(7, "1:0:A/B ä", "Good morning."),
        {"text": "Good morning.", "corrected": True},
        (
            "PATCH",
            "/transcripts/by-id/7/segments/1%3A0%3AA%2FB%20%C3%A4",
            {"text": "Good morning."},
        ),
        {"text": "Good morning.", "corrected": True},
    ),
    "correct_segment, taken back": (
        lambda c: c.correct_segment(7, "a", None),
        {"text": "Good mourning."},
        ("PATCH", "/transcripts/by-id/7/segments/a", {"text": None}),
        {"text": "Good mourning."},
    ),
    "withdraw_correction": (
        lambda c: c.withdraw_correction(7, "a"),
        {"text": "Good mourning."},
        ("DELETE", "/transcripts/by-id/7/segments/a/correction", None),
        {"text": "Good mourning."},
    ),
    "rename_speaker": (
        lambda c: c.rename_speaker(7, None, "Ada"),
        {"from": None, "to": "Ada", "segments": 2},
        ("PATCH", "/transcripts/by-id/7/speakers", {"from": None, "to": "Ada"}),
        {"from": None, "to": "Ada", "segments": 2},
    ),
    "explain_meeting": (
        lambda c: c.explain_meeting(7),
        {"fault": "none"},
        ("GET", "/meetings/7/explain", None),
        {"fault": "none"},
    ),
    "get_transcript_by_id": (
        lambda c: c.get_transcript_by_id(7),
        {"segments": []},
        ("GET", "/transcripts/by-id/7", None),
        {"segments": []},
    ),
    "get_transcript_by_id, what has changed": (
        lambda c: c.get_transcript_by_id(7, after="1.0.7"),
        {"segments": []},
        ("GET", "/transcripts/by-id/7?after=1.0.7", None),
        {"segments": []},
    ),
    "update_meeting_data_by_id": (
        lambda c: c.update_meeting_data_by_id(7, notes="n"),
        {"id": 7},
        ("PATCH", "/meetings/7", {"data": {"notes": "n"}}),
        {"id": 7},
    ),
    "delete_meeting_by_id": (
        lambda c: c.delete_meeting_by_id(7),
        MESSAGE,
        ("DELETE", "/meetings/7", None),
        MESSAGE,
    ),
    "create_share": (
        lambda c: c.create_share(*MEET, expires_in=60),
        {"id": 1, "url": "u", "expires_at": "t"},
        ("POST", "/transcripts/google_meet/abc-defg-hij/share", {"expires_in": 60}),
        {"id": 1, "url": "u", "expires_at": "t"},
    ),
    "list_shares": (
        lambda c: c.list_shares(),
        {"shares": [{"id": 1}]},
        ("GET", "/user/shares", None),
        [{"id": 1}],
    ),
    "delete_share": (
        lambda c: c.delete_share(1),
        None,
        ("DELETE", "/user/shares/1", None),
        None,
    ),
    "get_transcript": (
        lambda c: c.get_transcript(*MEET),
        {"segments": []},
        ("GET", "/transcripts/google_meet/abc-defg-hij", None),
        {"segments": []},
    ),
    "get_transcript, what has changed": (
        lambda c: c.get_transcript(*MEET, after="1.0.7"),
        {"segments": []},
        ("GET", "/transcripts/google_meet/abc-defg-hij?after=1.0.7", None),
        {"segments": []},
    ),
    "get_transcript, one meeting": (
        lambda c: c.get_transcript(*MEET, meeting_id=7),
        {"segments": []},
        ("GET", "/transcripts/google_meet/abc-defg-hij?meeting_id=7", None),
        {"segments": []},
    ),
    "get_transcript_text": (
        lambda c: c.get_transcript_text(*MEET, "srt", 7),
        "1\n00:00:00,000 --> 00:00:01,000\nAda: Grüße.\n\n",
        ("GET", "/transcripts/google_meet/abc-defg-hij?format=srt&meeting_id=7", None),
        "1\n00:00:00,000 --> 00:00:01,000\nAda: Grüße.\n\n",
    ),
    "search_transcripts": (
        lambda c: c.search_transcripts('"good morning" al*'),
        {"results": [], "next": None},
        ("GET", "/transcripts/search?q=%22good+morning%22+al%2A", None),
        {"results": [], "next": None},
    ),
    "search_transcripts, all arguments": (
        lambda c: c.search_transcripts(
            "a&b", "Ada", "teams", 7, "2025-10-10T12:00:00Z", "2025-10-11T12:00:00Z", 5, 99
        ),
        {"results": [], "next": None},
        (
            "GET",
            (
                "/transcripts/search?q=a%26b&speaker=Ada&platform=teams&meeting_id=7"
                "&from=2025-10-10T12%3A00%3A00Z&to=2025-10-11T12%3A00%3A00Z&limit=5&before=99"
            ),
            None,
        ),
        {"results": [], "next": None},
    ),
    "update_meeting_data": (
        lambda c: c.update_meeting_data(*MEET, "Standup", ["Ada"], ["en"], ""),
        {"id": 1},
        (
            "PATCH",
            "/meetings/google_meet/abc-defg-hij",
            {
                "data": {
                    "name": "Standup",
                    "participants": ["Ada"],
                    "languages": ["en"],
                    "notes": "",
                }
            },
        ),
        {"id": 1},
    ),
    "update_meeting_data, one meeting": (
        lambda c: c.update_meeting_data(*MEET, notes="Done.", meeting_id=7),
        {"id": 7},
        (
            "PATCH",
            "/meetings/google_meet/abc-defg-hij?meeting_id=7",
            {"data": {"notes": "Done."}},
        ),
        {"id": 7},
    ),
    "delete_meeting": (
        lambda c: c.delete_meeting(*MEET),
        MESSAGE,
        ("DELETE", "/meetings/google_meet/abc-defg-hij", None),
        MESSAGE,
    ),
    "delete_meeting, one meeting": (
        lambda c: c.delete_meeting(*MEET, meeting_id=7),
        MESSAGE,
        ("DELETE", "/meetings/google_meet/abc-defg-hij?meeting_id=7", None),
        MESSAGE,
    ),
    "set_webhook_url, a secret": (
        lambda c: c.set_webhook_url("https://example.com/hook", "0123456789abcdef"),
        {"id": 1},
        (
            "PUT",
            "/user/webhook",
            {"webhook_url": "https://example.com/hook", "webhook_secret": "0123456789abcdef"},
        ),
        {"id": 1},
    ),
    "set_webhook_url, nothing": (
        lambda c: c.set_webhook_url("", secret=""),
        {"id": 1},
        ("PUT", "/user/webhook", {"webhook_url": "", "webhook_secret": None}),
        {"id": 1},
    ),
    "update_meeting_data, a vocabulary": (
        lambda c: c.update_meeting_data_by_id(7, vocabulary=["Ada"]),
        {"id": 7},
        ("PATCH", "/meetings/7", {"data": {"vocabulary": ["Ada"]}}),
        {"id": 7},
    ),
    "get_transcript, withheld": (
        lambda c: c.get_transcript(*MEET, withheld=True),
        {"id": 7},
        ("GET", "/transcripts/google_meet/abc-defg-hij?withheld=true", None),
        {"id": 7},
    ),
    "get_transcript_by_id, withheld": (
        lambda c: c.get_transcript_by_id(7, withheld=True),
        {"id": 7},
        ("GET", "/transcripts/by-id/7?withheld=true", None),
        {"id": 7},
    ),
    "get_user_transcription": (
        lambda c: c.get_user_transcription(),
        {"engine": None, "vocabulary": []},
        ("GET", "/user/transcription", None),
        {"engine": None, "vocabulary": []},
    ),
    "set_vocabulary": (
        lambda c: c.set_vocabulary(["Ada"]),
        {"vocabulary": ["Ada"]},
        ("PUT", "/user/transcription", {"vocabulary": ["Ada"]}),
        {"vocabulary": ["Ada"]},
    ),
    "set_engine": (
        lambda c: c.set_engine("https://example.com/asr", "whisper-1"),
        {"vocabulary": []},
        (
            "PUT",
            "/user/transcription",
            {"engine": {"url": "https://example.com/asr", "model": "whisper-1"}},
        ),
        {"vocabulary": []},
    ),
    "set_engine, no key": (
        lambda c: c.set_engine("https://example.com/asr", "whisper-1", ""),
        {"vocabulary": []},
        (
            "PUT",
            "/user/transcription",
            {"engine": {"url": "https://example.com/asr", "model": "whisper-1", "key": None}},
        ),
        {"vocabulary": []},
    ),
    "remove_engine": (
        lambda c: c.remove_engine(),
        {"vocabulary": []},
        ("PUT", "/user/transcription", {"engine": None}),
        {"vocabulary": []},
    ),
    "delete_user_transcription": (
        lambda c: c.delete_user_transcription(),
        None,
        ("DELETE", "/user/transcription", None),
        None,
    ),
    "get_webhook": (
        lambda c: c.get_webhook(),
        {"webhook_url": None},
        ("GET", "/user/webhook", None),
        {"webhook_url": None},
    ),
    "list_webhook_deliveries": (
        lambda c: c.list_webhook_deliveries(),
        {"deliveries": [{"id": 1}]},
        ("GET", "/user/webhook/deliveries", None),
        [{"id": 1}],
    ),
    "list_webhook_deliveries, all arguments": (
        lambda c: c.list_webhook_deliveries(5, 10),
        {"deliveries": []},
        ("GET", "/user/webhook/deliveries?limit=5&before=10", None),
        [],
    ),
    "list_webhook_deliveries, of one webhook": (
        lambda c: c.list_webhook_deliveries(webhook_id=0),
        {"deliveries": []},
        ("GET", "/user/webhook/deliveries?webhook_id=0", None),
        [],
    ),
    "list_webhooks": (
        lambda c: c.list_webhooks(),
        {"webhooks": [{"id": 0}]},
        ("GET", "/user/webhooks", None),
        [{"id": 0}],
    ),
    "create_webhook": (
        lambda c: c.create_webhook("https://example.com/hook"),
        {"id": 1},
        ("POST", "/user/webhooks", {"url": "https://example.com/hook"}),
        {"id": 1},
    ),
    "create_webhook, all arguments": (
        lambda c: c.create_webhook(
            "https://example.com/", ["transcript.ready"], "0123456789abcdef"
        ),
        {"id": 1},
        (
            "POST",
            "/user/webhooks",
            {
                "url": "https://example.com/",
                "events": ["transcript.ready"],
                "secret": "0123456789abcdef",
            },
        ),
        {"id": 1},
    ),
    "get_webhook_by_id": (
        lambda c: c.get_webhook_by_id(7),
        {"id": 7},
        ("GET", "/user/webhooks/7", None),
        {"id": 7},
    ),
    "update_webhook": (
        lambda c: c.update_webhook(7, events=["transcript.ready"]),
        {"id": 7},
        ("PATCH", "/user/webhooks/7", {"events": ["transcript.ready"]}),
        {"id": 7},
    ),
    "delete_webhook": (
        lambda c: c.delete_webhook(7),
        None,
        ("DELETE", "/user/webhooks/7", None),
        None,
    ),
    "rotate_webhook_secret": (
        lambda c: c.rotate_webhook_secret(7, 60, "0123456789abcdef"),
        {"id": 7},
        (
            "POST",
            "/user/webhooks/7/rotate",
            {"grace_seconds": 60, "secret": "0123456789abcdef"},
        ),
        {"id": 7},
    ),
    "test_webhook_by_id": (
        lambda c: c.test_webhook_by_id(7),
        {"delivered": True},
        ("POST", "/user/webhooks/7/test", None),
        {"delivered": True},
    ),
    "test_webhook": (
        lambda c: c.test_webhook(),
        {"id": 1},
        ("POST", "/user/webhook/test", None),
        {"id": 1},
    ),
    "set_webhook_url": (
        lambda c: c.set_webhook_url("https://example.com/hook"),
        {"id": 1},
        ("PUT", "/user/webhook", {"webhook_url": "https://example.com/hook"}),
        {"id": 1},
    ),
    "whoami": (lambda c: c.whoami(), {"id": 1}, ("GET", "/user", None), {"id": 1}),
    "get_usage": (
        lambda c: c.get_usage(),
        {"usage": [], "next": None},
        ("GET", "/user/usage", None),
        {"usage": [], "next": None},
    ),
    "get_usage, all arguments": (
        lambda c: c.get_usage("2025-10-01", "2025-10-31", 2, "day", "2025-10-10.0.0", 5),
        {"usage": [], "next": None},
        (
            "GET",
            (
                "/user/usage?from=2025-10-01&to=2025-10-31"
                "&token_id=2&by=day&after=2025-10-10.0.0&limit=5"
            ),
            None,
        ),
        {"usage": [], "next": None},
    ),
    "a path with special characters": (
        lambda c: c.stop_bot("teams", "../a b?c#d%2F"),
        MESSAGE,
        ("DELETE", "/bots/teams/..%2Fa%20b%3Fc%23d%252F", None),
        MESSAGE,
    ),
}

ADMIN_CALLS = {
    "list_user_webhooks": (
        lambda c: c.list_user_webhooks(3),
        {"webhooks": []},
        ("GET", "/admin/users/3/webhooks", None),
        [],
    ),
    "delete_user_webhook": (
        lambda c: c.delete_user_webhook(3, 7),
        None,
        ("DELETE", "/admin/users/3/webhooks/7", None),
        None,
    ),
    "create_user": (
        lambda c: c.create_user("a@example.com"),
        {"id": 1},
        ("POST", "/admin/users", {"email": "a@example.com"}),
        {"id": 1},
    ),
    "list_users": (
        lambda c: c.list_users(),
        [],
        ("GET", "/admin/users?skip=0&limit=100", None),
        [],
    ),
    "list_users, all arguments": (
        lambda c: c.list_users(1, 2, 3, "a&b"),
        [],
        ("GET", "/admin/users?skip=1&limit=2&after=3&q=a%26b", None),
        [],
    ),
    "get_user": (lambda c: c.get_user(1), {"id": 1}, ("GET", "/admin/users/1", None), {"id": 1}),
    "get_user_by_email": (
        lambda c: c.get_user_by_email("a+b/c@example.com"),
        {"id": 1},
        ("GET", "/admin/users/email/a%2Bb%2Fc%40example.com", None),
        {"id": 1},
    ),
    "update_user": (
        lambda c: c.update_user(1, name="", data={}),
        {"id": 1},
        ("PATCH", "/admin/users/1", {"name": "", "data": {}}),
        {"id": 1},
    ),
    "create_token": (
        lambda c: c.create_token(1),
        {"id": 1},
        ("POST", "/admin/users/1/tokens", None),
        {"id": 1},
    ),
    "create_token, all arguments": (
        lambda c: c.create_token(1, "laptop", 60),
        {"id": 1},
        ("POST", "/admin/users/1/tokens", {"name": "laptop", "expires_in": 60}),
        {"id": 1},
    ),
    "list_tokens": (lambda c: c.list_tokens(1), [], ("GET", "/admin/users/1/tokens", None), []),
    "get_stats_meetings_users": (
        lambda c: c.get_stats_meetings_users(),
        {"total": 0, "items": []},
        ("GET", "/admin/stats/meetings-users?skip=0&limit=100", None),
        {"total": 0, "items": []},
    ),
    "get_analytics_users": (
        lambda c: c.get_analytics_users(1, 2),
        [],
        ("GET", "/admin/analytics/users?skip=1&limit=2", None),
        [],
    ),
    "get_analytics_meetings": (
        lambda c: c.get_analytics_meetings(1, 2),
        [],
        ("GET", "/admin/analytics/meetings?skip=1&limit=2", None),
        [],
    ),
    "explain_any_meeting": (
        lambda c: c.explain_any_meeting(7),
        {"fault": "none"},
        ("GET", "/admin/meetings/7/explain", None),
        {"fault": "none"},
    ),
    "get_meeting_telematics": (
        lambda c: c.get_meeting_telematics(7),
        {},
        ("GET", "/admin/analytics/meetings/7/telematics", None),
        {},
    ),
    "get_meeting_telematics, all arguments": (
        lambda c: c.get_meeting_telematics(7, True, True),
        {},
        (
            "GET",
            (
                "/admin/analytics/meetings/7/telematics"
                "?include_transcriptions=true&include_sessions=true"
            ),
            None,
        ),
        {},
    ),
    "get_users_usage": (
        lambda c: c.get_users_usage(),
        {"usage": [], "next": None},
        ("GET", "/admin/usage", None),
        {"usage": [], "next": None},
    ),
    "get_users_usage, all arguments": (
        lambda c: c.get_users_usage("2025-10-01", "2025-10-31", 7, 2, "user", ".6.0", 5),
        {"usage": [], "next": None},
        (
            "GET",
            (
                "/admin/usage?from=2025-10-01&to=2025-10-31"
                "&user_id=7&token_id=2&by=user&after=.6.0&limit=5"
            ),
            None,
        ),
        {"usage": [], "next": None},
    ),
    "get_user_analytics": (
        lambda c: c.get_user_analytics(7),
        {},
        ("GET", "/admin/analytics/users/7/details", None),
        {},
    ),
    "get_user_analytics, all arguments": (
        lambda c: c.get_user_analytics(7, include_tokens=True),
        {},
        ("GET", "/admin/analytics/users/7/details?include_tokens=true", None),
        {},
    ),
}

NO_CONTENT_CALLS = {
    "delete_user": (lambda c: c.delete_user(1), "/admin/users/1"),
    "delete_token": (lambda c: c.delete_token(1), "/admin/tokens/1"),
    "delete_meeting_audio": (lambda c: c.delete_meeting_audio(7), "/meetings/7/audio"),
}


def keys_sent(headers):
    return {name: value for name, value in headers.items() if name.lower().endswith("api-key")}


@pytest.mark.parametrize(
    ("call", "answer", "sent", "returned"), USER_CALLS.values(), ids=USER_CALLS
)
def test_a_user_call(stub, client, call, answer, sent, returned):
    stub.answer(200, answer)
    assert call(client) == returned
    ((*request, headers),) = stub.requests
    assert tuple(request) == sent
    assert keys_sent(headers) == {"X-API-Key": "user key"}


@pytest.mark.parametrize(
    ("call", "answer", "sent", "returned"), ADMIN_CALLS.values(), ids=ADMIN_CALLS
)
def test_an_admin_call(stub, client, call, answer, sent, returned):
    stub.answer(200, answer)
    assert call(client) == returned
    ((*request, headers),) = stub.requests
    assert tuple(request) == sent
    assert keys_sent(headers) == {"X-Admin-API-Key": "admin key"}


@pytest.mark.parametrize(("sound", "query"), [(None, ""), (3, "?sound=3")])
def test_the_sound_of_a_meeting_is_written_into_a_file(stub, client, tmp_path, sound, query):
    stub.answer(200, "the sound")
    client.get_meeting_audio(7, tmp_path / "sound.ogg", sound)
    assert (tmp_path / "sound.ogg").read_text() == "the sound"
    ((*request, headers),) = stub.requests
    assert request == ["GET", "/meetings/7/audio" + query, None]
    assert keys_sent(headers) == {"X-API-Key": "user key"}


@pytest.mark.parametrize(("call", "path"), NO_CONTENT_CALLS.values(), ids=NO_CONTENT_CALLS)
def test_a_call_that_answers_nothing(stub, client, call, path):
    stub.answer(204, "")
    assert call(client) is None
    ((*request, _),) = stub.requests
    assert request == ["DELETE", path, None]


@pytest.mark.parametrize("end", ["", "/", "/vomeet", "/vomeet/", "/a/b//"])
def test_base_url_with_slash_and_prefix(stub, end):
    VomeetClient(stub.base_url + end, api_key="key").whoami()
    assert stub.requests[0][1] == end.rstrip("/") + "/user"


def test_create_user_and_set_id_feeds_create_token(stub, client):
    stub.answer(200, {"id": 7})
    client.create_user_and_set_id("a@example.com", "Ada", None, 2, {"a": 1})
    client.create_token()
    assert [(path, body) for _, path, body, _ in stub.requests] == [
        (
            "/admin/users",
            {"email": "a@example.com", "name": "Ada", "max_concurrent_bots": 2, "data": {"a": 1}},
        ),
        ("/admin/users/7/tokens", None),
    ]


def test_meeting_helpers_read_the_data():
    meeting = {"data": {"name": "Standup", "participants": ["Ada"], "languages": ["en"]}}
    assert VomeetClient.get_meeting_metadata(meeting) == meeting["data"]
    assert VomeetClient.get_meeting_participants(meeting) == ["Ada"]
    assert VomeetClient.get_meeting_languages(meeting) == ["en"]


@pytest.mark.parametrize("meeting", [{}, {"data": {}}])
def test_meeting_helpers_where_nothing_is_known(meeting):
    assert VomeetClient.get_meeting_metadata(meeting) == {}
    assert VomeetClient.get_meeting_participants(meeting) == []
    assert VomeetClient.get_meeting_languages(meeting) == []


# Calls that must not reach the server


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda c: c.update_user(1), "Nothing to change"),
        (lambda c: c.update_meeting_data(*MEET), "Nothing to change"),
        (lambda c: c.update_bot_config(*MEET), "Nothing to change"),
        (lambda c: c.create_token(), "Whose token"),
        (lambda c: c.get_user_by_email(""), "cannot be part of a path"),
        (lambda c: c.stop_bot("..", "x"), "cannot be part of a path"),
    ],
)
def test_a_call_that_makes_no_sense(stub, client, call, message):
    with pytest.raises(VomeetClientError, match=message) as caught:
        call(client)
    assert (caught.value.status_code, caught.value.detail) == (None, None)
    assert stub.requests == []


@pytest.mark.parametrize("key", [None, "", "secret\n", " secret", "sécret", "sec\0ret"])
def test_a_key_that_cannot_be_sent(stub, key):
    client = VomeetClient(stub.base_url, api_key=key, admin_key=key)
    with pytest.raises(VomeetClientError, match="X-API-Key") as user_error:
        client.get_meetings()
    with pytest.raises(VomeetClientError, match="X-Admin-API-Key") as admin_error:
        client.list_users()
    assert "ret" not in str(user_error.value) + str(admin_error.value)
    assert stub.requests == []


# Answers that are errors


@pytest.mark.parametrize(
    ("status", "answer", "detail", "message"),
    [
        (404, {"detail": "User not found"}, "User not found", "User not found (HTTP 404 for GET "),
        (
            422,
            {
                "detail": [
                    {"type": "missing", "loc": ["body", "email"], "msg": "Field required"},
                    {"type": "x", "loc": ["body", "data", 0], "msg": "Too deep"},
                ]
            },
            [
                {"type": "missing", "loc": ["body", "email"], "msg": "Field required"},
                {"type": "x", "loc": ["body", "data", 0], "msg": "Too deep"},
            ],
            "body.email: Field required; body.data.0: Too deep (HTTP 422",
        ),
        (422, {"detail": ["odd", {"msg": "Bad"}]}, ["odd", {"msg": "Bad"}], "odd; Bad (HTTP 422"),
        (502, "<h1>Bad Gateway</h1>", "<h1>Bad Gateway</h1>", "<h1>Bad Gateway</h1> (HTTP 502"),
        (500, "", "Internal Server Error", "Internal Server Error (HTTP 500"),
        (500, ["odd"], ["odd"], "odd (HTTP 500"),
    ],
)
def test_an_error_answer(stub, client, status, answer, detail, message):
    stub.answer(status, answer)
    with pytest.raises(VomeetClientError) as caught:
        client.whoami()
    assert caught.value.status_code == status
    assert caught.value.detail == detail
    assert str(caught.value).startswith(message)


def test_a_redirect_is_not_followed(stub, client):
    stub.answer(301, "", Location=f"{stub.base_url}/elsewhere")
    with pytest.raises(VomeetClientError, match="redirected to .*/elsewhere") as caught:
        client.whoami()
    assert caught.value.status_code == 301
    assert len(stub.requests) == 1


def test_an_answer_that_is_not_json(stub, client):
    stub.answer(200, "<html>")
    with pytest.raises(VomeetClientError, match="is not JSON"):
        client.whoami()


def test_an_address_that_is_none():
    with pytest.raises(VomeetClientError, match="could not be sent"):
        VomeetClient("no address", api_key="key").whoami()


def test_a_server_that_does_not_answer_in_time(silent_port):
    client = VomeetClient(f"http://127.0.0.1:{silent_port}", api_key="key", timeout=0.1)
    with pytest.raises(VomeetClientError, match=r"No answer to GET .*/user within 0\.1 s"):
        client.whoami()


# Links


@pytest.mark.parametrize(
    ("link", "parts"),
    [
        ("https://meet.google.com/abc-defg-hij", ("google_meet", "abc-defg-hij", None)),
        ("https://meet.google.com/abc-defg-hij/", ("google_meet", "abc-defg-hij", None)),
        (
            "https://meet.google.com/abc-defg-hij?authuser=0&hs=1",
            ("google_meet", "abc-defg-hij", None),
        ),
        ("meet.google.com/abc-defg-hij#x", ("google_meet", "abc-defg-hij", None)),
        (" http://Meet.Google.com/abc-defg-hij \n", ("google_meet", "abc-defg-hij", None)),
        ("https://meet.google.com/ABC-DEFG-HIJ", ("google_meet", "abc-defg-hij", None)),
        ("https://zoom.us/j/1234567890?pwd=a.1", ("zoom", "1234567890", "a.1")),
        (TEAMS_LINK, ("teams", "9398850880426", "Passcode1234")),
        ("https://teams.live.com/meet/9398850880426", ("teams", "9398850880426", None)),
        ("https://teams.live.com/meet/9398850880426?p=", ("teams", "9398850880426", None)),
        (
            "https://teams.live.com/meet/1234567890?a=b&p=Pass1234&c=d",
            ("teams", "1234567890", "Pass1234"),
        ),
        ("https://TEAMS.live.com/meet/123456789012345?xp=1", ("teams", "123456789012345", None)),
    ],
)
def test_parse_url(link, parts):
    assert parse_url(link) == parts


@pytest.mark.parametrize(
    "link",
    [
        "",
        "hello",
        "https://zoom.us/j/12345678",
        "https://example.com/meet.google.com/abc-defg-hij",
        "https://meet.google.com.example.com/abc-defg-hij",
        "https://meet.google.com@example.com/abc-defg-hij",
        "https://meet.google.com/",
        "https://meet.google.com/abc-defg-hijk",
        "https://meet.google.com/abc-defg-hij/more",
        "https://meet.google.com/lookup/abc-defg-hij",
        "https://teams.live.com/meet/123456789",
        "https://teams.live.com/meet/1234567890123456",
        "https://teams.live.com/meet/١٢٣٤٥٦٧٨٩٠",
        "https://teams.live.com/9398850880426",
        "https://teams.microsoft.com/l/meetup-join/9398850880426",
        "ftp://teams.live.com/meet/9398850880426",
        "https://[teams.live.com/meet/9398850880426",
    ],
)
def test_parse_url_refuses(link):
    with pytest.raises(ValueError):
        parse_url(link)


LINKS = json.loads((REPOSITORY / "tests" / "links.json").read_text(encoding="utf-8"))
OWN_HOSTS = ["meet.example.org", "*.pages.example.com"]


@pytest.mark.parametrize("case", LINKS, ids=[case["link"][:60] for case in LINKS])
def test_links_lead_where_the_table_of_the_server_says(case):
    if case.get("platform") == "generic":
        with pytest.raises(ValueError, match="use request_bot_from_url"):
            parse_link(case["link"], OWN_HOSTS)
    elif "refused" in case:
        with pytest.raises(ValueError, match=re.escape(case["refused"])):
            parse_link(case["link"], OWN_HOSTS)
    else:
        link = parse_link(case["link"], OWN_HOSTS)
        assert link._asdict() == {
            "platform": case["platform"],
            "native_meeting_id": case["native_meeting_id"],
            "passcode": case["passcode"],
            "url": case["meeting_url"],
        }


def test_the_module_that_published_notebooks_import():
    from vomeet_client import vomeet

    assert vomeet.VomeetClient is VomeetClient
    assert (vomeet.parse_url, vomeet.VomeetClientError) == (parse_url, VomeetClientError)


@contextmanager
def hasty_server():
    """Answer the first request on each connection, and close it without a word at the second.

    Gives the address, and the methods of the requests that came.
    """
    came = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection, connection.makefile("rwb") as file:
                    for number in range(2):
                        method = file.readline().split(b" ")[0].decode()
                        while (line := file.readline()).strip():
                            if line.lower().startswith(b"content-length:"):
                                length = int(line.split(b":")[1])
                        if method in ("POST", "PUT"):
                            file.read(length)
                        if not method:
                            break
                        came.append(method)
                        if number == 0:
                            file.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
                            file.flush()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", came
        listener.shutdown(socket.SHUT_RDWR)


def test_a_connection_that_was_closed_meanwhile_is_not_seen_by_what_is_safe():
    with hasty_server() as (url, came):
        client = VomeetClient(url, api_key="user key", admin_key="admin key", timeout=60)
        for _ in range(3):
            client.set_webhook_url("https://example.com/hook")
        assert came == ["PUT"] * 5


def test_what_is_not_safe_is_sent_once():
    with hasty_server() as (url, came):
        client = VomeetClient(url, api_key="user key", admin_key="admin key", timeout=60)
        client.create_user("one@example.com")
        with pytest.raises(VomeetClientError, match="No connection for POST"):
            client.create_user("two@example.com")
        assert came == ["POST", "POST"]


def test_connections_that_were_idle_for_long_are_not_used(monkeypatch):
    with hasty_server() as (url, came):
        client = VomeetClient(url, api_key="user key", admin_key="admin key", timeout=60)
        client.create_user("one@example.com")
        now = time.monotonic()
        monkeypatch.setattr(time, "monotonic", lambda: now + 60)
        client.create_user("two@example.com")
        assert came == ["POST", "POST"]
