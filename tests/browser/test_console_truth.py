"""What the console must not show as true: old rows, empty lists, dead feeds, other meetings."""

import json
import re

from console_page import ask
from live_server import ADMIN_KEY
from playwright.sync_api import expect

LINK = "https://meet.google.com/abc-defg-hij"
MEETING = "google_meet/abc-defg-hij"


def answers(tab, pattern, *replies):
    """Answer requests with these bodies or statuses, one after the other, the last one for ever."""
    left = list(replies)

    def reply(route):
        now = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(now, int):
            route.fulfill(status=now, json={"detail": f"Refused with {now}."})
        else:
            route.fulfill(json=now)

    tab.page.route(re.compile(pattern), reply)


def stopped(base_url, user):
    """A meeting that is over; gives its id."""
    meeting = ask(base_url, "POST", "bots", {"meeting_url": LINK}, user=user["token"])
    ask(base_url, "DELETE", f"bots/{MEETING}", user=user["token"])
    path = f"transcripts/{MEETING}?meeting_id={meeting['id']}"
    while ask(base_url, "GET", path, user=user["token"])["status"] not in ("completed", "failed"):
        pass
    return meeting["id"]


def test_notes_go_to_the_meeting_that_is_shown(tab, base_url, person):
    user = person("twice@example.com")
    old, new = stopped(base_url, user), stopped(base_url, user)
    tab.sign_in(user["token"])
    tab.open(f"meetings/{MEETING}?id={old}")
    tab.press("Name and notes")
    dialog = tab.dialog("Name and notes")
    dialog.get_by_label("Name").fill("Last week")
    tab.press("Save", within=dialog)
    tab.title("Last week")
    meetings = ask(base_url, "GET", "meetings", user=user["token"])["meetings"]
    assert {one["id"]: one["data"].get("name") for one in meetings} == {old: "Last week", new: None}
    # When it was is said, and not only to whom the pointer rests on it.
    expect(tab.page.locator(".lead time")).to_contain_text(re.compile(r"\d{4}, \d\d:\d\d"))


def test_a_pasted_token_stands_in_no_address(admin, person):
    user = person("pasted@example.com")
    addresses = []
    admin.page.on("request", lambda request: addresses.append(request.url))
    admin.go("Keys")
    hint = user["token"][:4]
    with admin.page.expect_request(re.compile(f"tokens/search.*hint={hint}(&|$)")):
        admin.page.get_by_label("First four characters").fill(f" {user['token']}")
    expect(admin.row("Tokens", user["email"])).to_have_count(1)
    assert not [url for url in addresses if user["token"][:5] in url]
    assert user["token"][:5] not in admin.page.content() + admin.page.url


def test_a_refused_filter_leaves_no_rows_of_the_one_before(admin, person):
    user = person("before@example.com")
    admin.go("Users")
    admin.page.get_by_role("link", name=user["email"]).wait_for()
    answers(admin, "users/search.*q=zoe", 429)
    admin.page.get_by_label("Search users").fill("zoe")
    admin.page.get_by_text("Refused with 429.").wait_for()
    expect(admin.page.get_by_role("link", name=user["email"])).to_have_count(0)


def test_an_empty_page_is_no_empty_list(admin):
    found = {"id": 7, "email": "zoe@example.com", "name": None, "disabled_at": None, "tokens": 1,
             "seats_in_use": 0, "max_concurrent_bots": 1, "last_used_at": None}
    nothing = {"users": [], "next": 9}
    answers(admin, "users/search.*q=zoe", *[nothing] * 5, {"users": [found], "next": None})
    answers(admin, "users/search.*q=ann", nothing, {"users": [found], "next": None})
    admin.go("Users")
    search = admin.page.get_by_label("Search users")
    search.fill("zoe")
    admin.page.get_by_text("Nothing so far").wait_for()
    expect(admin.page.get_by_text("No user is like that")).to_have_count(0)
    admin.press("Look further")
    admin.page.get_by_role("link", name="zoe@example.com").wait_for()
    search.fill("ann")
    admin.page.get_by_role("link", name="zoe@example.com").wait_for()
    search.fill("nobody-at-all")
    admin.page.get_by_text("No user is like that").wait_for()


