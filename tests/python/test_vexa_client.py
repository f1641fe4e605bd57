"""The package vexa-client 0.5.4, pointed at our server, method by method."""

import itertools
import time

import pytest
from live_server import ADMIN_KEY
from vexa_client import VexaClient, VexaClientError

USER_FIELDS = {
    "id": int,
    "email": str,
    "name": str,
    "image_url": str,
    "max_concurrent_bots": int,
    "data": dict,
    "created_at": str,
    "disabled_at": type(None),
}
NUMBERS = itertools.count(1)


@pytest.fixture
def admin(server):
    return VexaClient(base_url=server, admin_key=ADMIN_KEY)


@pytest.fixture
def user(admin):
    """A user of this test's own, every field set."""
    return admin.create_user(
        f"user{next(NUMBERS)}@example.com",
        name="Ada",
        image_url="https://example.com/ada.png",
        max_concurrent_bots=2,
    )


def test_create_user(user):
    assert {field: type(value) for field, value in user.items()} == USER_FIELDS
    assert user["name"] == "Ada"
    assert user["image_url"] == "https://example.com/ada.png"
    assert user["max_concurrent_bots"] == 2
    assert user["data"] == {}


def test_create_user_needs_only_an_email(admin):
    user = admin.create_user("only@example.com")
    assert (user["name"], user["image_url"], user["max_concurrent_bots"]) == (None, None, 0)


def test_create_user_again_returns_the_stored_one_unchanged(admin, user):
    again = admin.create_user(user["email"].upper(), name="Somebody", max_concurrent_bots=9)
    assert again == user


def test_create_user_and_set_id_then_create_token(admin):
    user = admin.create_user_and_set_id("set-id@example.com", name="Ida")
    assert admin.user_id == user["id"]
    assert admin.create_token()["user_id"] == user["id"]


def test_list_users(admin, user):
    users = admin.list_users()
    assert user in users
    ids = [each["id"] for each in users]
    assert ids == sorted(ids)


def test_list_users_in_pages(admin, user):
    users = admin.list_users()
    assert admin.list_users(skip=len(users) - 1, limit=1) == users[-1:]
    assert admin.list_users(skip=len(users)) == []


def test_update_user(admin, user):
    updated = admin.update_user(
        user["id"], name="Ada L.", image_url="https://example.com/2.png", max_concurrent_bots=0
    )
    assert updated == user | {
        "name": "Ada L.",
        "image_url": "https://example.com/2.png",
        "max_concurrent_bots": 0,
    }
    assert admin.update_user(user["id"], name="Ada")["image_url"] == "https://example.com/2.png"


def test_get_user_by_email(admin, user):
    assert admin.get_user_by_email(user["email"]) == user


def test_create_token(admin, user):
    token = admin.create_token(user["id"])
    assert token["user_id"] == user["id"]
    assert len(token["token"]) == 40
    assert token["token"].isalnum() and token["token"].isascii()
    assert token["created_at"].endswith("Z")


def test_set_api_key_then_get_meetings(server, admin, user):
    client = VexaClient(base_url=server)
    client.set_api_key(admin.create_token(user["id"])["token"])
    assert client.get_meetings() == []


def test_get_meeting_by_id(server, admin, user):
    client = VexaClient(base_url=server, api_key=admin.create_token(user["id"])["token"])
    assert client.get_meeting_by_id("google_meet", "abc-defg-hij") is None


@pytest.mark.parametrize(
    ("call", "status", "detail"),
    [
        (lambda c: c.get_user_by_email("nobody@example.com"), 404, "User not found"),
        (lambda c: c.create_token(999_999), 404, "User not found"),
        (lambda c: c.update_user(999_999, name="Nobody"), 404, "User not found"),
        (lambda c: c.create_user("no address"), 422, "'email'"),
        (lambda c: c.create_user("a@example.com", max_concurrent_bots=-1), 422, "'max_concurrent_"),
        (lambda c: c.list_users(skip=-1), 422, "'skip'"),
        (lambda c: c.list_users(limit=1001), 422, "'limit'"),
    ],
)
def test_errors_of_an_administrator(admin, call, status, detail):
    with pytest.raises(VexaClientError, match=rf"^HTTP Error {status} for .*{detail}"):
        call(admin)


def test_error_for_a_wrong_admin_key(server):
    client = VexaClient(base_url=server, admin_key="not the key")
    with pytest.raises(
        VexaClientError, match=r"HTTP Error 403 .*: Invalid or missing admin token\.$"
    ):
        client.list_users()


