"""Tokens, admin keys and the audit log by our Python client, against a live server."""

import json

import pytest
from live_server import ADMIN_KEY
from shapes import assert_fits
from vomeet_client import VomeetClient, VomeetClientError, types


@pytest.fixture
def user(admin):
    """A user of this test's own; the address is known to nobody else."""
    number = max((each["id"] for each in admin.list_users(limit=1000)), default=0)
    return admin.create_user(f"keys{number}@example.com")


def client_of(server, token):
    return VomeetClient(server, api_key=token["token"])


def refusal(call, *arguments, **named):
    with pytest.raises(VomeetClientError) as caught:
        call(*arguments, **named)
    return caught.value


def test_a_narrow_token(server, admin, user):
    meeting = {"platform": "teams", "native_meeting_id": "1234567890"}
    token = admin.create_token(user["id"], "ci", 3600, 600, read_only=True, meeting=meeting)
    assert_fits(token, types.NewToken)
    assert (token["disuse_seconds"], token["scope"]["read_only"]) == (600, True)
    assert token["scope"]["meeting"] == meeting
    refused = refusal(client_of(server, token).request_bot, "teams", "1234567890")
    assert (refused.status_code, refused.code) == (403, "not_allowed")
    assert refused.reason in str(refused)
    by_platform = admin.create_token(user["id"], platforms=["google_meet"])
    assert by_platform["scope"]["platforms"] == ["google_meet"]


def test_a_token_is_shown_changed_and_disabled(server, admin, user):
    token = admin.create_token(user["id"], expires_in=3600)
    assert_fits(admin.get_token(token["id"]), types.Token)
    changed = admin.update_token(token["id"], name="nightly", disabled=True, expires_in=0)
    assert (changed["name"], changed["expires_at"]) == ("nightly", None)
    assert refusal(client_of(server, token).whoami).code == "disabled"
    assert admin.update_token(token["id"], disabled=False)["disabled_at"] is None
    assert client_of(server, token).whoami()["id"] == user["id"]
    assert admin.update_token(token["id"], read_only=True)["scope"]["read_only"] is True
    assert refusal(admin.update_token, token["id"], read_only=False).status_code == 409
    assert refusal(admin.get_token, 10**9).status_code == 404
    assert "Nothing to change" in str(refusal(admin.update_token, token["id"]))


def test_a_token_is_rotated(server, admin, user):
    token = admin.create_token(user["id"], "ci")
    rotated = admin.rotate_token(token["id"], grace_seconds=60)
    assert_fits(rotated, types.RotatedToken)
    assert rotated["replaces"]["id"] == token["id"]
    assert client_of(server, token).whoami()["id"] == client_of(server, rotated).whoami()["id"]
    assert refusal(admin.rotate_token, token["id"]).status_code == 409
    admin.rotate_token(rotated["id"], grace_seconds=0)
    assert refusal(client_of(server, rotated).whoami).code == "revoked"


def test_holders_rotate_their_own(server, admin, user):
    client = client_of(server, admin.create_token(user["id"]))
    rotated = client.rotate_own_token(grace_seconds=0)
    assert client.whoami()["token"]["id"] == rotated["id"]
    assert [each["id"] for each in client.list_own_tokens()] == [rotated["id"]]
    assert_fits(client.list_own_tokens(), list[types.Token])


def test_a_user_is_disabled(server, admin, user):
    client = client_of(server, admin.create_token(user["id"]))
    assert admin.update_user(user["id"], disabled=True)["disabled_at"] is not None
    assert refusal(client.whoami).code == "user_disabled"
    admin.update_user(user["id"], disabled=False)
    assert client.whoami()["id"] == user["id"]


def test_admin_keys(server, admin):
    made = admin.create_admin_key("grace", expires_in=3600)
    assert_fits(made, types.NewAdminKey)
    assert refusal(admin.create_admin_key, "grace").status_code == 409
    rotated = admin.rotate_admin_key(made["id"], grace_seconds=0)
    assert refusal(VomeetClient(server, admin_key=made["key"]).list_users).code == "revoked"
    grace = VomeetClient(server, admin_key=rotated["key"])
    assert_fits(grace.list_admin_keys(), list[types.AdminKey])
    admin.delete_admin_key(made["id"])
    assert refusal(grace.list_admin_keys).code == "revoked"


def test_the_health_of_the_server(admin):
    for check_file in [False, True]:
        health = admin.get_health(check_file)
        assert_fits(health, types.Health)
        assert (health["works"], health["ready"], health["file_checked"]) == (
            True,
            True,
            check_file,
        )
    assert admin.is_ready()


def test_the_audit_log(admin, user):
    for number in range(3):
        admin.update_user(user["id"], max_concurrent_bots=number + 1)
    entries = list(admin.list_audit(user_id=user["id"]))
    assert_fits(entries, list[types.AuditEntry])
    assert [each["action"] for each in entries] == ["user.update"] * 3 + ["user.create"]
    assert [each["id"] for each in admin.list_audit(action="user.create", user_id=user["id"])]
    assert list(admin.list_audit(actor="nobody")) == []
    assert refusal(list, admin.list_audit(from_time="yesterday")).status_code == 422
    verified = admin.verify_audit()
    assert_fits(verified, types.Verification)
    assert verified["intact"]


def test_the_audit_log_is_read_page_by_page(admin, user):
    for number in range(120):
        admin.update_user(user["id"], max_concurrent_bots=number + 1)
    numbers = [each["id"] for each in admin.list_audit(user_id=user["id"])]
    assert len(numbers) == 121
    assert numbers == sorted(set(numbers), reverse=True)


def test_the_export_of_a_user(admin, user, tmp_path):
    admin.export_user(user["id"], tmp_path / "user.json")
    whole = json.loads((tmp_path / "user.json").read_text())
    assert (whole["user"]["email"], whole["complete"]) == (user["email"], True)
    assert refusal(admin.export_user, 10**9, tmp_path / "nobody.json").status_code == 404
    assert not (tmp_path / "nobody.json").exists()


def test_a_missing_key_has_its_code(server):
    refused = refusal(VomeetClient(server, admin_key=ADMIN_KEY + "x").list_users)
    assert (refused.status_code, refused.code) == (403, "unknown")
