"""The types of the server's responses. Times are RFC 3339 text in UTC."""

from __future__ import annotations

from typing import Any, Literal, TypedDict, Union


class Message(TypedDict):
    """A confirmation as text."""

    message: str


class Sent(TypedDict):
    """What a bot was told; whether it does it is not known."""

    message: str
    meeting_id: int


class User(TypedDict):
    """A user account."""

    id: int
    email: str
    name: str | None
    image_url: str | None
    max_concurrent_bots: int
    data: dict[str, Any]
    created_at: str
    disabled_at: str | None


class ScopedMeeting(TypedDict):
    """The one meeting that a token is limited to."""

    platform: str
    native_meeting_id: str


class _Scope(TypedDict):
    read_only: bool
    platforms: list[str]
    meeting: ScopedMeeting | None


class Scope(_Scope, total=False):
    """What a token may do; an empty list of platforms is all of them.

    ``made_by`` is there where a holder made the token: the id of theirs. ``transcribe`` says whether
    it may have words made of sound; where it is absent, that is where it is limited to nothing.
    ``transcribe_only`` is there where it may do that alone.
    """

    made_by: int
    transcribe: bool
    transcribe_only: bool


class TokenTerms(TypedDict):
    """What a token is for, how long it is accepted, and what it may do."""

    name: str | None
    expires_at: str | None
    disuse_seconds: int | None
    scope: Scope


class Token(TokenTerms):
    """An API token without its secret; ``hint`` is the start of it."""

    id: int
    user_id: int
    hint: str
    created_at: str
    last_used_at: str | None
    last_address: str | None
    disabled_at: str | None
    replaced_by: int | None


class NewToken(TokenTerms):
    """A token just created: the only response that holds the secret, in ``token``."""

    id: int
    token: str
    user_id: int
    created_at: str


class Replaced(TypedDict):
    """The token that was rotated, and until when it works."""

    id: int
    expires_at: str


class RotatedToken(NewToken):
    """The result of a rotation."""

    replaces: Replaced


class AdminKey(TypedDict):
    """A named admin key without its secret."""

    id: int
    name: str
    hint: str
    created_at: str
    expires_at: str | None
    rotated_at: str | None
    old_until: str | None


class NewAdminKey(AdminKey):
    """An admin key just created: the only response that holds the secret, in ``key``."""

    key: str


class AuditEntry(TypedDict):
    """An administrative change."""

    id: int
    at: str
    actor: str
    address: str | None
    action: str
    subject: str
    subject_id: int | None
    user_id: int | None
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    hash: str


class AuditFault(TypedDict):
    """What is wrong with an entry of the audit log."""

    id: int
    fault: str


class Verification(TypedDict):
    """Whether the audit log is intact; ``head`` is the hash of its newest entry."""

    intact: bool
    entries: int
    first_id: int | None
    last_id: int | None
    head: str
    faults: list[AuditFault]


class Finding(TypedDict):
    """Something that the health check has found, and what to do about it."""

    code: str
    severity: Literal["dead", "not_ready", "warning", "note"]
    message: str
    advice: str


class Health(TypedDict):
    """The health of the server, with every finding."""

    works: bool
    ready: bool
    version: str
    started_at: str
    database: str
    database_bytes: int
    wal_bytes: int
    disk_free_bytes: int | None
    file_checked: bool
    findings: list[Finding]


class Backup(TypedDict):
    """A backup that was just made and verified; ``tables`` has the number of rows of each."""

    file: str
    at: str
    seconds: float
    bytes: int
    file_version: int
    tables: dict[str, int]
    audit_entries: int
    audit_head: str
    encrypted: bool
    sha256: str | None


class ListedBackup(TypedDict):
    """A backup in the folder; ``verified`` is false if it is not whole any more."""

    file: str
    at: str
    bytes: int
    verified: bool
    encrypted: bool


class BackupFailure(TypedDict):
    """When a backup failed, and why."""

    at: str
    why: str


class BackupUpload(TypedDict):
    """Where backups are uploaded to, and how that goes."""

    to: str
    last_good_at: str | None
    last_failure: BackupFailure | None
    failures: int


class BackupList(TypedDict):
    """The backups in the folder, newest first; ``next_at`` is None where there is no schedule.

    ``encrypt_to`` is a public key, and None where backups are not encrypted.
    """

    folder: str | None
    backups: list[ListedBackup]
    last_failure: BackupFailure | None
    next_at: str | None
    encrypt_to: str | None
    upload: BackupUpload | None


