"""What an administrator's console asks, and tokens that holders make, by our Python client."""

import json

import pytest
from live_server import ADMIN_KEY
from shapes import assert_fits
from vomeet_client import VomeetClient, VomeetClientError, types
from websockets.sync.client import connect


@pytest.fixture
def user(admin):
    """A user of this test's own; the address is known to nobody else."""
    number = max((each["id"] for each in admin.list_users(limit=1000)), default=0)
    return admin.create_user(f"console{number}@example.com")


@pytest.fixture
def client(server, admin, user):
    """The client of a token of that user."""
    return VomeetClient(server, api_key=admin.create_token(user["id"])["token"])


def refusal(call, *arguments, **named):
    with pytest.raises(VomeetClientError) as caught:
        call(*arguments, **named)
    return caught.value


def test_the_server_at_one_glance(server, admin, user):
    overview = admin.get_overview()
    assert_fits(overview, types.Overview)
    assert overview["counted"]["users"] >= 1
    assert len(overview["counted"]["days"]) == 30
    assert refusal(VomeetClient(server, api_key="wrong").whoami).status_code == 403
    refusals = admin.get_refusals(limit=200)
    assert_fits(refusals, types.Refusals)
    assert refusals["by_code"]["mistyped"] >= 1
    settings = admin.get_settings()
    assert_fits(settings, types.Settings)
    named = {setting["name"]: setting for setting in settings["settings"]}
    assert named["listen"]["value"] == "127.0.0.1:0"
    assert named["admin_api_token"]["value"] is None
    assert ADMIN_KEY not in [setting["value"] for setting in settings["settings"]]


def test_engines_and_lag(admin):
    shown = admin.get_transcription()
    assert_fits(shown, types.TranscriptionOverview)
    assert (shown["engines"], shown["live"]["meetings"]) == ([], 0)
    assert set(shown["withheld"]) == {"repeats", "unsure", "known_of_silence", "no_voice"}


def test_searches_across_all_users(admin, user, client):
    (found,) = admin.search_users(q=user["email"])
    assert_fits(found, types.FoundUser)
    assert (found["id"], found["tokens"]) == (user["id"], 1)
    assert list(admin.search_users(q=user["email"], state="disabled")) == []
    soon = admin.create_token(user["id"], expires_in=3600)
    (ending,) = admin.search_tokens(user_id=user["id"], ending_within=86400)
    assert_fits(ending, types.FoundToken)
    assert (ending["id"], ending["email"]) == (soon["id"], user["email"])
    assert list(admin.search_tokens(user_id=user["id"], unused_for=60)) == []
    assert list(admin.search_meetings(user_id=user["id"], status="open")) == []
    assert refusal(list, admin.search_meetings(status="over")).status_code == 422
    assert refusal(admin.get_bot_log, 10**9).status_code == 404


def test_a_search_goes_on_although_a_page_is_empty(monkeypatch):
    pages = iter(
        [
            {"users": [], "next": 20000},
            {"users": [{"id": 20001}], "next": 20001},
            {"users": [], "next": None},
        ]
    )
    asked = []

    def answer(_method, path, params):
        assert path == "/admin/users/search"
        asked.append(params)
        return next(pages)

    admin = VomeetClient(admin_key="key")
    monkeypatch.setattr(admin, "_as_admin", answer)
    assert list(admin.search_users(state="disabled")) == [{"id": 20001}]
    state = {"state": "disabled"}
    assert asked == [state, {**state, "after": 20000}, {**state, "after": 20001}]


def test_holders_make_tokens_of_their_own(server, user, client):
    own = client.whoami()["token"]["id"]
    made = client.create_own_token("dashboard", expires_in=3600, read_only=True)
    assert_fits(made, types.NewToken)
    assert (made["user_id"], made["scope"]["made_by"]) == (user["id"], own)
    dashboard = VomeetClient(server, api_key=made["token"])
    assert dashboard.whoami()["token"]["id"] == made["id"]
    assert refusal(dashboard.create_own_token).code == "not_allowed"
    assert [each["id"] for each in client.list_own_tokens()] == [own, made["id"]]
    client.delete_own_token(made["id"])
    assert refusal(dashboard.whoami).code == "revoked"
    assert refusal(client.delete_own_token, 10**9).status_code == 404


def test_a_ticket_opens_the_live_feed(server, client):
    ticket = client.create_ticket()
    assert_fits(ticket, types.Ticket)
    address = f"{server.replace('http', 'ws', 1)}/ws?ticket={ticket['ticket']}"
    with connect(address) as socket:
        socket.send('{"action": "ping"}')
        assert json.loads(socket.recv()) == {"type": "pong"}
    with connect(address) as socket:
        assert json.loads(socket.recv())["code"] == "ticket"


def test_webhooks_of_others(admin, user, client):
    client.set_webhook_url("https://example.com/hook", secret="x" * 16)
    webhook = admin.get_user_webhook(user["id"])
    assert webhook == {"webhook_url": "https://example.com/hook", "has_secret": True}
    assert_fits(webhook, types.Webhook)
    assert admin.list_user_deliveries(user["id"]) == []
    for call in (admin.resend_delivery, client.resend_webhook_delivery):
        assert refusal(call, 10**9).status_code == 404
