"""Keys and dialogs of the console: nothing is lost, nothing is claimed, and text stays text."""

import pytest
from console_page import ask, console
from live_server import ADMIN_KEY
from playwright.sync_api import expect

NO_CLIPBOARD = """() => {
  navigator.clipboard.writeText = () => Promise.reject(new Error("not allowed"));
  document.execCommand = () => false;
}"""
HOSTILE = "\"><img src=x onerror=alert(1)></mark><script>alert(2)</script>"


def test_a_new_key_is_not_lost_by_escape_nor_said_to_be_copied(admin, person):
    user = person("escape@example.com")
    admin.open(f"users/{user['id']}")
    admin.press("Create a token")
    dialog = admin.dialog("Create a token")
    dialog.get_by_label("Name").fill("program")
    admin.press("Create", within=dialog)
    dialog = admin.dialog("The token was created")
    expect(dialog.get_by_role("button", name="Close")).to_have_count(0)
    for _ in range(3):
        admin.page.keyboard.press("Escape")
    admin.page.evaluate("document.querySelector('dialog').close()")
    expect(dialog).to_be_visible()
    admin.page.evaluate(NO_CLIPBOARD)
    admin.press("Copy the key")
    dialog.get_by_role("alert").get_by_text("copy it by hand").wait_for()
    expect(dialog.get_by_text("Copied")).to_have_count(0)
    token = dialog.get_by_label("The new key").inner_text()
    assert len(token) == 40
    admin.press("Done")
    expect(dialog).to_have_count(0)


def test_the_focus_comes_back_however_a_dialog_ends(admin, person):
    user = person("focus@example.com")
    admin.open(f"users/{user['id']}")
    edit = admin.page.get_by_role("button", name="Edit", exact=True)
    for end in ["Cancel", "Save"]:
        edit.click()
        dialog = admin.dialog(f"Edit {user['email']}")
        admin.press(end, within=dialog)
        expect(dialog).to_have_count(0)
        expect(edit).to_be_focused()
    create = admin.page.get_by_role("button", name="Create a token", exact=True)
    create.click()
    admin.press("Create", within=admin.dialog("Create a token"))
    admin.revealed()
    expect(create).to_be_focused()


def test_an_empty_number_is_no_zero(admin, base_url, person):
    user = person("number@example.com")
    admin.open(f"users/{user['id']}")
    admin.press("Edit")
    dialog = admin.dialog(f"Edit {user['email']}")
    field = dialog.get_by_label("Bots at once")
    field.fill("")
    admin.press("Save", within=dialog)
    expect(field).to_have_attribute("aria-invalid", "true")
    path = f"admin/users/{user['id']}"
    assert ask(base_url, "GET", path, admin=ADMIN_KEY)["max_concurrent_bots"] == 3
    field.fill("0")
    admin.press("Save", within=dialog)
    admin.said("The user is changed")
    assert ask(base_url, "GET", path, admin=ADMIN_KEY)["max_concurrent_bots"] == 0


def test_adding_a_user_who_is_there_says_so(admin, person):
    user = person("there@example.com", name="There")
    admin.go("Users")
    admin.press("Add a user")
    dialog = admin.dialog("Add a user")
    dialog.get_by_label("E-mail address").fill(user["email"])
    dialog.get_by_label("Name").fill("Another")
    admin.press("Add", within=dialog)
    admin.said("is a user already; nothing was changed")
    admin.title("There")


def test_revoking_says_how_many_tokens_end(admin, base_url, person):
    user = person("family@example.com")
    ask(base_url, "POST", "user/tokens", {"name": "child"}, user=user["token"])
    admin.open(f"users/{user['id']}")
    admin.press("Revoke laptop")
    dialog = admin.dialog("Revoke this token?")
    dialog.get_by_text("or made with it").wait_for()
    admin.press("Revoke", within=dialog)
    admin.said("2 tokens are revoked")


def test_an_explanation_does_not_outlive_the_next_key(admin, person):
    user = person("second@example.com")
    admin.open("keys?show=explain")
    field = admin.page.get_by_label("Token", exact=True)
    field.fill(user["token"])
    admin.press("Explain")
    admin.page.get_by_text("The token is accepted.").wait_for()
    expect(field).to_have_value("")
    admin.page.route("**/admin/tokens/explain", lambda route: route.abort())
    field.fill("another")
    admin.press("Explain")
    admin.page.get_by_text("The server cannot be reached.").wait_for()
    expect(admin.page.get_by_text("The token is accepted.")).to_have_count(0)


def test_enabling_is_not_red(admin, base_url, person):
    user = person("enable@example.com")
    path = f"admin/users/{user['id']}"
    ask(base_url, "PATCH", path, {"disabled": True}, admin=ADMIN_KEY)
    admin.open(f"users/{user['id']}")
    admin.press("Enable")
    button = admin.dialog("Enable this user?").get_by_role("button", name="Enable", exact=True)
    assert "danger" not in button.get_attribute("class")
    button.click()
    admin.said("The user is enabled")


def refused_unknown(base_url):
    path = "admin/refusals"
    return ask(base_url, "GET", path, admin=ADMIN_KEY)["by_code"].get("unknown", 0)


