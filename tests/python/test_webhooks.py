"""Several webhooks of a user by our client, and PyPI's standardwebhooks, which verifies what comes."""

import pytest
from http_stub import stub_server
from live_server import ADMIN_KEY, running
from shapes import assert_fits
from standardwebhooks import Webhook, WebhookVerificationError
from vomeet_client import VomeetClient, VomeetClientError, types

EVENTS = ["meeting.status_change", "transcript.ready"]


@pytest.fixture(scope="module")
def receiver():
    with stub_server() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    allowed = {"VOMEET_WEBHOOKS_ALLOWED_NETWORKS": "127.0.0.0/8"}
    with running(tmp_path_factory.mktemp("server"), **allowed) as base_url:
        admin = VomeetClient(base_url, admin_key=ADMIN_KEY)
        user = admin.create_user("hooks@example.com")
        key = admin.create_token(user["id"])["token"]
        yield VomeetClient(base_url, api_key=key, admin_key=ADMIN_KEY)


def posted(client, receiver, webhook_id):
    """The body and the headers of a test event."""
    tested = client.test_webhook_by_id(webhook_id)
    assert_fits(tested, types.WebhookTest)
    assert tested["delivered"], tested
    *_, headers = receiver.requests[-1]
    return receiver.bodies[-1], headers


def test_standardwebhooks_verifies_ours_also_while_a_secret_rotates(client, receiver):
    made = client.create_webhook(receiver.base_url, EVENTS)
    assert_fits(made, types.WebhookWithSecret)
    assert made["secret"].startswith("whsec_")
    body, headers = posted(client, receiver, made["id"])
    event = Webhook(made["secret"]).verify(body, headers)
    assert event["event_type"] == "webhook.test"
    with pytest.raises(WebhookVerificationError):
        Webhook(made["secret"]).verify(body.replace(b"test", b"best"), headers)

    rotated = client.rotate_webhook_secret(made["id"], grace_seconds=3600)
    assert rotated["old_secret_until"] is not None
    body, headers = posted(client, receiver, made["id"])
    for secret in (made["secret"], rotated["secret"]):
        assert Webhook(secret).verify(body, headers)["event_type"] == "webhook.test"
    client.rotate_webhook_secret(made["id"], grace_seconds=0)
    body, headers = posted(client, receiver, made["id"])
    with pytest.raises(WebhookVerificationError):
        Webhook(rotated["secret"]).verify(body, headers)


def test_the_first_webhook_has_the_headers_too_by_the_bytes_of_its_secret(client, receiver):
    client.set_webhook_url(receiver.base_url, secret="a-secret-of-our-own")
    body, headers = posted(client, receiver, 0)
    assert Webhook(b"a-secret-of-our-own").verify(body, headers)["event_type"] == "webhook.test"
    client.set_webhook_url("", secret="")


def test_webhooks_are_listed_changed_and_deleted(client, receiver):
    made = client.create_webhook(receiver.base_url, secret="of-at-least-16-characters")
    assert (made["secret"], made["events"]) == (None, ["meeting.status_change"])
    changed = client.update_webhook(made["id"], events=EVENTS)
    assert_fits(changed, types.WebhookEntry)
    assert changed == client.get_webhook_by_id(made["id"])
    assert changed in client.list_webhooks()
    user = client.whoami()["id"]
    assert client.list_user_webhooks(user) == client.list_webhooks()
    with pytest.raises(VomeetClientError, match="Nothing to change"):
        client.update_webhook(made["id"])
    client.delete_webhook(made["id"])
    for call in (client.delete_webhook, client.get_webhook_by_id):
        with pytest.raises(VomeetClientError, match="Webhook not found"):
            call(made["id"])
    for webhook in client.list_webhooks():
        client.delete_user_webhook(user, webhook["id"])
    assert client.list_webhooks() == []
    assert client.list_webhook_deliveries(webhook_id=made["id"]) == []
