"""Our Python client against a live server, method by method."""

import inspect
import itertools
import socket

import pytest
import vexa_client.vexa
import vomeet_client
from live_server import ADMIN_KEY
from vexa_client import VexaClient
from vomeet_client import VomeetClient, VomeetClientError

NUMBERS = itertools.count(1)


@pytest.fixture
def user(admin):
    """A user of this test's own."""
    return admin.create_user(f"user{next(NUMBERS)}@example.com", name="Ada")


@pytest.fixture
def client(server, admin, user):
    """A client with a token of `user`."""
    return VomeetClient(server, api_key=admin.create_token(user["id"])["token"])


def refusal(call, *arguments, **named):
    """Make a call that must fail, and return its error."""
    with pytest.raises(VomeetClientError) as caught:
        call(*arguments, **named)
    return caught.value


# The same face as vexa-client

VEXA_METHODS = [
    name for name, _ in inspect.getmembers(VexaClient, callable) if not name.startswith("_")
]


def parameters(function):
    return [
        (each.name, each.kind, each.default)
        for each in inspect.signature(function).parameters.values()
        if each.name != "base_url"
    ]


@pytest.mark.parametrize("name", ["__init__", *VEXA_METHODS])
def test_signature_begins_as_in_vexa_client(name):
    theirs = parameters(getattr(VexaClient, name))
    assert parameters(getattr(VomeetClient, name))[: len(theirs)] == theirs
    assert isinstance(inspect.getattr_static(VomeetClient, name), staticmethod) == isinstance(
        inspect.getattr_static(VexaClient, name), staticmethod
    )


def test_vexa_client_has_the_methods_that_we_compare():
    assert len(VEXA_METHODS) == 21


def test_parse_url_has_the_signature_of_vexa_client():
    assert parameters(vomeet_client.parse_url) == parameters(vexa_client.vexa.parse_url)


def test_base_url_is_first_and_local_by_default():
    first = next(iter(inspect.signature(VomeetClient).parameters.values()))
    assert (first.name, first.default) == ("base_url", "http://localhost:18056")


UNLIMITED = {"read_only": False, "platforms": [], "meeting": None}
SHOWN_TO_THE_HOLDER = (
    *("id", "name", "hint", "created_at", "expires_at"),
    *("disuse_seconds", "scope"),
)

# Users


def test_create_user(admin):
    user = admin.create_user(
        "grace@example.com", "Grace", "https://example.com/g.png", 2, {"a": [1]}
    )
    assert user.pop("id") > 0
    assert user.pop("created_at").endswith("Z")
    assert user == {
        "email": "grace@example.com",
        "name": "Grace",
        "image_url": "https://example.com/g.png",
        "max_concurrent_bots": 2,
        "data": {"a": [1]},
        "disabled_at": None,
    }


def test_create_user_again_returns_the_stored_one_unchanged(admin, user):
    assert admin.create_user(user["email"].upper(), name="Somebody", data={"a": 1}) == user


def test_create_user_and_set_id_then_create_token(admin):
    user = admin.create_user_and_set_id("set-id@example.com")
    assert admin.user_id == user["id"]
    assert admin.create_token()["user_id"] == user["id"]


@pytest.mark.parametrize("email", ["a+b@example.com", "a/b@example.com", "a%2Fb?#&=@example.com"])
def test_get_user_by_email_with_special_characters(admin, email):
    user = admin.create_user(email)
    assert user["email"] == email
    assert admin.get_user_by_email(email) == user


def test_get_user_shows_tokens_without_secrets(admin, user):
    token = admin.create_token(user["id"], name="laptop")
    details = admin.get_user(user["id"])
    assert details["api_tokens"] == admin.list_tokens(user["id"])
    assert token["token"] not in str(details)
    del details["api_tokens"]
    assert details == user


def test_update_user(admin, user):
    changes = {
        "name": "Ada L.",
        "image_url": "https://example.com/a.png",
        "max_concurrent_bots": 5,
        "data": {"team": "engines"},
    }
    assert admin.update_user(user["id"], **changes) == user | changes
    assert admin.update_user(user["id"], max_concurrent_bots=0) == user | changes | {
        "max_concurrent_bots": 0
    }
    assert admin.update_user(user["id"], data={})["data"] == {}


def test_list_users_pages_by_after(admin, user):
    users = admin.list_users(limit=1000)
    assert len(users) > 1
    pages, page = [], admin.list_users(limit=1)
    while page:
        pages += page
        page = admin.list_users(limit=1, after=page[-1]["id"])
    assert pages == users


def test_list_users_searches(admin, user):
    admin.update_user(user["id"], name="Needle in a haystack")
    assert [each["id"] for each in admin.list_users(q="needle")] == [user["id"]]
    assert admin.list_users(q="nowhere to be found") == []


def test_delete_user(admin, user, client):
    assert admin.delete_user(user["id"]) is None
    assert refusal(admin.get_user, user["id"]).status_code == 404
    assert refusal(client.get_meetings).detail == "Invalid API token"


# Tokens


def test_create_token_with_name_and_end(admin, user):
    token = admin.create_token(user["id"], name="laptop", expires_in=3600)
    assert token["name"] == "laptop"
    assert token["expires_at"] > token["created_at"]