class UserDetails(User):
    """A user account with its tokens."""

    api_tokens: list[Token]


class CallerToken(TokenTerms):
    """The token that a request was made with."""

    id: int
    hint: str
    created_at: str


class Caller(TypedDict):
    """Who is calling, and with which token."""

    id: int
    email: str
    name: str | None
    image_url: str | None
    max_concurrent_bots: int
    seats_in_use: int
    token: CallerToken


class _Progress(TypedDict):
    state: str
    percent: int


class TranscriptionProgress(_Progress, total=False):
    """How far the words of an uploaded recording are.

    ``state`` is ``waiting``, ``hearing``, ``done`` or ``failed``; ``error`` says what went wrong last.
    """

    error: str


class _HeardWord(TypedDict):
    word: str
    start: float
    end: float


class HeardWord(_HeardWord, total=False):
    """A word with its times, in seconds."""

    probability: float


class _HeardSegment(TypedDict):
    id: int
    seek: int
    start: float
    end: float
    text: str
    tokens: list[int]
    temperature: float
    avg_logprob: float
    compression_ratio: float
    no_speech_prob: float


class HeardSegment(_HeardSegment, total=False):
    """A stretch of speech; ``words`` is there where they were asked for."""

    words: list[HeardWord]


class _Transcription(TypedDict):
    task: str
    language: str
    language_probability: float | None
    duration: float
    text: str
    segments: list[HeardSegment]


class Transcription(_Transcription, total=False):
    """The words of a sound, with times in seconds; ``words`` is there where they were asked for."""

    words: list[HeardWord]


class _Meeting(TypedDict, total=False):
    transcription: TranscriptionProgress


class Meeting(_Meeting):
    """A meeting; ``native_meeting_id`` is None once its personal data has been scrubbed.

    ``transcription`` is there where ``get_meeting`` was asked for one that was uploaded.
    """

    id: int
    user_id: int
    platform: str
    native_meeting_id: str | None
    constructed_meeting_url: str | None
    status: str
    bot_container_id: str | None
    start_time: str | None
    end_time: str | None
    data: dict[str, Any]
    created_at: str
    updated_at: str


class Corrected(TypedDict, total=False):
    """What a segment has besides where somebody has corrected its words."""

    corrected: bool
    original_text: str
    corrected_at: str


class Segment(Corrected):
    """One stretch of speech; ``start`` and ``end`` are seconds from the start of the meeting.

    ``completed`` is False for a draft, which may still change or go. ``speaker_source`` says where
    the name comes from: ``stream``, ``platform``, ``events``, ``corrected`` (somebody gave it) or
    ``unknown``.
    """

    segment_id: str
    start: float
    end: float
    text: str
    language: str | None
    speaker: str | None
    speaker_source: str
    completed: bool
    created_at: str | None
    absolute_start_time: str
    absolute_end_time: str


# A speaker who shows another name; ``segments`` is how many segments changed.
RenamedSpeaker = TypedDict(
    "RenamedSpeaker", {"from": "str | None", "to": "str | None", "segments": int}
)


class Alarm(TypedDict):
    """What a meeting missed: ``no_sound``, ``no_words`` or ``no_names``.

    ``cleared_at`` is None while it is missing, and for ever where the meeting ended so.
    """

    kind: str
    raised_at: str
    cleared_at: str | None
    what_to_do: str


class MeetingSound(TypedDict):
    """A sound of a meeting that is kept.

    ``started_at`` is the moment of its file's first second; ``speaker`` is None where the source does
    not keep speakers apart.
    """

    id: int
    source: str
    speaker: str | None
    started_at: str
    seconds: int


class MeetingById(Meeting):
    """A meeting, with what it missed while its bot was in it, and its sounds while they are kept."""

    alarms: list[Alarm]
    sounds: list[MeetingSound]


class Explanation(TypedDict):
    """What happened to a meeting on the way to its words.

    ``fault`` is what is wrong as a word, ``sentence`` says it for people, and ``what_to_do`` what
    helps. The counts are by outcome, reason, source and state.
    """

    meeting_id: int
    status: str
    fault: str
    sentence: str
    what_to_do: str
    events: list[dict[str, Any]]
    sounds: list[dict[str, Any]]
    windows: dict[str, int]
    engine_errors: list[dict[str, Any]]
    withheld: dict[str, int]
    words: dict[str, Any]
    names: dict[str, int]
    alarms: list[Alarm]
    webhooks: dict[str, int]
    webhook_error: str | None