def test_a_named_admin_key_signs_in_also_where_the_address_is_limited(browser, base_url):
    wish = {"name": "limited"}
    key = ask(base_url, "POST", "admin/keys", wish, admin=ADMIN_KEY)["key"]
    with console(browser, base_url) as tab:
        tab.page.route("**/user", lambda route: route.fulfill(status=429, json={"detail": "Wait."}))
        tab.sign_in(key)
        tab.title("Overview")
        tab.page.unroute("**/user")
        before = refused_unknown(base_url)
        tab.press("Sign out")
        tab.sign_in(key)
        tab.title("Overview")
        # What signed in before is tried first: no refused key.
        assert refused_unknown(base_url) == before


def test_who_is_signed_in_is_named(tab, person):
    user = person("named@example.com")
    tab.sign_in(user["token"], remember=True)
    navigation = tab.page.get_by_role("navigation", name="Pages")
    expect(navigation).to_contain_text(user["email"])
    tab.page.reload()
    expect(navigation).to_contain_text(user["email"])
    tab.press("Sign out")
    tab.sign_in(ADMIN_KEY)
    expect(navigation).to_contain_text("Administrator")


@pytest.fixture(scope="module")
def hostile(base_url):
    """A user whose every text is mark-up."""
    wish = {"email": "hostile@example.com", "name": HOSTILE, "max_concurrent_bots": 1}
    user = ask(base_url, "POST", "admin/users", wish, admin=ADMIN_KEY)
    path = f"admin/users/{user['id']}/tokens"
    token = ask(base_url, "POST", path, {"name": HOSTILE}, admin=ADMIN_KEY)["token"]
    link = "https://meet.google.com/hos-tile-abc"
    wish = {"meeting_url": link, "bot_name": HOSTILE[:64]}
    meeting = ask(base_url, "POST", "bots", wish, user=token)
    notes = {"data": {"name": HOSTILE, "notes": HOSTILE}}
    ask(base_url, "PATCH", "meetings/google_meet/hos-tile-abc", notes, user=token)
    hook = {"webhook_url": "https://localhost/?x=%22%3E%3Cimg+src=x+onerror=alert(1)%3E"}
    ask(base_url, "PUT", "user/webhook", hook, user=token)
    ask(base_url, "POST", "admin/keys", {"name": HOSTILE[:40]}, admin=ADMIN_KEY)
    return {"id": user["id"], "token": token, "meeting": meeting["id"]}


def segment_of(text):
    at = "2026-01-01T10:00:00.000Z"
    return {"segment_id": "a", "text": text, "speaker": text, "completed": True, "language": text,
            "absolute_start_time": at, "absolute_end_time": at}


def is_harmless(tab):
    """Nothing that was text became an element."""
    bad = "main img, main script, main iframe, main [onerror], main a[href^='javascript']"
    expect(tab.page.locator(bad)).to_have_count(0)


def test_text_that_is_mark_up_stays_text_for_administrators(admin, hostile):
    dialogs = []
    admin.page.on("dialog", lambda dialog: dialogs.append(dialog.message) or dialog.dismiss())
    shown = [f"users/{hostile['id']}", "users", "keys", "keys?show=admin", "audit"]
    for path in [*shown, "meetings", f"meetings/{hostile['meeting']}", "usage", "overview"]:
        admin.open(path)
        admin.shows(path)
        if path in shown:
            expect(admin.page.locator("main").get_by_text("onerror=").first).to_be_attached()
        if path == "audit":
            admin.page.locator(".entries summary").first.click()
        is_harmless(admin)
    assert dialogs == []


def test_text_that_is_mark_up_stays_text_for_users(tab, hostile):
    dialogs = []
    tab.page.on("dialog", lambda dialog: dialogs.append(dialog.message) or dialog.dismiss())
    found = {"id": 1, "highlight": "<mark>a</mark>&lt;img src=x onerror=alert(1)&gt;" + HOSTILE,
             "speaker": HOSTILE, "absolute_start_time": "2026-01-01T10:00:00.000Z",
             "meeting": {"id": 1, "platform": "constructor", "native_id": HOSTILE}}

    def said(route):
        """The transcript, with what a bot might say."""
        body = route.fetch().json()
        steps = [{"to": HOSTILE, "timestamp": body["created_at"], "reason": HOSTILE,
                  "completion_reason": "constructor", "source": HOSTILE}]
        body["data"] = {**body["data"], "status_transition": steps}
        link = {"constructed_meeting_url": "javascript:alert(1)"}
        route.fulfill(json={**body, **link, "segments": [segment_of(HOSTILE)]})

    tab.page.route("**/transcripts/google_meet/**", said)
    tab.page.route("**/transcripts/search?**", lambda route: route.fulfill(
        json={"results": [found], "next": None}))
    tab.sign_in(hostile["token"])
    meeting = f"meetings/google_meet/hos-tile-abc?id={hostile['meeting']}"
    for path in ["meetings", meeting, "search?q=a", "webhooks", "keys", "usage"]:
        tab.open(path)
        tab.shows(path)
        if path != "usage":
            expect(tab.page.locator("main").get_by_text("onerror=").first).to_be_attached()
        is_harmless(tab)
    assert dialogs == []
