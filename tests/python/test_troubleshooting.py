"""docs/troubleshooting.md has every sentence of the program that asks somebody to act, and no other."""

import re

import pytest
from documents import blocks_of
from machine import REPOSITORY
from sentences import ANYTHING, SOURCES, code_of, code_texts, said_in, shown

PAGE = REPOSITORY / "docs/troubleshooting.md"

# What is logged as a warning or an error. The text is the first argument, or stands after fields.
LOGGED = re.compile(r"""(?:log::(?:warn|error)!|\.warn)\(\s*(?:[\w, ]+;\s*)?(?:&format!\(\s*)?""")
# Files that log what another one has made: a sentence that is found where it is made.
LOGGED_ELSEWHERE = {"src/logging.rs": 1, "src/backups/schedule.rs": 1}

# Where the sentences of a start that fails are made.
OF_THE_START = [
    *sorted((SOURCES / "config").glob("*.rs")),
    SOURCES / "app.rs",
    SOURCES / "cli/serve.rs",
    SOURCES / "http/admin_socket.rs",
    SOURCES / "http/tls.rs",
    SOURCES / "http/tls/certificate.rs",
    SOURCES / "logging.rs",
    SOURCES / "server.rs",
    *sorted((SOURCES / "server").glob("*.rs")),
    SOURCES / "store/beside.rs",
    SOURCES / "store/connection.rs",
    SOURCES / "store/doors.rs",
    SOURCES / "store/failure.rs",
    SOURCES / "store/file.rs",
    SOURCES / "store/tokens/read.rs",
    SOURCES / "store/upgrade.rs",
    *sorted((SOURCES / "store/upgrade").glob("*.rs")),
    SOURCES / "store/vacuum.rs",
    SOURCES / "store/writer/queue.rs",
    SOURCES / "transcription/parts.rs",
]
OF_HEALTH = [SOURCES / "health" / name for name in ["check.rs", "looks.rs"]]
ERRORS = (SOURCES / "error.rs", SOURCES / "error" / "sentences.rs")

# What a caller is told about their own request; an administrator need not act.
FOR_CALLERS = {
    "A request has at most … headers.",
    "Admin key not found",
    "An active or requested meeting already exists for this platform and meeting ID. Stop it first, or wait for its end.",
    "An admin key has this name already; rotate it, or choose another name.",
    "Cannot change user email via this endpoint.",
    "Delivery not found",
    "Invalid API token",
    "Invalid bot token",
    "Invalid or missing admin token.",
    "Keys from your address are looked at again in … s.",
    "Meeting found but is not active (status: '…'). Cannot reconfigure.",
    "Meeting found but is not active (status: '…'). No bot is in it.",
    "Meeting not finalized; cannot delete transcripts. Current status: …",
    "Meeting not finalized; cannot delete its sound. Current status: …",
    "Meeting not found for platform … and ID …",
    "Meeting not found",
    "Method Not Allowed",
    "More sound than may come. Try again later.",
    "Missing API token (Authorization: Bearer, or X-API-Key header)",
    "Missing API token (X-API-Key header)",
    "User has planned … bots, and no more may be. Cancel one first.",
    "No data provided for update.",
    "No meeting found to stop.",
    "No segment of this meeting shows this speaker. Send the name as it is shown, or null for segments without one.",
    "No sound of this meeting is kept. It is deleted once its words are stored, unless keep_days in section [transcription] of vomeet.toml keeps it.",
    "No webhook URL is set. Set one with PUT /user/webhook.",
    "No such share link: it has ended, or never was.",
    "Not Found",
    "Only a meeting that has failed is tried again. Current status: …",
    "Segment not found",
    "Send an API token as Authorization: Bearer TOKEN, or in the header X-API-Key.",
    "Send an API token in the header X-API-Key.",
    "Send the admin key in the header X-Admin-API-Key.",
    "The bot of this meeting does not listen for commands: it is not connected to the Redis endpoint.",
    "The body did not arrive in time.",
    "The body is longer than … bytes.",
    "The file is being checked already. Wait until that is done.",
    "The next request is answered in … s.",
    "The path has no slash at its end.",
    "The request does not validate.",
    "The words of this segment are a draft, which may still change. Correct it once it is final.",
    "Sound not found",
    "The range begins behind the end: there are … bytes.",
    "The scope of a token is only ever narrowed. Create another token for more.",
    "The search takes too long; use longer beginnings, or none.",
    "The secret of the meeting (Authorization: Bearer) is missing or wrong, or the meeting is over.",
    "The sound is longer than … s. Upload it as a meeting instead.",
    "The token that made this one is disabled; enable that one first.",
    "This admin key may not do that.",
    "You have … share links. Delete one with DELETE /user/shares/{id}.",
    "This link was used already, has ended, or is of another machine. `vomeet open` makes another.",
    "This route speaks WebSocket; send an upgrade request (RFC 6455).",
    "This token may not do that.",
    "Token is disabled; enable it first.",
    "Token not found",
    "Token was already exchanged for token ….",
    "User has a bot in a meeting; stop it first.",
    "User not found",
    "Webhook not found",
    "Where a backup is written, only root and the server's own user may say, by the admin socket. Leave the path out: then it is written into the configured folder.",
    "You have … tokens of your own. Delete one with DELETE /user/tokens/{id} first.",
    "You have … webhooks. Delete one with DELETE /user/webhooks/{id} first.",
    "the disk is full or busy",
    "… bots still run, and … may be in meetings.",
    "… of … bots are in meetings.",
}


