"""The console for users, clicks and all: bots, live transcripts, search, webhooks and keys."""

import re
from pathlib import Path

from console_page import ask, console
from live_server import ADMIN_KEY
from playwright.sync_api import expect

LINK = "https://meet.google.com/abc-defg-hij"
MEETING = "google_meet/abc-defg-hij"
# Spoken by the demo bot, early in its meeting.
EARLY = 3


def segments_of(base_url, user):
    return ask(base_url, "GET", f"transcripts/{MEETING}", user=user["token"])["segments"]


def spoken(tab):
    """What the transcript shows, as one text."""
    texts = tab.page.get_by_role("log", name="Transcript").locator("p").all_inner_texts()
    return " ".join(" ".join(texts).split())


def test_a_link_sends_a_bot_and_the_transcript_grows_while_words_are_said(tab, base_url, person):
    user = person("live@example.com")
    tab.sign_in(user["token"])
    tab.title("Meetings")
    tab.page.get_by_text("No meetings yet").wait_for()
    link = tab.page.get_by_label("Send a bot to a meeting")
    link.fill("https://example.com/nowhere")
    tab.press("Send a bot")
    expect(link).to_have_attribute("aria-invalid", "true")
    sockets = []
    tab.page.on("websocket", lambda socket: sockets.append(socket.url))
    link.fill(LINK)
    tab.press("Send a bot")
    tab.title("abc-defg-hij")
    log = tab.page.get_by_role("log", name="Transcript")
    segments = log.locator("p > span")
    expect(segments.nth(EARLY)).to_be_visible()
    tab.page.get_by_text("Live", exact=True).wait_for()
    early = spoken(tab)
    expect(segments.nth(EARLY + 3)).to_be_visible()
    assert len(spoken(tab)) > len(early)
    tab.picture("console-live")
    assert sockets and all("ticket=" in url and user["token"] not in url for url in sockets)
    assert len(set(log.locator("article").evaluate_all("all => all.map(one => one.className)"))) > 1
    tab.press("Stop")
    tab.press("Stop", within=tab.dialog("Stop this bot?"))
    tab.said("The bot is asked to leave")
    tab.page.get_by_text("Stopped on request").first.wait_for()
    expect(tab.page.get_by_text("Live", exact=True)).to_have_count(0)
    stored = " ".join(segment["text"] for segment in segments_of(base_url, user))
    assert spoken(tab) == " ".join(stored.split())


def test_language_name_and_notes_are_changed(tab, base_url, person):
    user = person("change@example.com")
    ask(base_url, "POST", "bots", {"meeting_url": LINK}, user=user["token"])
    tab.sign_in(user["token"])
    tab.page.get_by_role("link", name="abc-defg-hij").click()
    tab.press("Language")
    dialog = tab.dialog("Language of the bot")
    dialog.get_by_label("Language").select_option("German")
    tab.press("Change", within=dialog)
    tab.said("The bot is told")
    tab.press("Name and notes")
    dialog = tab.dialog("Name and notes")
    dialog.get_by_label("Name").fill("Weekly")
    dialog.get_by_label("Notes").fill("Bring the figures.")
    tab.press("Save", within=dialog)
    tab.title("Weekly")
    tab.page.get_by_text("Bring the figures.").wait_for()


def test_a_transcript_is_searched_copied_saved_and_deleted(tab, base_url, person):
    user = person("files@example.com")
    ask(base_url, "POST", "bots", {"meeting_url": LINK}, user=user["token"])
    tab.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    tab.sign_in(user["token"])
    tab.page.get_by_role("link", name="abc-defg-hij").click()
    tab.page.locator(".timeline").get_by_text("Completed").wait_for()
    texts = [segment["text"] for segment in segments_of(base_url, user)]
    word = max(re.findall("[A-Za-z]+", texts[0]), key=len)
    tab.page.get_by_label("Find in this transcript").fill(word.lower())
    expect(tab.page.get_by_role("log").locator("mark").first).to_have_text(word)
    tab.press("Copy")
    assert word in tab.page.evaluate("navigator.clipboard.readText()")
    beginnings = {"txt": "", "srt": "1\n", "vtt": "WEBVTT", "md": "# abc-defg-hij"}
    for format, beginning in beginnings.items():
        with tab.page.expect_download() as download:
            tab.press(f"Save the transcript as {format}")
        assert download.value.suggested_filename == f"abc-defg-hij.{format}"
        text = Path(download.value.path()).read_text()
        assert text.startswith(beginning) and word in text, format
    tab.go("Search")
    tab.page.get_by_label("Words").fill(word.lower())
    result = tab.page.locator(".results li").first
    expect(result.locator("mark").first).to_have_text(re.compile(word, re.IGNORECASE))
    tab.picture("console-search")
    result.get_by_role("link").click()
    tab.title("abc-defg-hij")
    tab.press("Delete")
    tab.press("Delete", within=tab.dialog("Delete this transcript?"))
    tab.title("Meetings")
    tab.page.get_by_role("cell", name="Deleted").wait_for()
    tab.go("Search")
    tab.page.get_by_label("Words").fill(word)
    tab.page.get_by_text("Nothing was said like that").wait_for()


