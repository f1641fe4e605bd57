"""The conversation of each existing bot version with a real server, from its start to its verdict."""

import json
import sys

import pytest
from live_server import ADMIN_KEY, REPOSITORY, running
from patience import wait_for
from vomeet_client import VomeetClient

BOT = REPOSITORY / "tests" / "python" / "existing_bot.py"
MEETING = ("google_meet", "abc-defg-hij")
VERSIONS = ("V25", "O26", "V10", "V12")
# Of two versions the first releases differ from the last.
RELEASES = (*((version,) for version in VERSIONS), ("V25", "early"), ("V12", "early"))


class Sent:
    """A bot of some version in a meeting of a real server."""

    def __init__(self, folder, base_url, has_voice):
        admin = VomeetClient(base_url, admin_key=ADMIN_KEY)
        user = admin.create_user("bots@example.com", max_concurrent_bots=1)
        self.user = VomeetClient(base_url, api_key=admin.create_token(user["id"])["token"])
        self.folder = folder
        voice = True if has_voice else None
        self.user.request_bot(*MEETING, language="en", voice_agent_enabled=voice)

    def log(self):
        path = self.folder / "logs" / "meeting-1.log"
        return path.read_text() if path.exists() else ""

    def wait_until(self, *states):
        return wait_for(
            lambda: next(
                iter(m for m in self.user.get_meetings(limit=1) if m["status"] in states), None
            ),
            self.log,
        )

    def texts(self):
        return {segment["text"] for segment in self.user.get_transcript(*MEETING)["segments"]}

    def wait_for_text(self, text):
        wait_for(lambda: text in self.texts(), self.log)

    def wait_for_log(self, line):
        """A bot writes an answer down when it has read it: its meeting may be over before."""
        wait_for(lambda: line in self.log(), self.log)


@pytest.fixture
def send(tmp_path):
    """Starts a server and sends a bot of a version with these manners."""
    servers = []

    def send(version, *manners, has_voice=False, **settings):
        settings = {
            "VOMEET_BOTS_RUNNER": "process",
            "VOMEET_BOTS_PROCESS_COMMAND": json.dumps(
                [sys.executable, str(BOT), version, *manners]
            ),
            "VOMEET_BOTS_LOG_FOLDER": str(tmp_path / "logs"),
            "VOMEET_BOTS_WHISPER_LIVE_URL": "ws://whisper:9090",
            "VOMEET_BOTS_TRANSCRIPTION_URL": "http://whisper:8083",
            **settings,
        }
        server = running(tmp_path, **settings)
        sent = Sent(tmp_path, server.__enter__(), has_voice)
        servers.append(server)
        return sent

    yield send
    for server in servers:
        server.__exit__(None, None, None)


def verdict(meeting):
    return meeting["status"], meeting["data"].get("completion_reason")


@pytest.mark.parametrize("release", RELEASES, ids=" ".join)
def test_its_conversation_ends_as_it_should(send, release):
    version = release[0]
    sent = send(*release)
    sent.wait_until("active")
    sent.wait_for_text("by the wire")
    sent.wait_for_text("by POST")
    texts = {"by the wire", "by POST"}
    sent.user.update_bot_config(*MEETING, language="fr")
    sent.wait_for_log('"action": "reconfigure"')
    # The strict version is told, and goes on as before.
    if version != "V12":
        sent.wait_for_text("now in fr")
        texts.add("now in fr")
    sent.user.stop_bot(*MEETING)
    over = sent.wait_until("completed", "failed")
    assert verdict(over) == ("completed", "stopped"), sent.log()
    last = over["data"]["status_transition"][-1]
    assert (last["from"], last["source"], last["exit_code"]) == ("stopping", "bot_callback", 0)
    assert sent.texts() == texts
    sent.wait_for_log("reported completed stopped -> processed")
    log = sent.log()
    assert '"action": "leave"' in log and "SIGTERM" not in log, log
    if version in ("V10", "V12"):
        # That it needs help is acknowledged, and nothing follows.
        assert log.count("-> ignored") == 1, log
    if version == "V10":
        sent.wait_for_log("bot_logs: the last line of its log")


