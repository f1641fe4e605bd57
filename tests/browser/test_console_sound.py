"""The console and words of sound: engines and lag, withheld words, a player beside the transcript."""

import json
import re
import threading
import urllib.request
import wave
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from math import exp, pi, sin

import pytest
from console_page import ask, console
from live_server import ADMIN_KEY, running
from playwright.sync_api import expect
from test_console_looks import LOOKS, check

RATE = 16_000
# Who speaks from when to when, in seconds; how long it is says the engine which words it has heard.
# A line begins a little before.
SPOKEN = [("Ada", 1, 3), ("Grace", 5, 8), ("Ada", 10, 14), ("Grace", 16, 21), ("Ada", 110, 116)]
WORDS = {
    2: "Good morning, everyone.",
    3: "Shall we look at the figures?",
    4: "They are better than those of last week, by a good part.",
    5: "Thank you for watching!",
    6: "That was all for today.",
}
SECONDS = 120


class Engine:
    """An engine that says of a sound what its length stands for; `is_away` makes it fail."""

    def __init__(self):
        self.is_away = False
        engine = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status, answer = 200, {}
                if engine.is_away:
                    status = 503
                else:
                    answer = said(seconds_of(body))
                text = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def settings(self):
        url = f"http://127.0.0.1:{self.server.server_port}/v1"
        engine = f'[[transcription.engines]]\nname = "office"\nurl = "{url}"\nmodel = "large-v3"\n'
        return f"[transcription]\nkeep_days = 30\nuser_engines = true\n{engine}"

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def seconds_of(form):
    """How long the WAV file in a form is."""
    with wave.open(BytesIO(form[form.index(b"RIFF") :])) as sound:
        return sound.getnframes() / RATE


def said(seconds):
    spoken = min(WORDS, key=lambda one: abs(one + 0.4 - seconds))
    text = WORDS[spoken]
    segment = {"id": 0, "start": 0.1, "end": spoken, "text": text, "avg_logprob": -0.2}
    return {"text": text, "language": "en", "segments": [segment]}


def vowel(time):
    """A voiced sound: pulses of about 120 Hz through three formants, in syllables."""
    pitch = 120 + 15 * sin(time * 2.1)
    sum = 0
    for harmonic in range(1, 30):
        hertz = pitch * harmonic
        gain = 0
        for loud, centre, width in ((1, 700, 150), (0.6, 1200, 200), (0.3, 2600, 300)):
            gain += loud * exp(-(((hertz - centre) / width) ** 2))
        sum += gain * sin(2 * pi * hertz * time)
    return int(sum * (0.55 + 0.45 * sin(2 * pi * 4 * time)) * 4000)


def recording():
    """Two minutes in two channels: Ada left, Grace right."""
    frames = bytearray(SECONDS * RATE * 4)
    for speaker, start, end in SPOKEN:
        channel = 0 if speaker == "Ada" else 2
        for at in range(start * RATE, end * RATE):
            sample = vowel(at / RATE).to_bytes(2, "little", signed=True)
            frames[4 * at + channel : 4 * at + channel + 2] = sample
    file = BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(2)
        sound.setsampwidth(2)
        sound.setframerate(RATE)
        sound.writeframes(bytes(frames))
    return file.getvalue()


@pytest.fixture(scope="module")
def sound():
    return recording()


@pytest.fixture(scope="module")
def engine():
    engine = Engine()
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def base_url(tmp_path_factory, engine):
    """A server with an engine, which keeps sound."""
    folder = tmp_path_factory.mktemp("sound")
    (folder / "vomeet.toml").write_text(engine.settings())
    with running(folder, VOMEET_BOTS_RUNNER="demo") as url:
        yield url


@pytest.fixture
def heard(base_url, person, sound, tab):
    """Uploads the recording for a new user, and waits for its words: (user, meeting)."""

    def upload(email):
        user = person(email)
        query = "name=Weekly&speakers=Ada,Grace&language=en&start_time=2025-10-10T12:00:00Z"
        headers = {"X-API-Key": user["token"], "Content-Type": "application/octet-stream"}
        request = urllib.request.Request(
            f"{base_url}/meetings/upload?{query}", sound, headers, method="POST"
        )
        with urllib.request.urlopen(request) as answer:
            meeting = json.loads(answer.read())
        path = f"meetings/{meeting['id']}"
        for _ in range(600):
            state = ask(base_url, "GET", path, user=user["token"])["transcription"]["state"]
            if state == "done":
                return user, meeting
            tab.page.wait_for_timeout(100)
        raise AssertionError(f"its words never came: {state}")

    return upload


