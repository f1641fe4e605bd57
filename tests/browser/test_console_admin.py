"""The console for administrators, clicks and all."""

import re
from pathlib import Path

import pytest
from console_page import ask
from live_server import ADMIN_KEY
from playwright.sync_api import expect

HTTP_ERROR = "HTTP Error 403"


def refused(base_url, token):
    """Whether the API refuses a token."""
    try:
        ask(base_url, "GET", "user", user=token)
    except OSError as error:
        assert HTTP_ERROR in str(error)
        return True
    return False


def test_a_wrong_key_is_explained_and_a_right_one_is_kept_in_memory_alone(tab):
    tab.open()
    tab.press("Sign in")
    tab.page.get_by_text("Type or paste a key first.").wait_for()
    tab.page.get_by_label("Key", exact=True).fill("no-such-key")
    tab.press("Sign in")
    field = tab.page.get_by_label("Key", exact=True)
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(tab.page.locator("main .fault")).to_have_text(re.compile(r"\w.*\w"))
    tab.sign_in(ADMIN_KEY)
    tab.title("Overview")
    kept = tab.page.evaluate(
        "JSON.stringify([{...sessionStorage}, {...localStorage}, document.cookie])"
    )
    assert ADMIN_KEY not in kept.replace("vomeet.", "")
    tab.page.reload()
    tab.title("Sign in to Vomeet")


def test_remember_in_this_tab_outlives_a_reload_and_ends_with_signing_out(tab):
    tab.sign_in(ADMIN_KEY, remember=True)
    tab.page.reload()
    tab.title("Overview")
    tab.press("Sign out")
    tab.title("Sign in to Vomeet")
    tab.page.reload()
    tab.title("Sign in to Vomeet")
    assert tab.page.evaluate("sessionStorage.length") == 0


def test_the_overview_shows_figures_charts_and_a_table_behind_them(admin):
    tiles = admin.page.locator(".tile")
    expect(tiles.filter(has_text="Users").locator(".tile-value")).to_have_text(re.compile(r"^\d"))
    chart = admin.page.get_by_role("img", name=re.compile("^Requests by day"))
    chart.wait_for()
    chart.focus()
    admin.page.keyboard.press("ArrowLeft")
    admin.page.get_by_text(re.compile(r"^requests on \d")).wait_for()
    admin.page.get_by_text("Show as a table").first.click()
    rows = admin.page.get_by_role("region", name="Requests by day").get_by_role("row")
    expect(rows).to_have_count(31)
    admin.picture("console-overview")


def test_a_user_is_added_and_gets_a_token_that_is_shown_once(admin, base_url):
    admin.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    admin.go("Users")
    admin.press("Add a user")
    dialog = admin.dialog("Add a user")
    dialog.get_by_label("E-mail address").fill("no address")
    admin.press("Add", within=dialog)
    expect(dialog.get_by_label("E-mail address")).to_have_attribute("aria-invalid", "true")
    dialog.get_by_label("E-mail address").fill("ada@example.com")
    dialog.get_by_label("Name").fill("Ada")
    admin.press("Add", within=dialog)
    admin.title("Ada")
    admin.press("Create a token")
    dialog = admin.dialog("Create a token")
    dialog.get_by_label("Name").fill("dashboard")
    dialog.get_by_label("Read only").check()
    dialog.get_by_label("Google Meet").check()
    admin.press("Create", within=dialog)
    admin.dialog("The token was created")
    admin.press("Copy the key")
    admin.said("Copied")
    token = admin.revealed()
    assert admin.page.evaluate("navigator.clipboard.readText()") == token
    row = admin.row("Tokens", "dashboard")
    expect(row).to_contain_text("Read only · Google Meet")
    assert token not in admin.page.content()
    assert ask(base_url, "GET", "user", user=token)["token"]["scope"]["read_only"]
    admin.picture("console-user")