def test_list_tokens(admin, user):
    token = admin.create_token(user["id"], name="laptop", expires_in=3600)
    assert admin.list_tokens(user["id"]) == [
        {
            "id": token["id"],
            "user_id": user["id"],
            "name": "laptop",
            "hint": token["token"][:4],
            "created_at": token["created_at"],
            "expires_at": token["expires_at"],
            "last_used_at": None,
            "last_address": None,
            "disabled_at": None,
            "disuse_seconds": None,
            "replaced_by": None,
            "scope": UNLIMITED,
        }
    ]


def test_delete_token(admin, user, client):
    (token,) = admin.list_tokens(user["id"])
    assert client.get_meetings() == []
    assert admin.delete_token(token["id"]) is None
    assert refusal(client.get_meetings).detail == "Invalid API token"
    assert admin.list_tokens(user["id"]) == []


# The caller


def test_whoami(admin, user, client):
    (token,) = admin.list_tokens(user["id"])
    assert client.whoami() == {
        "id": user["id"],
        "email": user["email"],
        "name": "Ada",
        "image_url": None,
        "max_concurrent_bots": 0,
        "seats_in_use": 0,
        "token": {key: token[key] for key in SHOWN_TO_THE_HOLDER},
    }


def test_set_api_key(server, admin, user):
    client = VomeetClient(server, api_key="not a token")
    client.set_api_key(admin.create_token(user["id"])["token"])
    assert client.whoami()["id"] == user["id"]


def test_meetings(client):
    assert client.get_meetings() == []
    assert client.get_meetings(limit=1, skip=1, status="active", platform="teams") == []
    assert client.get_meeting_by_id("google_meet", "abc-defg-hij") is None


# Refusals


@pytest.mark.parametrize(
    ("call", "status", "detail"),
    [
        (lambda c: c.get_user(999_999), 404, "User not found"),
        (lambda c: c.get_user_by_email("nobody@example.com"), 404, "User not found"),
        (lambda c: c.update_user(999_999, name="Nobody"), 404, "User not found"),
        (lambda c: c.delete_user(999_999), 404, "User not found"),
        (lambda c: c.create_token(999_999), 404, "User not found"),
        (lambda c: c.list_tokens(999_999), 404, "User not found"),
        (lambda c: c.delete_token(999_999), 404, "Token not found"),
    ],
)
def test_what_is_not_there(admin, call, status, detail):
    error = refusal(call, admin)
    assert (error.status_code, error.detail) == (status, detail)
    assert str(error).startswith(detail)


@pytest.mark.parametrize(
    ("call", "places"),
    [
        (lambda c: c.create_user(""), ["body.email"]),
        (lambda c: c.create_user("no address"), ["body.email"]),
        (lambda c: c.create_user(7, name=7), ["body.email", "body.name"]),
        (
            lambda c: c.create_user("a@example.com", max_concurrent_bots=-1),
            ["body.max_concurrent_bots"],
        ),
        (
            lambda c: c.create_user("a@example.com", max_concurrent_bots=1.5),
            ["body.max_concurrent_bots"],
        ),
        (lambda c: c.create_user("a@example.com", data="text"), ["body.data"]),
        (lambda c: c.list_users(skip=-1, limit=0), ["query.skip", "query.limit"]),
        (lambda c: c.list_users(limit=1001), ["query.limit"]),
        (lambda c: c.list_users(after="z"), ["query.after"]),
        (lambda c: c.get_user("007"), ["path.id"]),
        (lambda c: c.get_user("a/b"), ["path.id"]),
        (lambda c: c.delete_token(-1), ["path.id"]),
    ],
)
def test_what_does_not_validate(admin, call, places):
    error = refusal(call, admin)
    assert error.status_code == 422
    assert sorted(".".join(fault["loc"]) for fault in error.detail) == sorted(places)
    for fault in error.detail:
        assert f"{'.'.join(fault['loc'])}: {fault['msg']}" in str(error)


@pytest.mark.parametrize("arguments", [{"name": 7}, {"expires_in": -1}, {"expires_in": "soon"}])
def test_a_token_that_does_not_validate(admin, user, arguments):
    error = refusal(admin.create_token, user["id"], **arguments)
    assert error.status_code == 422
    assert error.detail[0]["loc"] == ["body", *arguments]


@pytest.mark.parametrize(
    "arguments", [{"limit": 0}, {"skip": -1}, {"status": "x"}, {"platform": "x"}]
)
def test_meetings_that_do_not_validate(client, arguments):
    error = refusal(client.get_meetings, **arguments)
    assert error.status_code == 422
    assert error.detail[0]["loc"] == ["query", *arguments]


@pytest.mark.parametrize("key", ["wrong", "tokenx", "t", "TOKEN"])
def test_a_wrong_admin_key(server, key):
    error = refusal(VomeetClient(server, admin_key=key).list_users)
    assert (error.status_code, error.detail) == (403, "Invalid or missing admin token.")


def test_keys_do_not_stand_in_for_each_other(server, client, admin, user):
    token = admin.create_token(user["id"])["token"]
    assert refusal(VomeetClient(server, admin_key=token).list_users).status_code == 403
    assert refusal(VomeetClient(server, api_key=ADMIN_KEY).whoami).detail == "Invalid API token"


def test_nothing_listens():
    with socket.socket() as taken_but_silent:
        taken_but_silent.bind(("127.0.0.1", 0))
        port = taken_but_silent.getsockname()[1]
        error = refusal(VomeetClient(f"http://127.0.0.1:{port}", admin_key="token").list_users)
    assert "check that the server runs (`make ps`)" in str(error)
    assert error.status_code is None