class Withheld(TypedDict):
    """Words that an engine heard and that are not believed.

    ``reason`` is ``repeats``, ``unsure``, ``known_of_silence`` or ``no_voice``.
    """

    start: float
    end: float
    absolute_start_time: str
    text: str
    reason: str
    speaker: str | None


class _Transcript(Meeting):
    cursor: str
    is_whole: bool
    removed: list[str]
    segments: list[Segment]


class Transcript(_Transcript, total=False):
    """A meeting with what was said in it, or with what has changed since a cursor.

    ``cursor`` is ``after`` of the next call. Where ``is_whole`` is true, ``segments`` are all that
    there are; else they are those that are new or changed, and ``removed`` names those that are gone.
    ``withheld`` is there where it was asked for.
    """

    withheld: list[Withheld]


class SearchResult(Segment):
    """A segment that was found; ``highlight`` is its text as HTML with ``<mark>`` around the words."""

    id: int
    meeting: LiveMeeting
    highlight: str


class SearchResults(TypedDict):
    """A page of what was found, the last stored first; ``next`` is ``before`` of the next page."""

    results: list[SearchResult]
    next: int | None


class RunningBot(TypedDict):
    """A bot at work; ``normalized_status`` is Requested, Starting, Up, Stopping, Exited or Failed."""

    container_id: str | None
    container_name: str | None
    platform: str | None
    native_meeting_id: str | None
    status: str | None
    normalized_status: str
    created_at: str | None
    labels: dict[str, str]
    meeting_id_from_name: str | None


class UserEngine(TypedDict):
    """An engine of the user's own; its key is never shown."""

    url: str
    model: str
    has_key: bool


class UserTranscription(TypedDict):
    """What the user has set for the words of their sound; ``engine`` None is the server's."""

    engine: UserEngine | None
    vocabulary: list[str]


class Webhook(TypedDict):
    """Where changes of the user's meetings are posted; None for nowhere."""

    webhook_url: str | None
    has_secret: bool


class WebhookEntry(TypedDict):
    """One of the user's webhooks; ``id`` 0 is the one that ``set_webhook_url`` sets.

    ``events`` are ``meeting.status_change``, ``transcript.ready`` and ``meeting.silent``. Until ``old_secret_until``
    the secret before the rotation signs as well.
    """

    id: int
    url: str
    events: list[str]
    has_secret: bool
    old_secret_until: str | None
    created_at: str | None


class WebhookWithSecret(WebhookEntry):
    """A webhook with a new secret, shown this once; None where the caller has chosen it."""

    secret: str | None


class Delivery(TypedDict):
    """An event on its way; ``state`` is waiting, delivered or given_up.

    ``delivery`` is what the receiver finds in the headers ``webhook-id`` and ``X-Vomeet-Delivery``.
    """

    id: int
    delivery: str
    event_type: str
    webhook_id: int
    meeting_id: int
    created_at: str
    state: str
    attempts: int
    next_at: str | None
    delivered_at: str | None
    last_status: int | None
    last_error: str | None


class Ticket(TypedDict):
    """What opens ``path`` once in place of the token: ``?ticket=`` in the address."""

    ticket: str
    path: str
    expires_at: str


class WebhookTest(TypedDict):
    """How a test of a webhook went; ``status`` is that of the response, None where none came."""

    delivered: bool
    status: int | None
    error: str | None
    milliseconds: int


class MeetingName(TypedDict):
    """A meeting as the live feed names it in a subscription."""

    platform: str
    native_id: str


class LiveMeeting(MeetingName):
    """A meeting as the live feed names it in an event."""

    id: int


class LiveSegment(Corrected):
    """A segment as it comes live: new, or in place of the one with its ``segment_id``.

    ``start`` and ``end_time`` are seconds from the start of the meeting.
    """

    segment_id: str
    text: str
    speaker: str | None
    speaker_source: str
    completed: bool
    language: str | None
    session_uid: str
    start: float
    end_time: float
    absolute_start_time: str
    absolute_end_time: str
    updated_at: str


class _LiveSegments(TypedDict):
    segments: list[LiveSegment]