def test_tokens_are_narrowed_rotated_and_revoked(admin, base_url, person):
    user = person("tokens@example.com")
    admin.open(f"users/{user['id']}")
    admin.title(user["email"])
    admin.press("Narrow laptop")
    dialog = admin.dialog("Narrow this token")
    dialog.get_by_label("Ends", exact=True).select_option("In a day")
    dialog.get_by_label("Disabled").check()
    admin.press("Save", within=dialog)
    admin.said("The token is changed")
    expect(admin.row("Tokens", "laptop")).to_contain_text("Disabled")
    assert refused(base_url, user["token"])
    admin.press("Narrow laptop")
    dialog = admin.dialog("Narrow this token")
    dialog.get_by_label("Disabled").uncheck()
    dialog.get_by_label("Read only").check()
    dialog.get_by_label("Zoom").check()
    dialog.get_by_label("Jitsi").check()
    admin.press("Save", within=dialog)
    row = admin.row("Tokens", "laptop")
    expect(row).to_contain_text("Ends soon")
    expect(row).to_contain_text("Read only · Zoom, Jitsi")
    scope = ask(base_url, "GET", "user", user=user["token"])["token"]["scope"]
    assert (scope["read_only"], scope["platforms"]) == (True, ["zoom", "jitsi"])
    admin.press("Narrow laptop")
    dialog = admin.dialog("Narrow this token")
    # What it has given up is not offered again.
    expect(dialog.get_by_label("Read only")).to_be_disabled()
    expect(dialog.get_by_label("Google Meet")).to_have_count(0)
    dialog.get_by_label("Jitsi").uncheck()
    admin.press("Save", within=dialog)
    expect(row).to_contain_text("Read only · Zoom")
    admin.press("Rotate laptop")
    dialog = admin.dialog("Rotate this token")
    dialog.get_by_label("The old one ends").select_option("At once")
    admin.press("Rotate", within=dialog)
    fresh = admin.revealed()
    assert refused(base_url, user["token"]) and not refused(base_url, fresh)
    row = admin.row("Tokens", fresh[:4])
    row.get_by_role("button", name="Revoke laptop").click()
    admin.press("Revoke", within=admin.dialog("Revoke this token?"))
    admin.said("The token is revoked")
    assert refused(base_url, fresh)


def test_a_user_is_disabled_exported_and_erased_by_typing_the_address(admin, base_url, person):
    user = person("erase@example.com", name="Erasmus")
    admin.go("Users")
    admin.page.get_by_label("Search users").fill("erasm")
    admin.page.get_by_role("link", name="Erasmus").click()
    admin.title("Erasmus")
    admin.press("Disable")
    admin.press("Disable", within=admin.dialog("Disable this user?"))
    admin.page.get_by_text("all their tokens are refused").wait_for()
    assert refused(base_url, user["token"])
    with admin.page.expect_download() as download:
        admin.press("Export")
    assert user["email"] in Path(download.value.path()).read_text()
    admin.press("Erase")
    dialog = admin.dialog("Erase this user?")
    erase = dialog.get_by_role("button", name="Erase for ever")
    dialog.get_by_label(f"Type {user['email']} to go on").fill("somebody@example.com")
    expect(erase).to_be_disabled()
    dialog.get_by_label(f"Type {user['email']} to go on").fill(user["email"])
    erase.click()
    admin.title("Users")
    users = ask(base_url, "GET", "admin/users?limit=1000", admin=ADMIN_KEY)
    assert user["email"] not in [one["email"] for one in users]


def test_a_pasted_key_is_explained(admin, person):
    user = person("explain@example.com")
    admin.go("Keys")
    admin.page.get_by_role("tab", name="Explain a key").click()
    field = admin.page.get_by_label("Token", exact=True)
    field.fill(user["token"])
    admin.press("Explain")
    admin.page.get_by_text("The token is accepted.").wait_for()
    admin.page.get_by_role("link", name=user["email"]).wait_for()
    field.fill("not-a-token")
    admin.press("Explain")
    admin.page.get_by_text("Mistyped.").wait_for()
    assert user["token"] not in admin.page.url


def test_keys_that_end_soon_and_admin_keys_are_looked_after(admin, base_url, person):
    user = person("ending@example.com")
    path = f"admin/users/{user['id']}/tokens"
    ask(base_url, "POST", path, {"name": "short", "expires_in": 3600}, admin=ADMIN_KEY)
    admin.go("Keys")
    tabs = admin.page.get_by_role("tablist", name="Keys")
    tabs.get_by_role("tab", name="All tokens").focus()
    admin.page.keyboard.press("ArrowRight")
    expect(tabs.get_by_role("tab", name="Ending in a week")).to_be_focused()
    expect(admin.row("Tokens", user["email"])).to_have_count(1)
    expect(admin.row("Tokens", user["email"])).to_contain_text("short")
    tabs.get_by_role("tab", name="Unused for 30 days").click()
    admin.page.get_by_text("Every token is in use").wait_for()
    tabs.get_by_role("tab", name="Admin keys").click()
    admin.press("Create an admin key")
    dialog = admin.dialog("Create an admin key")
    dialog.get_by_label("Name").fill("grace")
    admin.press("Create", within=dialog)
    key = admin.revealed()
    assert ask(base_url, "GET", "admin/keys", admin=key)[0]["name"] == "grace"
    admin.press("Revoke grace")
    admin.press("Revoke", within=admin.dialog("Revoke this admin key?"))
    admin.said("The admin key is revoked")