@pytest.mark.parametrize(
    ("version", "has_voice", "speaks", "writes"),
    [
        ("V25", True, False, False),
        ("O26", True, False, False),
        ("V10", False, True, True),
        ("V10", True, True, True),
        ("V12", False, False, False),
        ("V12", True, True, False),
    ],
)
def test_whether_it_speaks_and_writes_is_its_version(send, version, has_voice, speaks, writes):
    sent = send(version, has_voice=has_voice)
    sent.wait_for_text("by POST")
    sent.user.speak(*MEETING, "Good morning")
    sent.user.send_chat_message(*MEETING, "The notes follow")
    sent.user.stop_bot(*MEETING)
    sent.wait_until("completed", "failed")
    log = sent.log()
    assert log.index('"action": "speak"') < log.index('"action": "chat_send"'), log
    assert ("spoke Good morning" in log, "wrote The notes follow" in log) == (speaks, writes), log


@pytest.mark.parametrize("version", VERSIONS)
def test_where_it_does_not_leave_it_is_signalled(send, version):
    sent = send(version, "deaf", VOMEET_BOTS_LEAVE_SECONDS="1")
    sent.wait_for_text("by POST")
    sent.user.stop_bot(*MEETING)
    over = sent.wait_until("completed", "failed")
    assert verdict(over) == ("completed", "stopped"), sent.log()
    log = sent.log()
    assert log.index('"action": "leave"') < log.index("SIGTERM"), log
    code = 0 if version == "V12" else 143
    assert over["data"]["status_transition"][-1]["exit_code"] == code


def test_it_is_stopped_before_it_is_admitted(send):
    sent = send("V12", "lobby")
    sent.wait_until("awaiting_admission")
    sent.user.stop_bot(*MEETING)
    over = sent.wait_until("completed", "failed")
    assert verdict(over) == ("completed", "stopped"), sent.log()
    sent.wait_for_log("reported failed stopped -> processed")
    assert "SIGTERM" not in sent.log(), sent.log()


def test_it_is_signalled_where_it_hears_nothing_before_it_is_admitted(send):
    sent = send("V12", "early", "lobby")
    sent.wait_until("awaiting_admission")
    sent.wait_for_log("reported needs_help")
    sent.user.stop_bot(*MEETING)
    over = sent.wait_until("completed", "failed")
    assert verdict(over) == ("completed", "stopped"), sent.log()
    sent.wait_for_log("reported failed stopped -> processed")
    log = sent.log()
    assert "SIGTERM\nreported failed stopped -> processed" in log, log
    assert '"action": "leave"' not in log, log
    assert over["data"]["status_transition"][-1]["exit_code"] == 0


def test_the_first_releases_of_the_strict_version_refuse_a_model(send):
    sent = send("V12", "early", VOMEET_BOTS_TRANSCRIPTION_MODEL="large-v3")
    over = sent.wait_until("completed", "failed")
    assert (over["status"], over["data"]["failure_stage"]) == ("failed", "requested")
    assert "invalid configuration [] ['transcriptionModel']" in sent.log()


def test_a_report_that_crosses_the_stop_is_ignored_as_often_as_it_comes(send):
    # Its repetitions take three seconds, or more: a signal must not come before them.
    patience = {"VOMEET_BOTS_LEAVE_SECONDS": "600", "VOMEET_BOTS_STOPPING_SECONDS_MAX": "700"}
    sent = send("O26", "late", **patience)
    sent.wait_for_text("by POST")
    sent.user.stop_bot(*MEETING)
    over = sent.wait_until("completed", "failed")
    assert verdict(over) == ("completed", "stopped"), sent.log()
    log = sent.log()
    assert log.count("reported active - -> ignored") == 3 and "gave up active" in log, log


@pytest.mark.parametrize("version", VERSIONS)
def test_what_it_needs_is_missing_where_redis_is_off(send, version):
    sent = send(version, VOMEET_BOTS_REDIS_LISTEN="off")
    over = sent.wait_until("completed", "failed")
    assert (over["status"], over["data"]["failure_stage"]) == ("failed", "requested")
    assert "invalid configuration ['redisUrl'] []" in sent.log()