class LiveSegments(_LiveSegments, total=False):
    """What a transcript event carries; ``removed`` names segments that are gone, where any are."""

    removed: list[str]


class LiveStatus(TypedDict):
    """What a status event carries."""

    status: str


class SubscribedEvent(TypedDict):
    """From now on every change of these meetings comes as an event."""

    type: Literal["subscribed"]
    meetings: list[MeetingName]


class TranscriptEvent(TypedDict):
    """Segments that are new or changed."""

    type: Literal["transcript.mutable"]
    meeting: LiveMeeting
    payload: LiveSegments
    ts: str


class StatusEvent(TypedDict):
    """A meeting has a new status."""

    type: Literal["meeting.status"]
    meeting: LiveMeeting
    payload: LiveStatus
    ts: str


class LiveLag(TypedDict):
    """How late the words of a meeting are: 0 seconds where none is late any more."""

    seconds: float
    windows: int


class LagEvent(TypedDict):
    """Words of a meeting come late."""

    type: Literal["transcription.lag"]
    meeting: LiveMeeting
    payload: LiveLag
    ts: str


LiveEvent = Union[SubscribedEvent, TranscriptEvent, StatusEvent, LagEvent]


class UsageLine(TypedDict):
    """What was used on a day, by a user, by a token; None for what is summed."""

    day: str | None
    user_id: int | None
    token_id: int | None
    requests: int
    bots: int
    bot_minutes: float
    transcript_minutes: float
    sound_minutes: float


class UsageList(TypedDict):
    """What was used; ``next`` is ``after`` of the next page, None where there is none."""

    usage: list[UsageLine]
    next: str | None


class UserSummary(TypedDict):
    """A user account without its data."""

    id: int
    email: str
    name: str | None
    image_url: str | None
    max_concurrent_bots: int
    created_at: str


class MeetingSummary(TypedDict):
    """A meeting without its data."""

    id: int
    user_id: int
    platform: str
    native_meeting_id: str | None
    constructed_meeting_url: str | None
    status: str
    bot_container_id: str | None
    start_time: str | None
    end_time: str | None
    created_at: str
    updated_at: str


class FoundUser(UserSummary):
    """A user account with what it uses now; no more than 1000 tokens are counted."""

    disabled_at: str | None
    seats_in_use: int
    tokens: int
    last_used_at: str | None


class FoundToken(Token):
    """A token with whose it is and when it ends, by its end or by disuse."""

    email: str
    ends_at: str | None


class FoundMeeting(MeetingSummary):
    """A meeting with whose it is."""

    email: str


class BotLog(TypedDict):
    """The end of what a bot has printed; ``log`` is None where no log is kept."""

    meeting_id: int
    log: str | None
    log_bytes: int
    is_whole: bool


class BotCounts(TypedDict):
    """Bots that run, and open meetings by status."""

    running: int
    requested: int
    joining: int
    awaiting_admission: int
    active: int
    stopping: int


class RefusedKeys(TypedDict):
    """How many keys were refused since the start of the server, by reason."""

    since: str
    total: int
    by_code: dict[str, int]


class Refusal(TypedDict):
    """Refused keys of one kind from one address on one route; ``hint`` is the start of the last."""

    at: str
    first_at: str
    count: int
    address: str | None
    key: str
    code: str
    method: str
    path: str
    hint: str | None


class Refusals(RefusedKeys):
    """The refused keys since the start of the server, newest first."""

    refusals: list[Refusal]


class WaitingEvents(TypedDict):
    """Webhook events that wait; no more than 1000 are counted."""

    waiting: int
    oldest_at: str | None


class DiskSpace(TypedDict):
    """The disk of the database, in bytes."""

    free_bytes: int
    total_bytes: int


class DatabaseSize(TypedDict):
    """The files of the database, in bytes."""

    bytes: int
    wal_bytes: int


class MeetingsToday(TypedDict):
    """The meetings that bots were asked for today, in UTC."""

    total: int
    completed: int
    failed: int
    open: int


class EndingSoon(TypedDict):
    """How many keys end within so many days."""

    days: int
    tokens: int
    admin_keys: int


class Counted(TypedDict):
    """What the server counts every few seconds; ``days`` has the usage of the last 30 days."""

    at: str
    users: int
    users_disabled: int
    tokens: int
    meetings_today: MeetingsToday
    ending_soon: EndingSoon
    days: list[UsageLine]