def test_a_line_and_a_speaker_are_corrected_with_the_keyboard(tab, base_url, person):
    user = person("correct@example.com")
    ask(base_url, "POST", "bots", {"meeting_url": LINK}, user=user["token"])
    tab.sign_in(user["token"])
    tab.page.get_by_role("link", name="abc-defg-hij").click()
    log = tab.page.get_by_role("log")
    log.locator("span:not(.draft)").first.wait_for()
    first = next(segment for segment in segments_of(base_url, user) if segment["completed"])
    expect(log.get_by_role("button")).to_have_count(0)
    tab.press("Correct")
    # The bot may send the line once more meanwhile, with other words.
    log.get_by_role("button", name=re.compile("^Correct: Good morning")).first.focus()
    tab.page.keyboard.press("Enter")
    dialog = tab.dialog("Correct a line")
    dialog.get_by_label("Words").fill("What was really said.")
    tab.press("Save", within=dialog)
    tab.said("The line is corrected")
    log.get_by_role("button", name="Correct: What was really said.").wait_for()
    corrected = segments_of(base_url, user)[0]
    assert corrected["text"] == "What was really said."
    assert corrected["original_text"].startswith("Good morning")
    log.get_by_role("button", name=f"Name {first['speaker']}").first.focus()
    tab.page.keyboard.press("Enter")
    dialog = tab.dialog("Name a speaker")
    dialog.get_by_label("Name").fill("Grace Hopper")
    tab.page.keyboard.press("Enter")
    tab.said("The speaker is named")
    expect(log.locator("strong", has_text=first["speaker"])).to_have_count(0)
    tab.picture("console-correct")
    tab.press("Correct")
    line = log.get_by_title(re.compile("^Corrected; it was heard as: Good morning"))
    expect(line).to_have_text("What was really said. ")
    tab.press("Correct")
    log.get_by_role("button", name="Correct: What was really said.").click()
    dialog = tab.dialog("Correct a line")
    dialog.get_by_label("Words").fill("")
    tab.press("Save", within=dialog)
    log.get_by_role("button", name=re.compile("^Correct: Good morning")).first.wait_for()
    expect(log.get_by_role("button", name="Correct: What was really said.")).to_have_count(0)


def test_a_webhook_is_set_tried_and_its_events_are_sent_again(tab, base_url, person):
    user = person("hook@example.com")
    tab.sign_in(user["token"])
    tab.go("Webhooks")
    tab.press("Set a webhook")
    dialog = tab.dialog("Webhook")
    dialog.get_by_label("Address").fill("nowhere")
    tab.press("Save", within=dialog)
    expect(dialog.get_by_label("Address")).to_have_attribute("aria-invalid", "true")
    # It resolves to this machine, which webhooks do not reach: events wait, and say why.
    dialog.get_by_label("Address").fill("https://localhost/hook")
    dialog.get_by_label("Secret").fill("a-secret-that-nobody-guesses")
    tab.press("Save", within=dialog)
    tab.said("The webhook is set")
    tab.page.get_by_text("Signed with your secret").wait_for()
    tab.press("Send a test")
    tab.page.get_by_text("The test was not delivered").wait_for()
    ask(base_url, "POST", "bots", {"meeting_url": LINK}, user=user["token"])
    tab.page.reload()
    tab.sign_in(user["token"])
    tab.go("Webhooks")
    row = tab.row("Deliveries", "Waiting").first
    row.get_by_role("button", name="Send again").click()
    tab.said("The event is sent again")
    tab.picture("console-webhooks")
    tab.press("Delete")
    tab.press("Delete", within=tab.dialog("Delete the webhook?"))
    tab.page.get_by_text("No webhook yet").wait_for()


def test_own_tokens_are_made_narrower_rotated_and_revoked(tab, base_url, person):
    user = person("own@example.com")
    tab.sign_in(user["token"])
    tab.go("Keys")
    tab.press("Create a token")
    dialog = tab.dialog("Create a token")
    dialog.get_by_label("Name").fill("export")
    dialog.get_by_label("Read only").check()
    tab.press("Create", within=dialog)
    narrow = tab.revealed()
    assert ask(base_url, "GET", "user", user=narrow)["token"]["scope"]["read_only"]
    tab.row("Tokens", "export").get_by_role("button", name="Revoke export").click()
    tab.press("Revoke", within=tab.dialog("Revoke this token?"))
    tab.said("The token is revoked")
    expect(tab.row("Tokens", "export")).to_have_count(0)
    tab.press("Rotate")
    dialog = tab.dialog("Rotate this token")
    dialog.get_by_label("The old one ends").select_option("At once")
    tab.press("Rotate", within=dialog)
    fresh = tab.revealed()
    # The tab goes on with the new one.
    tab.go("Usage")
    tab.go("Keys")
    expect(tab.page.locator(".facts").first).to_contain_text(fresh[:4])
    tab.picture("console-own-keys")