def opened(tab, user, meeting):
    """Opens the page of a meeting; gives its transcript and its player."""
    tab.sign_in(user["token"])
    tab.open(f"meetings/generic/{meeting['native_meeting_id']}?id={meeting['id']}")
    tab.title("Weekly")
    return tab.page.get_by_role("log"), tab.page.get_by_label("The sound of this meeting")


def playing(audio, seconds):
    """Wait until the sound is played from about there."""
    expect(audio).to_have_js_property("paused", False)
    for _ in range(600):
        at = audio.evaluate("audio => audio.currentTime")
        if seconds <= at < seconds + 8:
            return
        audio.page.wait_for_timeout(50)
    raise AssertionError(f"it is at {at}, not at {seconds}")


def marked(log):
    return log.locator("[aria-current]")


def test_a_line_is_played_from_its_time_and_marked_while_it_is_spoken(tab, heard):
    user, meeting = heard("player@example.com")
    addresses = []
    tab.page.on("request", lambda request: addresses.append(request.url))
    log, audio = opened(tab, user, meeting)
    expect(marked(log)).to_have_count(0)
    log.get_by_role("button", name="Play from 0:09").click()
    playing(audio, 9)
    expect(marked(log)).to_have_text(re.compile(WORDS[4]))
    tab.picture("console-player")
    # Grace has a sound of her own.
    log.get_by_role("button", name="Play from 0:04").click()
    choice = tab.page.get_by_label("Whose sound")
    expect(choice.locator("option:checked")).to_have_text(re.compile("^Grace, from "))
    playing(audio, 4)
    expect(marked(log)).to_have_text(re.compile(re.escape(WORDS[3])))
    played = [url for url in addresses if "/audio?" in url]
    assert played and all("ticket=" in url for url in played)
    assert not [url for url in addresses if user["token"] in url]
    # The choice goes on at the same moment.
    audio.evaluate("audio => { audio.pause(); audio.currentTime = 12; }")
    choice.select_option(label=choice.locator("option").nth(0).inner_text())
    expect(choice.locator("option:checked")).to_have_text(re.compile("^Ada, from "))
    expect(audio).to_have_js_property("currentTime", 12)
    expect(audio).to_have_js_property("paused", True)
    expect(marked(log)).to_have_text(re.compile(WORDS[4]))
    # With the keyboard as well.
    log.get_by_role("button", name="Play from 0:00").focus()
    tab.page.keyboard.press("Enter")
    playing(audio, 0)


def test_whoever_was_named_is_played_by_their_own_sound(tab, base_url, heard):
    user, meeting = heard("named@example.com")
    wish = {"from": "Grace", "to": "Grace Hopper"}
    path = f"transcripts/by-id/{meeting['id']}/speakers"
    ask(base_url, "PATCH", path, wish, user=user["token"])
    log, audio = opened(tab, user, meeting)
    log.get_by_role("button", name="Play from 0:04").click()
    checked = tab.page.get_by_label("Whose sound").locator("option:checked")
    expect(checked).to_have_text(re.compile("^Grace Hopper, from "))
    playing(audio, 4)
    # Who clicks on before a sound is there gets what was clicked last.
    log.get_by_role("button", name="Play from 0:09").click()
    log.get_by_role("button", name="Play from 0:04").click()
    playing(audio, 4)
    expect(checked).to_have_text(re.compile("^Grace Hopper, from "))