def entries():
    """The sentences of the page: each line of a block of text."""
    blocks = [block for block in blocks_of(PAGE) if block.language == "text"]
    return [line for block in blocks for line in block.code.splitlines()]


def log_lines(path):
    """What a file logs as a warning or an error; `…` where that is made elsewhere."""
    code = code_of(path)
    text_at = dict(code_texts(code))
    return [text_at.get(call.end(), ANYTHING) for call in LOGGED.finditer(code)]


def is_sentence(text):
    """Whether a text is a sentence of its own, and no part of one."""
    return " " in text and text.endswith(".") and (text[0].isupper() or not text[0].isalpha())


def needed():
    """Every sentence that the page must have, with the file that says it."""
    for path in sorted(SOURCES.rglob("*.rs")):
        yield from ((path, line) for line in log_lines(path) if line != ANYTHING)
    for path in OF_THE_START:
        yield from ((path, said.text) for said in said_in(path) if is_sentence(said.text))
    for path in OF_HEALTH:
        texts = (said.text for said in said_in(path))
        yield from ((path, text) for text in texts if " " in text and re.match("[A-Z…]", text))
    for path in ERRORS:
        told = {said.text for said in said_in(path) if " " in said.text}
        yield from ((path, text) for text in told - FOR_CALLERS)


def pattern_of(text):
    """A pattern for what is printed of a text; each thing that is filled in is a group."""
    return re.compile("(.*?)".join(re.escape(part) for part in text.split(ANYTHING)))


def has(entry, text):
    """Whether a sentence of the page shows what the program says, which may be filled in there."""
    return pattern_of(text).fullmatch(entry) is not None


def is_said(sentence, patterns):
    """Whether a text of the program is this sentence, and so on for what is filled in there."""
    if sentence in {"", ANYTHING} or sentence in patterns:
        return True
    for pattern in patterns.values():
        match = pattern.fullmatch(sentence) if pattern else None
        if match and all(is_said(group, patterns) for group in match.groups()):
            return True
    return False


def missing(sentences):
    """The sentences of the program that none of these shows."""
    return [text for _, text in needed() if not any(has(entry, text) for entry in sentences)]


def no_longer_said(sentences):
    """Those of these that the program does not say."""
    texts = {said.text for path in SOURCES.rglob("*.rs") for said in said_in(path)}
    # By few letters anything could be put together.
    is_frame = {text: ANYTHING in text and len(re.findall("[a-z]", text)) > 10 for text in texts}
    patterns = {
        text: pattern_of(text) if is_frame[text] else None
        for text in texts
        if " " in text.strip() and re.search("[a-z]|…: …", text)
    }
    return [entry for entry in sentences if not is_said(entry, patterns)]


def test_the_page_has_every_sentence_that_asks_somebody_to_act():
    assert missing(entries()) == []


def test_the_program_says_every_sentence_of_the_page():
    assert no_longer_said(entries()) == []


def test_the_page_has_each_sentence_once():
    assert sorted(entries()) == sorted(set(entries()))


def test_a_sentence_for_callers_alone_is_still_told():
    told = {said.text for path in ERRORS for said in said_in(path)}
    assert FOR_CALLERS - told == set()
    assert [entry for entry in entries() if entry in FOR_CALLERS] == []


def test_every_log_line_is_a_text_that_can_be_compared():
    elsewhere = {}
    for path in sorted(SOURCES.rglob("*.rs")):
        if count := log_lines(path).count(ANYTHING):
            elsewhere[path.relative_to(REPOSITORY).as_posix()] = count
    assert elsewhere == LOGGED_ELSEWHERE


def test_the_page_names_every_finding():
    """The words of the codes, which stand in the table of `src/health/finding.rs`."""
    code = code_of(SOURCES / "health/finding.rs")
    words = re.findall(r'^    \w+ = "(\w+)", ', code, re.MULTILINE)
    assert len(words) > 15
    page = PAGE.read_text(encoding="utf-8")
    assert [word for word in words if f"`{word}`" not in page] == []


@pytest.mark.parametrize(
    "gone",
    [
        "webhook delivery … is given up",
        "Cannot read the tokens (…).",
        "The server is stopping.",
        "The server is busy. Try again in a second.",
    ],
)
def test_a_sentence_that_is_taken_out_is_missed(gone):
    assert gone in entries()
    rest = [entry for entry in entries() if entry != gone]
    assert set(missing(rest)) - set(missing(entries())) == {gone}


def test_a_sentence_of_nobody_is_noticed():
    invented = "the disk is full: … is given up so that tokens can be revoked"
    assert no_longer_said([*entries(), invented]) == [invented]


def test_texts_are_read_as_they_are_printed():
    code = """// "a comment"
        let c = '"'; say("one {} of \\"two\\", \\
            {three:?} and {{four}}"); r#"a "raw" text"#
    """
    assert [text for _, text in code_texts(code)] == [
        'one … of "two", … and {four}',
        'a "raw" text',
    ]
    assert shown("{count} files") == "… files"