def test_a_refused_key_is_listed(admin, base_url):
    with pytest.raises(OSError):
        ask(base_url, "GET", "user", user="mistyped")
    admin.open("keys?show=refused")
    expect(admin.row("Refused keys", "GET /user").first).to_contain_text("Mistyped")


def test_a_meeting_shows_its_timeline_and_its_bot_is_stopped(admin, base_url, person):
    user = person("meeting@example.com")
    wish = {"platform": "google_meet", "native_meeting_id": "abc-defg-hij"}
    meeting = ask(base_url, "POST", "bots", wish, user=user["token"])
    admin.go("Meetings")
    admin.page.get_by_label("State", exact=True).select_option("Open")
    row = admin.row("Meetings", user["email"])
    row.get_by_role("link", name="abc-defg-hij").click()
    admin.title("abc-defg-hij")
    timeline = admin.page.locator(".timeline")
    timeline.get_by_text("In the meeting").wait_for()
    admin.picture("console-meeting")
    admin.press("Stop the bot")
    admin.press("Stop", within=admin.dialog("Stop this bot?"))
    admin.said("The bot is asked to leave")
    timeline.get_by_text("Completed").wait_for()
    path = f"admin/analytics/meetings/{meeting['id']}/telematics"
    stored = ask(base_url, "GET", path, admin=ADMIN_KEY)["meeting"]
    assert stored["status"] == "completed"
    steps = 1 + len(stored["data"]["status_transition"])
    expect(timeline.get_by_role("listitem")).to_have_count(steps)


def test_usage_is_drawn_and_saved_as_csv(admin, base_url, person):
    user = person("usage@example.com")
    ask(base_url, "GET", "user", user=user["token"])
    admin.go("Usage")
    admin.page.get_by_role("img", name=re.compile("^Requests by day")).wait_for()
    expect(admin.row("Shares", user["email"])).to_have_count(1)
    admin.page.get_by_label("Figure").select_option("Bot minutes")
    admin.page.get_by_role("img", name=re.compile("^Bot minutes by day")).wait_for()
    with admin.page.expect_download() as download:
        admin.press("Save as CSV")
    first, *lines = Path(download.value.path()).read_text().splitlines()
    assert first.startswith("day,user_id,token_id,requests") and lines
    admin.picture("console-usage")


def test_the_audit_log_shows_what_differs_and_that_it_is_intact(admin, base_url, person):
    user = person("audit@example.com")
    ask(base_url, "PATCH", f"admin/users/{user['id']}", {"name": "Renamed"}, admin=ADMIN_KEY)
    admin.go("Audit log")
    head = ask(base_url, "GET", "admin/audit/verify", admin=ADMIN_KEY)["head"]
    admin.page.get_by_text("Intact").wait_for()
    admin.page.get_by_text(f"{head[:16]}…", exact=True).wait_for()
    admin.page.get_by_label("Action").select_option("User changed")
    admin.page.get_by_label("User id").fill(str(user["id"]))
    entries = admin.page.locator(".entries > li")
    expect(entries).to_have_count(1)
    entries.locator("summary").click()
    row = entries.get_by_role("row", name="name")
    expect(row).to_contain_text("Renamed")
    with admin.page.expect_download() as download:
        admin.press("Export")
    assert Path(download.value.path()).read_text().count("\n") >= 3
    admin.picture("console-audit")


def test_the_system_page_shows_health_and_settings_and_no_secret(admin):
    admin.go("System")
    admin.page.get_by_text("Well", exact=True).wait_for()
    admin.page.get_by_label("Search settings").fill("bots.")
    expect(admin.row("Settings", "bots.name")).to_have_count(1)
    admin.press("Changed ones only")
    expect(admin.row("Settings", "bots.name")).to_have_count(0)
    row = admin.row("Settings", "bots.runner")
    expect(row).to_contain_text("demo")
    admin.page.get_by_label("Search settings").fill("admin_api_token")
    admin.press("Changed ones only")
    expect(admin.page.get_by_role("cell", name="set, not shown").or_(
        admin.page.get_by_role("cell", name="not set")).first).to_be_visible()
    admin.picture("console-system")


def test_a_revoked_admin_key_signs_out_and_says_why(tab, base_url):
    key = ask(base_url, "POST", "admin/keys", {"name": "leaver"}, admin=ADMIN_KEY)
    tab.sign_in(key["key"])
    tab.title("Overview")
    ask(base_url, "DELETE", f"admin/keys/{key['id']}", admin=ADMIN_KEY)
    tab.open("users")
    tab.title("Sign in to Vomeet")
    tab.page.get_by_text("You were signed out.").wait_for()