def test_a_ticket_that_has_ended_is_renewed(tab, base_url, heard):
    user, meeting = heard("ticket@example.com")
    path = f"/meetings/{meeting['id']}/audio"
    given = []

    def ended(route):
        """The first ticket has ended when the page gets it: the oldest of twenty makes room."""
        answer = route.fetch()
        given.append(answer.json()["ticket"])
        if len(given) == 1:
            for _ in range(20):
                ask(base_url, "POST", "tickets", {"path": path}, user=user["token"])
        route.fulfill(response=answer)

    tab.page.route("**/tickets", ended)
    refused = []
    tab.page.on("response", lambda answer: answer.status == 403 and refused.append(answer.url))
    log, audio = opened(tab, user, meeting)
    log.get_by_role("button", name="Play from 1:49").click()
    playing(audio, 109)
    expect(marked(log)).to_have_text(re.compile(WORDS[6]))
    assert len(given) == 2 and given[0] in refused[0]
    assert given[1] in audio.evaluate("audio => audio.src")
    expect(tab.page.get_by_role("alert")).to_have_count(0)


def test_the_sound_is_deleted_alone_by_those_who_may(browser, base_url, tab, heard):
    user, meeting = heard("forget@example.com")
    wish = {"name": "reader", "read_only": True}
    reader = ask(base_url, "POST", "user/tokens", wish, user=user["token"])
    with console(browser, base_url) as other:
        _, audio = opened(other, {"token": reader["token"]}, meeting)
        expect(audio).to_be_visible()
        expect(other.page.get_by_role("button", name="Delete the sound")).to_have_count(0)
    log, audio = opened(tab, user, meeting)
    tab.press("Delete the sound")
    dialog = tab.dialog("Delete the sound?")
    tab.press("Cancel", within=dialog)
    path = f"meetings/{meeting['id']}"
    assert len(ask(base_url, "GET", path, user=user["token"])["sounds"]) == 2
    # It is played meanwhile.
    log.get_by_role("button", name="Play from 0:09").click()
    playing(audio, 9)
    tab.press("Delete the sound")
    tab.press("Delete", within=tab.dialog("Delete the sound?"))
    tab.said("The sound is deleted")
    expect(audio).to_have_count(0)
    log.get_by_text(WORDS[3]).wait_for()
    expect(log.get_by_role("button")).to_have_count(0)
    assert ask(base_url, "GET", path, user=user["token"])["sounds"] == []


def test_a_sound_that_somebody_else_deleted_is_said_to_be_gone(tab, base_url, heard):
    user, meeting = heard("gone@example.com")
    log, audio = opened(tab, user, meeting)
    expect(audio).to_have_js_property("readyState", 4)
    ask(base_url, "DELETE", f"meetings/{meeting['id']}/audio", user=user["token"])
    log.get_by_role("button", name="Play from 1:49").click()
    tab.said("The sound is deleted")
    expect(audio).to_have_count(0)
    log.get_by_text(WORDS[6]).wait_for()


def test_withheld_words_stand_in_their_places_with_their_reason(tab, heard):
    user, meeting = heard("withheld@example.com")
    log, _ = opened(tab, user, meeting)
    log.get_by_text(WORDS[4]).wait_for()
    expect(log.get_by_text(WORDS[5])).to_have_count(0)
    tab.press("Show withheld")
    line = log.locator("article").filter(has_text=WORDS[5])
    expect(line).to_contain_text("Withheld")
    expect(line).to_contain_text("(engines say this of silence)")
    tab.page.get_by_role("status").get_by_text("1 line is withheld").wait_for()
    texts = " ".join(log.locator("p").all_inner_texts())
    places = [texts.index(WORDS[length]) for length in (2, 3, 4, 5, 6)]
    assert places == sorted(places)
    tab.picture("console-withheld")
    # What is copied and saved is what is believed.
    with tab.page.expect_download() as download:
        tab.press("Save the transcript as md")
    assert WORDS[5] not in download.value.path().read_text()
    tab.press("Correct")
    expect(line.get_by_role("button", name=re.compile("^Correct:"))).to_have_count(0)
    tab.press("Show withheld")
    expect(log.get_by_text(WORDS[5])).to_have_count(0)