def test_a_server_that_is_gone_is_not_well(admin):
    admin.go("System")
    admin.page.get_by_text("Well", exact=True).wait_for()
    admin.page.route("**/admin/health", lambda route: route.abort())
    admin.page.get_by_text("The server cannot be reached.").wait_for()
    admin.page.get_by_text("What is shown is of").wait_for()
    expect(admin.page.get_by_text("Well", exact=True)).to_have_count(0)
    admin.page.unroute("**/admin/health")
    admin.press("Try again")
    admin.page.get_by_text("Well", exact=True).wait_for()


def test_a_transcript_whose_end_was_missed_is_asked_for_again(tab, base_url, person):
    user = person("missed@example.com")
    ask(base_url, "POST", "bots", {"meeting_url": LINK}, user=user["token"])
    tab.sign_in(user["token"])
    tab.page.get_by_role("link", name="abc-defg-hij").click()
    tab.page.get_by_text("Live", exact=True).wait_for()
    isolated = re.compile(f"transcripts/{MEETING}")
    tab.page.route(isolated, lambda route: route.fulfill(status=503, json={"detail": "Not now."}))
    ask(base_url, "DELETE", f"bots/{MEETING}", user=user["token"])
    tab.page.get_by_text("Not now. What is shown is of").wait_for()
    tab.page.unroute(isolated)
    tab.page.get_by_text("Stopped on request").first.wait_for()
    expect(tab.page.get_by_text("Live", exact=True)).to_have_count(0)


def segment(id, text, second):
    at = f"2026-01-01T10:00:{second:02}.000Z"
    return {"segment_id": id, "text": text, "speaker": "Ada", "completed": True,
            "absolute_start_time": at, "absolute_end_time": at}


def test_the_feed_is_live_once_it_is_subscribed_and_of_this_meeting(tab, base_url, person):
    user = person("feed@example.com")
    meeting = ask(base_url, "POST", "bots", {"meeting_url": LINK}, user=user["token"])
    sockets = []
    tab.page.route_web_socket(re.compile("/ws"), lambda socket: sockets.append(socket))
    tab.sign_in(user["token"])
    tab.page.get_by_role("link", name="abc-defg-hij").click()
    tab.page.get_by_text("Connecting", exact=True).wait_for()
    live = tab.page.get_by_text("Live", exact=True)
    expect(live).to_have_count(0)
    wait_for(tab, lambda: sockets)
    refusal = {"type": "error", "error": "too_many_requests", "reason": "The next is in 3 s."}
    sockets[0].send(json.dumps(refusal))
    tab.page.get_by_text("The next is in 3 s.").wait_for()
    wait_for(tab, lambda: len(sockets) > 1)
    sockets[1].send(json.dumps({"type": "subscribed", "meetings": []}))
    live.wait_for()

    def push(id, segments, removed=()):
        payload = {"segments": segments, "removed": list(removed)}
        event = {"type": "transcript.mutable", "meeting": {"id": id}, "payload": payload}
        sockets[1].send(json.dumps(event))

    log = tab.page.get_by_role("log", name="Transcript")
    push(meeting["id"] + 1, [segment("x", "Of another meeting", 0)])
    push(meeting["id"], [segment("a", "Mine", 1), segment("b", "Withdrawn", 2)])
    log.get_by_text("Withdrawn").wait_for()
    push(meeting["id"], [segment("a", "Mine too", 1)], ["b"])
    log.get_by_text("Mine too").wait_for()
    expect(log.get_by_text("Withdrawn")).to_have_count(0)
    expect(log.get_by_text("Of another meeting")).to_have_count(0)
    sockets[1].close()
    tab.page.get_by_text("The connection was lost").wait_for()
    expect(live).to_have_count(0)


def wait_for(tab, is_so):
    """Wait for something outside of the page."""
    for _ in range(600):
        if is_so():
            return
        tab.page.wait_for_timeout(100)
    raise AssertionError("it never came")


COUNTED = """() => {
  const sort = Array.prototype.sort;
  window.sorts = 0;
  Array.prototype.sort = function (...given) {
    window.sorts += 1;
    return sort.apply(this, given);
  };
}"""