def test_own_usage_is_drawn_and_saved(tab, base_url, person):
    user = person("mine@example.com")
    tab.sign_in(user["token"])
    tab.go("Usage")
    tab.page.get_by_role("img", name=re.compile("^Requests by day")).wait_for()
    expect(tab.row("Shares", "laptop")).to_have_count(1)
    with tab.page.expect_download() as download:
        tab.press("Save as CSV")
    assert Path(download.value.path()).read_text().startswith("day,")


def test_a_limited_token_is_told_what_it_may_not(browser, base_url, person):
    user = person("limited@example.com")
    path = f"admin/users/{user['id']}/tokens"
    wish = {"platforms": ["google_meet"], "read_only": True}
    token = ask(base_url, "POST", path, wish, admin=ADMIN_KEY)["token"]
    with console(browser, base_url) as tab:
        tab.sign_in(token)
        tab.page.get_by_text("No meetings yet").wait_for()
        tab.go("Webhooks")
        tab.page.get_by_role("alert").first.wait_for()
        tab.go("Meetings")
        tab.page.get_by_label("Send a bot to a meeting").fill(LINK)
        tab.press("Send a bot")
        tab.page.get_by_text("This token may only read").first.wait_for()


def test_a_token_of_one_meeting_sees_that_meeting(browser, base_url, person):
    user = person("single@example.com")
    ask(base_url, "POST", "bots", {"meeting_url": LINK}, user=user["token"])
    wish = {"meeting": {"platform": "google_meet", "native_meeting_id": "abc-defg-hij"}}
    path = f"admin/users/{user['id']}/tokens"
    token = ask(base_url, "POST", path, wish, admin=ADMIN_KEY)["token"]
    with console(browser, base_url) as tab:
        tab.sign_in(token, remember=True)
        tab.page.reload()
        tab.page.get_by_role("link", name="abc-defg-hij").click()
        tab.press("Name and notes")
        dialog = tab.dialog("Name and notes")
        dialog.get_by_label("Name").fill("The one")
        tab.press("Save", within=dialog)
        tab.title("The one")


def test_further_webhooks_have_events_and_secrets_of_their_own(tab, base_url, person):
    user = person("hooks@example.com")
    tab.sign_in(user["token"])
    tab.page.get_by_role("link", name="Webhooks").click()
    tab.page.get_by_text("No further webhooks").wait_for()
    tab.press("Add a webhook")
    dialog = tab.dialog("Add a webhook")
    dialog.get_by_label("Address").fill("https://localhost/other")
    dialog.get_by_label("Status changes").uncheck()
    expect(dialog.get_by_role("button", name="Add", exact=True)).to_be_disabled()
    dialog.get_by_label("Transcript ready").check()
    tab.press("Add", within=dialog)
    first = tab.revealed("secret")
    assert first.startswith("whsec_")
    row = tab.row("Further webhooks", "https://localhost/other")
    row.get_by_text("Transcript ready").wait_for()
    tab.press("New secret for https://localhost/other")
    tab.press("Make a new secret", within=tab.dialog("New secret"))
    assert tab.revealed("secret") not in ("", first)
    tab.press("Send a test to https://localhost/other")
    tab.page.get_by_text("The test to https://localhost/other was not delivered").wait_for()
    tab.press("Change https://localhost/other")
    dialog = tab.dialog("Change the webhook")
    dialog.get_by_label("Status changes").check()
    tab.press("Save", within=dialog)
    tab.said("The webhook is changed")
    [stored] = ask(base_url, "GET", "user/webhooks", user=user["token"])["webhooks"]
    assert sorted(stored["events"]) == ["meeting.status_change", "transcript.ready"]
    tab.picture("console-further-webhooks")
    tab.press("Delete https://localhost/other")
    tab.press("Delete", within=tab.dialog("Delete this webhook?"))
    tab.page.get_by_text("No further webhooks").wait_for()


def test_a_transcript_is_shared_by_a_link_until_that_is_revoked(tab, base_url, person):
    user = person("share@example.com")
    ask(base_url, "POST", "bots", {"meeting_url": LINK}, user=user["token"])
    tab.sign_in(user["token"])
    tab.page.get_by_role("link", name="abc-defg-hij").click()
    tab.page.get_by_text("Nobody else can read this transcript.").wait_for()
    tab.press("Share")
    dialog = tab.dialog("Share this transcript")
    dialog.get_by_label("Ends").select_option("In a day")
    tab.press("Make a link", within=dialog)
    link = tab.revealed("link")
    with tab.page.expect_response(link) as opened:
        tab.page.evaluate("link => fetch(link)", link)
    assert opened.value.status == 200
    tab.picture("console-shares")
    tab.page.get_by_role("button", name="Revoke link").click()
    tab.press("Revoke", within=tab.dialog("Revoke this link?"))
    tab.page.get_by_text("Nobody else can read this transcript.").wait_for()
    shares = ask(base_url, "GET", "user/shares", user=user["token"])["shares"]
    assert shares == []