def test_error_for_a_wrong_user_token(server):
    client = VexaClient(base_url=server, api_key="not a token")
    with pytest.raises(VexaClientError, match=r"HTTP Error 403 .*: Invalid API token$"):
        client.get_meetings()


GOOGLE, TEAMS = ("google_meet", "abc-defg-hij"), ("teams", "9876543210123")
PATIENCE_SECONDS = 60


@pytest.fixture
def meetings(demo_server):
    """A client with a user's key, whose bots play a short meeting."""
    admin = VexaClient(base_url=demo_server, admin_key=ADMIN_KEY)
    user = admin.create_user("meets@example.com", max_concurrent_bots=2)
    token = admin.create_token(user["id"])["token"]
    return VexaClient(base_url=demo_server, api_key=token)


def wait_until(client, name, *states):
    """Waits until a meeting is in one of the states, and gives it."""
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        meeting = client.get_meeting_by_id(*name)
        if meeting["status"] in states:
            return meeting
        time.sleep(0.1)
    raise AssertionError(f"{meeting['status']} is none of {states}")


def test_a_meeting_from_its_request_to_its_end(meetings):
    requested = meetings.request_bot(*GOOGLE, bot_name="Scribe", language="en", task="transcribe")
    assert requested["status"] == "requested"
    assert requested["constructed_meeting_url"] == "https://meet.google.com/abc-defg-hij"
    with pytest.raises(VexaClientError, match="409 .*already exists for this platform"):
        meetings.request_bot(*GOOGLE)
    (bot,) = meetings.get_running_bots_status()
    assert (bot["platform"], bot["native_meeting_id"]) == GOOGLE
    assert bot["meeting_id_from_name"] == str(requested["id"])

    active = wait_until(meetings, GOOGLE, "active")
    assert active["start_time"].endswith("Z") and active["end_time"] is None
    accepted = meetings.update_bot_config(*GOOGLE, language="es", task="transcribe")
    assert accepted["message"].startswith("Reconfiguration request accepted")

    over = wait_until(meetings, GOOGLE, "completed", "failed")
    assert over["data"]["completion_reason"] == "left_alone"
    assert meetings.get_running_bots_status() == []
    assert meetings.get_meeting_participants(over) == ["Ada", "Grace", "Lucía"]
    assert meetings.get_meeting_languages(over) == ["en", "es"]
    assert meetings.get_meeting_metadata(over) == over["data"]

    transcript = meetings.get_transcript(*GOOGLE)
    assert transcript == meetings.get_transcript(*GOOGLE, meeting_id=over["id"])
    segments = transcript["segments"]
    assert len(segments) == 12
    assert segments[0]["text"] == "Good morning, everybody. Shall we begin?"
    starts = [segment["absolute_start_time"] for segment in segments]
    assert len(set(starts)) == 12 and starts == sorted(starts)

    noted = meetings.update_meeting_data(
        *GOOGLE, name="Weekly", participants=["Ada"], notes="Done."
    )
    assert (noted["data"]["name"], noted["data"]["participants"]) == ("Weekly", ["Ada"])
    assert meetings.delete_meeting(*GOOGLE)["message"]
    (redacted,) = meetings.get_meetings()
    assert redacted["native_meeting_id"] is None and redacted["data"]["redacted"] is True
    with pytest.raises(VexaClientError, match="404 .*Meeting not found for platform google_meet"):
        meetings.get_transcript(*GOOGLE)


def test_a_meeting_by_its_link_is_stopped(meetings):
    url = "https://teams.live.com/meet/9876543210123?p=abcd1234"
    requested = meetings.request_bot_from_url(
        url, bot_name="Scribe", language="de", task="translate"
    )
    assert requested["constructed_meeting_url"] == url
    wait_until(meetings, TEAMS, "joining", "awaiting_admission", "active")
    with pytest.raises(VexaClientError, match="409 .*Meeting not finalized"):
        meetings.delete_meeting(*TEAMS)
    assert meetings.stop_bot(*TEAMS)["message"].startswith("Stop request accepted")
    over = wait_until(meetings, TEAMS, "completed", "failed")
    assert over["data"]["completion_reason"] == "stopped"
    assert meetings.stop_bot(*TEAMS)["message"] == "Meeting already completed."
    with pytest.raises(VexaClientError, match="404 .*No meeting found to stop"):
        meetings.stop_bot("teams", "1111111111")


def test_set_webhook_url(meetings):
    user = meetings.set_webhook_url("https://example.com/hook")
    assert user["data"] == {"webhook_url": "https://example.com/hook"}
    with pytest.raises(VexaClientError, match="422"):
        meetings.set_webhook_url("https://127.0.0.1/hook")