def test_late_words_are_said_above_the_transcript(tab, base_url, person):
    user = person("late@example.com")
    link = "https://meet.google.com/abc-defg-hij"
    meeting = ask(base_url, "POST", "bots", {"meeting_url": link}, user=user["token"])
    sockets = []
    tab.page.route_web_socket(re.compile("/ws"), lambda socket: sockets.append(socket))
    tab.sign_in(user["token"])
    tab.page.get_by_role("link", name="abc-defg-hij").click()
    tab.page.get_by_text("Connecting", exact=True).wait_for()
    for _ in range(600):
        if sockets:
            break
        tab.page.wait_for_timeout(100)
    sockets[0].send(json.dumps({"type": "subscribed", "meetings": []}))

    def push(seconds, windows):
        payload = {"seconds": seconds, "windows": windows}
        event = {"type": "transcription.lag", "meeting": {"id": meeting["id"]}, "payload": payload}
        sockets[0].send(json.dumps(event))

    tab.page.get_by_text("Live", exact=True).wait_for()
    push(74.2, 3)
    tab.page.get_by_text("Words are 1 min 14 s late: 3 stretches of sound wait").wait_for()
    push(0, 0)
    expect(tab.page.get_by_text("of sound wait for an engine")).to_have_count(0)


def test_an_administrator_sees_engines_lag_and_what_is_withheld(admin, base_url, engine, heard):
    _, meeting = heard("office@example.com")
    admin.go("System")
    row = admin.row("Engines", "office")
    expect(row).to_contain_text("large-v3")
    expect(row.get_by_text("Well", exact=True)).to_be_visible()
    expect(row).to_contain_text("0 of 2")
    expect(row).to_contain_text("of sound a second")
    card = admin.page.locator(".card").filter(has_text="Words of sound")
    expect(card).to_contain_text("Engines say this of silence")
    expect(card).to_contain_text("Waiting, live0 windows")
    admin.open(f"meetings/{meeting['id']}")
    words = admin.page.locator(".card").filter(has_text="Waiting for an engine")
    expect(words).to_contain_text("Withheld: engines say this of silence")
    engine.is_away = True
    try:
        wish = {"email": "away@example.com"}
        other = ask(base_url, "POST", "admin/users", wish, admin=ADMIN_KEY)
        path = f"admin/users/{other['id']}/tokens"
        token = ask(base_url, "POST", path, {}, admin=ADMIN_KEY)["token"]
        headers = {"X-API-Key": token, "Content-Type": "application/octet-stream"}
        upload = f"{base_url}/meetings/upload?speakers=Ada,Grace"
        with urllib.request.urlopen(
            urllib.request.Request(upload, recording(), headers, method="POST")
        ) as answer:
            waiting = json.loads(answer.read())
        admin.go("System")
        row.get_by_text("Rests", exact=True).wait_for()
        expect(row).to_contain_text("Engine office answered 503")
        admin.picture("console-engine-away")
        with console_of(admin, token, waiting) as progress:
            state = re.compile(r"Words are made of this recording: \d+ % of them are there")
            progress.page.get_by_text(state).wait_for()
            progress.page.get_by_text("Words are on their way").wait_for()
            expect(progress.page.locator("audio")).to_have_count(0)
    finally:
        engine.is_away = False
    row.get_by_text("Well", exact=True).wait_for()
    expect(row).to_contain_text("Engine office answered 503")


@contextmanager
def console_of(tab, token, meeting):
    """Another tab, of a user who looks at a meeting."""
    with console(tab.page.context.browser, tab.base_url) as other:
        other.sign_in(token)
        other.open(f"meetings/generic/{meeting['native_meeting_id']}?id={meeting['id']}")
        yield other