class ServerWarning(TypedDict):
    """What an administrator should look after; ``code`` is one such as ``disk_low``."""

    code: str
    text: str


class Overview(TypedDict):
    """The server at one glance."""

    at: str
    version: str
    started_at: str
    bots: BotCounts
    refused_keys: RefusedKeys
    webhooks: WaitingEvents
    disk: DiskSpace | None
    database: DatabaseSize
    erasures_waiting: int
    counted: Counted
    warnings: list[ServerWarning]


class EngineFailure(TypedDict):
    """When and why an engine failed last."""

    at: str
    why: str


class EngineState(TypedDict):
    """An engine, and how it does: ``untried``, ``well`` or ``resting``.

    ``kind`` is ``inside`` or ``server``; counts are since the start of the server, and
    ``sound_per_second`` is None before it was measured.
    """

    name: str
    kind: str
    model: str
    health: str
    requests_now: int
    requests_max: int
    seconds_max: int | None
    sound_per_second: float | None
    answered_at: str | None
    last_failure: EngineFailure | None
    requests: int
    refused: int
    failures: dict[str, int]
    sound_seconds: float


class LiveSound(TypedDict):
    """Live sound that comes now, and with how many meetings the engines keep up.

    ``meetings_max`` is None while that is not known, or where all engines rest.
    """

    meetings: int
    meetings_max: int | None
    sounds: int


class WaitingWindows(TypedDict):
    """Windows of sound that wait for their words."""

    live: int
    recordings: int
    oldest_live_at: str | None


class TranscriptionOverview(TypedDict):
    """The engines, and how far words are behind their sound; counts are since ``since``."""

    at: str
    since: str
    engines: list[EngineState]
    user_engines: bool
    live: LiveSound
    waiting: WaitingWindows
    windows: dict[str, int]
    withheld: dict[str, int]


class Setting(TypedDict):
    """A setting in force; ``value`` and ``default`` are None where it is a secret."""

    name: str
    variable: str
    value: Any
    default: Any
    source: str
    is_secret: bool
    help: str


class Settings(TypedDict):
    """The settings in force, and the file that they came from."""

    file: str | None
    settings: list[Setting]
    transcription_engines: list[dict[str, Any]]


class MeetingWithUser(Meeting):
    """A meeting and its owner."""

    user: User


class MeetingsWithUsers(TypedDict):
    """A page of everybody's meetings; ``total`` counts all of them."""

    total: int
    items: list[MeetingWithUser]


class Session(TypedDict):
    """A bot's session in a meeting; its segments count from its start."""

    id: int
    meeting_id: int
    session_uid: str
    session_start_time: str


class TranscriptionStats(TypedDict):
    """Statistics of a meeting's transcript; the duration is in seconds."""

    total_transcriptions: int
    total_duration: float
    unique_speakers: int
    languages_detected: list[str]


class PerformanceMetrics(TypedDict):
    """How long the parts of a meeting took, in seconds; None where that cannot be known."""

    join_time: float | None
    admission_time: float | None
    total_duration: float | None
    bot_uptime: float | None


class Telematics(TypedDict):
    """How one meeting went."""

    meeting: Meeting
    sessions: list[Session]
    transcription_stats: TranscriptionStats | None
    performance_metrics: PerformanceMetrics | None


class MeetingStats(TypedDict):
    """Statistics of a user's meetings; durations are in seconds, active ones are those not over."""

    total_meetings: int
    completed_meetings: int
    failed_meetings: int
    active_meetings: int
    total_duration: float
    average_duration: float | None


class UsagePatterns(TypedDict):
    """When and where a user holds meetings; the up to three hours are of the day in UTC."""

    most_used_platform: str | None
    meetings_per_day: float
    peak_usage_hours: list[int]
    last_activity: str | None


class UserAnalytics(TypedDict):
    """What one user does with meetings."""

    user: User
    meeting_stats: MeetingStats
    usage_patterns: UsagePatterns
    api_tokens: list[Token] | None


class NewShare(TypedDict):
    """A share link that was just made; ``url`` is shown this once."""

    id: int
    url: str
    expires_at: str


class Share(TypedDict):
    """A share link without the link itself; it ends with the token ``made_by`` at the latest."""

    id: int
    user_id: int
    meeting_id: int
    made_by: int
    created_at: str
    expires_at: str