def test_after_hours_of_a_meeting_a_change_is_not_a_replay_of_it(tab, base_url, person):
    user = person("hours@example.com")
    meeting = ask(base_url, "POST", "bots", {"meeting_url": LINK}, user=user["token"])
    sockets = []
    tab.page.route_web_socket(re.compile("/ws"), lambda socket: sockets.append(socket))
    tab.sign_in(user["token"])
    tab.page.get_by_role("link", name="abc-defg-hij").click()
    wait_for(tab, lambda: sockets)
    sockets[0].send(json.dumps({"type": "subscribed", "meetings": []}))
    tab.page.get_by_text("Live", exact=True).wait_for()
    for count in range(500):
        payload = {"segments": [segment("a", f"Draft {count}.", 1)], "removed": []}
        event = {"type": "transcript.mutable", "meeting": {"id": meeting["id"]}, "payload": payload}
        sockets[0].send(json.dumps(event))
    tab.page.get_by_text("Draft 499.").wait_for()
    tab.page.evaluate(COUNTED)
    tab.press("Name and notes")
    dialog = tab.dialog("Name and notes")
    dialog.get_by_label("Name").fill("Long")
    tab.press("Save", within=dialog)
    tab.title("Long")
    assert tab.page.evaluate("window.sorts") < 50


def test_a_long_list_says_of_when_it_is(admin, base_url, person):
    rows = [{"id": id, "email": f"{id}@example.com", "name": None, "disabled_at": None,
             "tokens": 0, "seats_in_use": 0, "max_concurrent_bots": 1, "last_used_at": None}
            for id in (901, 902)]
    last = {"users": rows[1:], "next": None}
    answers(admin, "users/search", {"users": rows[:1], "next": 901}, last)
    admin.go("Users")
    admin.page.get_by_role("link", name="901@example.com").wait_for()
    admin.press("Show more")
    admin.page.get_by_role("link", name="902@example.com").wait_for()
    expect(admin.page.get_by_role("link", name="901@example.com")).to_have_count(1)
    admin.page.get_by_text("is not refreshed by itself").wait_for()
    admin.press("Refresh")
    expect(admin.page.get_by_role("link", name="901@example.com")).to_have_count(0)


def test_filters_stand_in_the_address(admin, person):
    user = person("filtered@example.com")
    admin.go("Users")
    admin.page.get_by_label("Search users").fill("filtered")
    admin.page.wait_for_url("**/#/users?q=filtered")
    admin.page.get_by_role("link", name=user["email"]).click()
    admin.title(user["email"])
    admin.page.go_back()
    admin.title("Users")
    expect(admin.page.get_by_label("Search users")).to_have_value("filtered")
    # The page from the navigation has no filter.
    admin.go("Users")
    expect(admin.page.get_by_label("Search users")).to_have_value("")
    admin.go("Keys")
    admin.page.get_by_role("tab", name="Refused").click()
    admin.page.wait_for_url("**/#/keys?show=refused")


def test_addresses_that_name_nothing_reach_no_other_row(admin):
    addresses = []
    admin.page.on("request", lambda request: addresses.append(request.url))
    for path in ["users/100%", "users/..%2Fkeys", "users/..", "meetings/%2e%2e", "users/1/2"]:
        admin.open(path)
        admin.title("There is no such page")
        admin.go("Usage")
    assert not [url for url in addresses if "admin/keys" in url or "admin/users/" in url]


def test_no_meeting_has_the_name_of_a_folder(tab, person):
    user = person("folder@example.com")
    addresses = []
    tab.page.on("request", lambda request: addresses.append(request.url))
    tab.sign_in(user["token"])
    for path in ["meetings/google_meet/..", "meetings/../search", "meetings/google_meet/%2E"]:
        tab.open(path)
        tab.title("There is no such page")
        tab.go("Search")
    assert not [url for url in addresses if "/transcripts/" in url]


def test_settings_that_are_not_set_are_no_secrets(admin):
    admin.go("System")
    admin.page.get_by_label("Search settings").fill("admin_api_token")
    expect(admin.row("Settings", "admin_api_token_old").first).to_contain_text("not set")