def test_names_and_terms_and_an_engine_of_ones_own_are_set_and_removed(tab, base_url, person):
    user = person("own@example.com")

    def kept():
        return ask(base_url, "GET", "user/transcription", user=user["token"])

    tab.sign_in(user["token"])
    tab.go("Transcription")
    terms = tab.page.get_by_label("One on each line")
    terms.fill("x" * 65)
    tab.press("Save")
    expect(terms).to_have_attribute("aria-invalid", "true")
    terms.fill("Ada Lovelace\n\nKubernetes\nAda Lovelace\n")
    tab.press("Save")
    tab.said("The names and terms are kept")
    expect(terms).to_have_value("Ada Lovelace\nKubernetes")
    assert kept()["vocabulary"] == ["Ada Lovelace", "Kubernetes"]
    tab.press("Set an engine")
    dialog = tab.dialog("Your engine")
    dialog.get_by_label("Address").fill("http://127.0.0.1:8000/v1")
    dialog.get_by_label("Model").fill("whisper-1")
    dialog.get_by_label("Key", exact=True).fill("sk-of-ada")
    tab.press("Save", within=dialog)
    expect(dialog.get_by_label("Address")).to_have_attribute("aria-invalid", "true")
    dialog.get_by_label("Address").fill("https://asr.example.com/v1")
    tab.press("Save", within=dialog)
    tab.said("Your engine is set")
    tab.page.get_by_text("Asked with your key").wait_for()
    tab.press("Change")
    dialog = tab.dialog("Your engine")
    dialog.get_by_label("Model").fill("large-v3")
    tab.press("Save", within=dialog)
    tab.page.get_by_text("large-v3").wait_for()
    shown = {"url": "https://asr.example.com/v1", "model": "large-v3", "has_key": True}
    assert kept() == {"engine": shown, "vocabulary": ["Ada Lovelace", "Kubernetes"]}
    tab.press("Remove")
    tab.press("Remove", within=tab.dialog("Remove your engine?"))
    tab.said("Your engine is removed")
    tab.page.get_by_text("The engines of this server hear your meetings", exact=True).wait_for()
    assert kept() == {"engine": None, "vocabulary": ["Ada Lovelace", "Kubernetes"]}


def test_where_users_may_have_no_engine_it_is_said(browser, tmp_path):
    with running(tmp_path) as url, console(browser, url) as tab:
        wish = {"email": "own@example.com"}
        user = ask(url, "POST", "admin/users", wish, admin=ADMIN_KEY)
        path = f"admin/users/{user['id']}/tokens"
        tab.sign_in(ask(url, "POST", path, {}, admin=ADMIN_KEY)["token"])
        tab.go("Transcription")
        tab.press("Set an engine")
        dialog = tab.dialog("Your engine")
        dialog.get_by_label("Address").fill("https://asr.example.com/v1")
        dialog.get_by_label("Model").fill("whisper-1")
        tab.press("Save", within=dialog)
        dialog.get_by_text("the administrator allows it with transcription.user_engines").wait_for()


def test_without_an_engine_the_next_step_is_shown(browser, tmp_path):
    with running(tmp_path) as url, console(browser, url) as tab:
        tab.sign_in(ADMIN_KEY)
        tab.go("System")
        tab.page.get_by_text("No engine makes words of sound").wait_for()
        lines = tab.page.get_by_label("Lines of vomeet.toml")
        expect(lines).to_contain_text("[[transcription.engines]]")
        for look in LOOKS.values():
            tab.page.set_viewport_size(look["viewport"])
            check(tab, f"system without engines {look['viewport']['width']}")
        # The lines are right: a server starts with them, and shows the engine.
        settings = lines.inner_text()
    (tmp_path / "vomeet.toml").write_text(settings)
    with running(tmp_path) as url:
        shown = ask(url, "GET", "admin/transcription", admin=ADMIN_KEY)
        assert [one["name"] for one in shown["engines"]] == ["office"]


@pytest.mark.parametrize("look", LOOKS)
def test_axe_finds_nothing_where_sound_is_kept(browser, base_url, heard, look):
    user, meeting = heard(f"{look}@example.com")
    with console(browser, base_url, **LOOKS[look]) as tab:
        log, audio = opened(tab, user, meeting)
        tab.press("Show withheld")
        log.get_by_text(WORDS[5]).wait_for()
        log.get_by_role("button", name="Play from 0:09").click()
        playing(audio, 9)
        expect(marked(log)).to_have_count(1)
        audio.evaluate("audio => audio.pause()")
        check(tab, f"sound {look}")
        tab.press("Delete the sound")
        tab.dialog("Delete the sound?")
        check(tab, f"sound dialog {look}")
    with console(browser, base_url, **LOOKS[look]) as tab:
        tab.sign_in(ADMIN_KEY)
        for path in ("system", f"meetings/{meeting['id']}"):
            tab.open(path)
            tab.shows(path)
            check(tab, f"sound admin {path} {look}")
