//! The table: every route, once. Dispatch, guards, 405s, limits, the OpenAPI document and tests are
//! read from it.

use crate::api::openapi::openapi;
use crate::api::route::Route;
use crate::api::rows::{
    admin, bot, bot_socket, mcp, open, session, socket, sound, sound_socket, ticketed, user,
};
use crate::api::{
    admin_keys, analytics, audio, audio_transcriptions, audit, backups, bot_acts, bot_audio, bots,
    by_id, callbacks, caller, chunks, clients, compact, corrections, docs, engines, explain,
    export, found, general, health, jitsi, live, mcp as mcp_server, meeting_import, meetings,
    metrics, open_links, overview, recordings, retry, search, segments, shares, tickets, tokens,
    transcripts, upload, usage, user_transcription, users, webhook, webhooks, whisper_live,
};
use crate::app::TableInfo;
use crate::console;
use crate::domain::Permission::{
    Nothing as NONE, Read as READ, ReadAll as READ_ALL, Transcribe as TRANSCRIBE, Write as WRITE,
    WriteAll as WRITE_ALL,
};
use crate::error::Error::{
    AdminKeyNotFound, AdminKeyTaken, BackupConflict, BackupFailed, BackupNoRoom, BackupPathRefused,
    BotInMeeting, BotLimitReached, BotNotListening, BotNotStarted, BotsStillLeaving, CompactNoRoom,
    DeliveryNotFound, EmailFixed, FileIsChecked, ForeignOrigin, MakerDisabled, MeetingTaken,
    MeetingsOpen, MetricsRefused, NoBotToStop, NoEngine, NoRoomForSound, NoRoute, NoRunner,
    NoSuchMeeting, NoSuchSound, NoWebSocket, NoWebhook, NotHeard, NothingToUpdate,
    OpenLinkNotFound, PageNotFound, RangeOutside, SegmentIsDraft, SegmentNotFound, ShareNotFound,
    SoundNotKept, SoundRefused, SoundTooLong, SpeakerNotFound, TokenDisabled, TokenNotFound,
    TooBroad, TooManyBots, TooManyPlanned, UserEnginesOff, UserNotFound, WebhookNotFound,
    WiderScope,
};
use crate::error::Result;
use crate::metrics::RouteLabel;
use hyper::Method;
use std::sync::{LazyLock, OnceLock};

const GET: Method = Method::GET;
const POST: Method = Method::POST;
const PUT: Method = Method::PUT;
const PATCH: Method = Method::PATCH;
const DELETE: Method = Method::DELETE;

/// Every route. Where two rows match one path, the upper one is taken.
pub static TABLE: LazyLock<Vec<Route>> = LazyLock::new(|| {
    let mut table = Vec::new();
    for (number, row) in rows().into_iter().enumerate() {
        table.push(row.numbered(number));
    }
    table
});

/// What the parts need of the table.
pub const TABLE_INFO: TableInfo = TableInfo { labels, document };

/// The labels of the rows in the metrics.
fn labels() -> Vec<RouteLabel> {
    let mut labels = Vec::new();
    for route in TABLE.iter() {
        labels.push(route.label());
    }
    labels
}

/// The OpenAPI document of the table; made once.
pub fn document() -> Result<&'static str> {
    static DOCUMENT: OnceLock<String> = OnceLock::new();
    if let Some(document) = DOCUMENT.get() {
        return Ok(document);
    }
    let document = openapi(&TABLE)?;
    Ok(DOCUMENT.get_or_init(|| document))
}

#[rustfmt::skip]
#[expect(clippy::too_many_lines, reason = "a line for each route")]
fn rows() -> Vec<Route> { vec![
    open(              GET,    "/",                                           general::get_server_info,             "Server information"),
    open(              GET,    "/healthz",                                    health::get_health,                   "Health check: whether the server works").probe(),
    open(              GET,    "/ready",                                      health::get_readiness,                "Readiness: whether the server should get requests").probe(),
    open(              GET,    "/metrics",                                    metrics::get_metrics,                 "Prometheus metrics").errors([MetricsRefused, NoRoute]).paged().probe().responds_with(&["text/plain", "application/openmetrics-text"]),
    open(              GET,    "/docs",                                       docs::get_docs,                       "API documentation").responds_with(&["text/html"]),
    open(              GET,    "/docs/{file}",                                docs::get_docs_file,                  "File of the API documentation").errors([PageNotFound]).responds_with(&["text/javascript", "text/css"]),
    open(              GET,    "/console",                                    console::get_console_folder,          "Redirect to the console").errors([PageNotFound]),
    open(              GET,    "/console/",                                   console::get_console,                 "Console").errors([PageNotFound]).responds_with(&["text/html"]),
    open(              POST,   "/console/sessions",                           open_links::create_console_session,   "Redeem a link of `vomeet open` for a session of the console").errors([OpenLinkNotFound]).example(r#"{"link": "AbCdEf1234567890AbCdEf1234567890AbCdEf12"}"#),
    open(              GET,    "/console/{file}",                             console::get_console_file,            "File of the console").errors([PageNotFound]).responds_with(&["text/javascript", "text/css", "image/svg+xml"]),
    open(              GET,    "/clients",                                    clients::get_clients_folder,          "Redirect to the clients"),
    open(              GET,    "/clients/",                                   clients::get_clients,                 "Page of the clients, which pip reads too").responds_with(&["text/html"]),
    open(              GET,    "/clients/{file}",                             clients::get_client_file,             "File of a client: a wheel for pip, a tarball for npm").errors([PageNotFound]).responds_with(&["application/octet-stream"]),
    open(              GET,    "/openapi.json",                               docs::get_openapi,                    "OpenAPI document").responds_with(&["application/json"]),

    user(   NONE,      GET,    "/user",                                       caller::get_caller,                   "Get the caller and the token in use"),
    user(   NONE,      GET,    "/auth/me",                                    caller::get_me,                       "Get the caller and the token in use; the same as GET /user"),
    user(   READ_ALL,  GET,    "/user/usage",                                 usage::get_own_usage,                 "Get the caller's usage by day and token").paged(),
    user(   READ_ALL,  GET,    "/user/tokens",                                caller::list_own_tokens,              "List the caller's tokens").large(),
    user(   NONE,      POST,   "/user/tokens/rotate",                         caller::rotate_own_token,             "Rotate the token in use").errors([tokens::already_rotated(), TokenNotFound]).cost(10).example(r#"{"grace_seconds": 600}"#),
    user(   WRITE_ALL, POST,   "/user/tokens",                                caller::create_own_token,             "Create a token of the caller's own, never wider than the token in use").errors([tokens::too_many(), TokenNotFound, TokenDisabled]).cost(10).example(r#"{"name": "dashboard", "read_only": true}"#),
    user(   WRITE_ALL, DELETE, "/user/tokens/{id}",                           caller::revoke_own_token,             "Revoke a token of the caller's own").errors([TokenNotFound]),
    user(   READ,      GET,    "/meetings",                                   meetings::list_meetings,              "List the caller's meetings, newest first").paged(),
    user(   TRANSCRIBE, POST,  "/meetings/upload",                            upload::upload_meeting,               "Upload a recording: it becomes a finished meeting, and words are made of it").errors([NoEngine, SoundRefused("...".to_owned()), upload::too_much(), upload::no_room(), UserNotFound]).cost(10),
    user(   WRITE,     POST,   "/meetings/import",                            meeting_import::import_meeting,       "Import a transcript as JSON, SubRip or WebVTT: it becomes a finished meeting").errors([UserNotFound]).max_body(meeting_import::BODY_BYTES_MAX).cost(10).example(r#"{"platform": "google_meet", "native_meeting_id": "abc-defg-hij", "start_time": "2025-10-10T12:00:00.000Z", "segments": [{"start": 0.5, "end": 2.5, "text": "Good morning.", "speaker": "Ada"}]}"#),
    user(   READ,      GET,    "/meetings/{id}",                              by_id::get_meeting,                   "Get a meeting by its id").errors([NoSuchMeeting]).paged(),
    user(   READ,      GET,    "/meetings/{id}/explain",                      explain::explain_meeting,             "Explain a meeting: what happened, whose fault it is, what to do").errors([NoSuchMeeting]).large().cost(5),
    ticketed(READ,     GET,    "/meetings/{id}/audio",                        audio::get_meeting_audio,             "Get a sound of a meeting while it is kept, or a part of it").errors([NoSuchMeeting, NoSuchSound, SoundNotKept, RangeOutside { length: 0 }]).paged().cost(5).responds_with(&["audio/ogg", "audio/wav", "audio/webm", "audio/mpeg", "audio/mp4", "audio/flac", "application/octet-stream"]),
    user(   WRITE,     DELETE, "/meetings/{id}/audio",                        audio::delete_meeting_audio,          "Delete the sound of a meeting, and nothing else of it").errors([NoSuchMeeting, audio::not_over()]).cost(10),
    user(   WRITE,     PATCH,  "/meetings/{id}",                              by_id::update_meeting_by_id,          "Update name, participants, languages or notes of a meeting by its id").errors([NothingToUpdate, NoSuchMeeting]).paged().example(r#"{"data": {"name": "Weekly"}}"#),
    user(   WRITE,     DELETE, "/meetings/{id}",                              by_id::delete_transcript_by_id,       "Delete the transcript and the personal data of a finished meeting by its id").errors([NoSuchMeeting, meetings::not_over()]).cost(10),
    user(   WRITE,     PATCH,  "/meetings/{platform}/{native_meeting_id}",    meetings::update_meeting,             "Update name, participants, languages or notes of a meeting").errors([NothingToUpdate, meetings::missing()]).paged().example(r#"{"data": {"name": "Weekly", "notes": "Bring the figures."}}"#),
    user(   WRITE,     DELETE, "/meetings/{platform}/{native_meeting_id}",    meetings::delete_transcript,          "Delete the transcript and the personal data of a finished meeting").errors([meetings::missing(), meetings::not_over()]).cost(10),
    user(   READ,      GET,    "/transcripts/search",                         search::search_transcripts,           "Search the caller's transcripts, newest segments first").errors([TooBroad]).large().cost(5),
    bot(               POST,   "/transcripts/webhook",                        chunks::store_chunk,                  "Recogniser callback: store a chunk of a transcript").max_body(segments::BODY_BYTES_MAX).example(r#"{"session_id": "c0ffee00-1234-4abc-8def-1234567890ab", "timestamp": 1760097610000, "duration": 10.0, "text": "Good morning.", "segments": [{"start": 0.5, "end": 2.5, "text": "Good morning."}], "language": "en"}"#),
    user(   READ,      GET,    "/transcripts/by-id/{id}",                     by_id::get_transcript_by_id,          "Get a meeting with its transcript by its id").errors([NoSuchMeeting]).paged(),
    user(   READ,      GET,    "/transcripts/{platform}/{native_meeting_id}", transcripts::get_transcript,          "Get a meeting with its transcript").errors([meetings::missing()]).paged(),
    user(   WRITE,     PATCH,  "/transcripts/by-id/{id}/segments/{segment_id}", corrections::correct_segment_by_id, "Correct the words of a segment by the meeting's id").errors([NothingToUpdate, NoSuchMeeting, SegmentNotFound, SegmentIsDraft]).cost(2).example(r#"{"text": "Good morning."}"#),
    user(   WRITE,     DELETE, "/transcripts/by-id/{id}/segments/{segment_id}/correction", corrections::withdraw_correction_by_id, "Take the correction of a segment back by the meeting's id").errors([NoSuchMeeting, SegmentNotFound, SegmentIsDraft]).cost(2),
    user(   WRITE,     PATCH,  "/transcripts/by-id/{id}/speakers",            corrections::rename_speaker_by_id,    "Rename a speaker everywhere in a meeting by its id").errors([NothingToUpdate, NoSuchMeeting, SpeakerNotFound]).cost(10).example(r#"{"from": "Speaker 1", "to": "Ada"}"#),
    user(   WRITE,     PATCH,  "/transcripts/{platform}/{native_meeting_id}/segments/{segment_id}", corrections::correct_segment, "Correct the words of a segment").errors([NothingToUpdate, meetings::missing(), SegmentNotFound, SegmentIsDraft]).cost(2).example(r#"{"text": "Good morning."}"#),
    user(   WRITE,     DELETE, "/transcripts/{platform}/{native_meeting_id}/segments/{segment_id}/correction", corrections::withdraw_correction, "Take the correction of a segment back").errors([meetings::missing(), SegmentNotFound, SegmentIsDraft]).cost(2),
    user(   WRITE,     PATCH,  "/transcripts/{platform}/{native_meeting_id}/speakers", corrections::rename_speaker,  "Rename a speaker everywhere in a meeting").errors([NothingToUpdate, meetings::missing(), SpeakerNotFound]).cost(10).example(r#"{"from": "Speaker 1", "to": "Ada"}"#),

    user(   WRITE,     POST,   "/transcripts/{platform}/{native_meeting_id}/share", shares::create_share,            "Make a link by which anyone reads the words of a meeting").errors([meetings::missing(), shares::too_many(), TokenNotFound, TokenDisabled]).cost(5).example(r#"{"expires_in": 604800}"#),
    user(   READ,      GET,    "/user/shares",                                shares::list_shares,                  "List the caller's share links").paged(),
    user(   WRITE,     DELETE, "/user/shares/{id}",                           shares::revoke_share,                 "Revoke a share link of the caller's").errors([ShareNotFound, TokenNotFound]),
    open(              GET,    "/public/transcripts/{file}",                  shares::get_shared_transcript,        "Read the words of a meeting by a share link, as .txt, .md or .json").errors([ShareNotFound]).paged(),

    admin(             POST,   "/admin/open-links",                           open_links::create_open_link,         "Make a link that opens the console; by the admin socket alone").errors([PageNotFound]),
    admin(             GET,    "/admin/overview",                             overview::get_overview,               "Get the server at one glance").large(),
    admin(             GET,    "/admin/settings",                             overview::list_settings,              "List the settings in force").large(),
    admin(             GET,    "/admin/refusals",                             overview::list_refusals,              "List refused keys since the start, newest first").large(),

    admin(             GET,    "/admin/transcription",                        engines::get_transcription,           "Get the engines, and how far words are behind their sound").large(),

    admin(             GET,    "/admin/users/search",                         found::search_users,                  "Search users, with their seats and their last use").large(),
    admin(             GET,    "/admin/tokens/search",                        found::search_tokens,                 "Search tokens of all users: ending, unused").large(),
    admin(             GET,    "/admin/meetings/search",                      found::search_meetings,               "Search meetings of all users, newest first").large(),

    admin(             POST,   "/admin/users",                                users::create_user,                   "Create a user, or get the one with that e-mail address").example(r#"{"email": "ada@example.com", "name": "Ada", "max_concurrent_bots": 2}"#),
    admin(             GET,    "/admin/users",                                users::list_users,                    "List users by id").large(),
    admin(             GET,    "/admin/users/email/{email}",                  users::get_user_by_email,             "Get a user by e-mail address").errors([UserNotFound]),
    admin(             GET,    "/admin/users/{id}",                           users::get_user,                      "Get a user with their tokens").errors([UserNotFound]).paged(),
    admin(             PATCH,  "/admin/users/{id}",                           users::update_user,                   "Update a user").errors([EmailFixed, UserNotFound]).example(r#"{"name": "Ada", "max_concurrent_bots": 5}"#),
    admin(             DELETE, "/admin/users/{id}",                           users::delete_user,                   "Delete a user with all their data").errors([UserNotFound, BotInMeeting]),

    admin(             GET,    "/admin/users/{id}/export",                    export::export_user,                  "Export all data of a user as a file").errors([UserNotFound]).paged(),

    admin(             POST,   "/admin/users/{id}/tokens",                    tokens::create_token,                 "Create an API token for a user").errors([UserNotFound]).example(r#"{"name": "laptop", "expires_in": 2592000}"#),
    admin(             GET,    "/admin/users/{id}/tokens",                    tokens::list_user_tokens,             "List the tokens of a user").errors([UserNotFound]).large(),
    admin(             GET,    "/admin/tokens",                               tokens::list_tokens,                  "List tokens by id").large(),
    admin(             POST,   "/admin/tokens/explain",                       tokens::explain_token,                "Explain whether a token is accepted, and why").example(r#"{"token": "AbCdEf1234567890AbCdEf1234567890AbCdEf12"}"#),
    admin(             GET,    "/admin/tokens/{id}",                          tokens::get_token,                    "Get a token").errors([TokenNotFound]),
    admin(             PATCH,  "/admin/tokens/{id}",                          tokens::update_token,                 "Update, narrow, disable or enable a token").errors([TokenNotFound, WiderScope, MakerDisabled]).example(r#"{"name": "phone", "expires_in": 2592000}"#),
    admin(             POST,   "/admin/tokens/{id}/rotate",                   tokens::rotate_token,                 "Rotate a token").errors([TokenNotFound, tokens::already_rotated(), TokenDisabled]).example(r#"{"grace_seconds": 600}"#),
    admin(             DELETE, "/admin/tokens/{id}",                          tokens::revoke_token,                 "Revoke a token").errors([TokenNotFound]),

    admin(             GET,    "/admin/keys",                                 admin_keys::list_admin_keys,          "List the named admin keys"),
    admin(             POST,   "/admin/keys",                                 admin_keys::create_admin_key,         "Create a named admin key").errors([AdminKeyTaken, admin_keys::limited()]).example(r#"{"name": "ada", "expires_in": 2592000}"#),
    admin(             POST,   "/admin/keys/{id}/rotate",                     admin_keys::rotate_admin_key,         "Rotate an admin key").errors([AdminKeyNotFound, admin_keys::limited()]).example(r#"{"grace_seconds": 600}"#),
    admin(             DELETE, "/admin/keys/{id}",                            admin_keys::revoke_admin_key,         "Revoke an admin key").errors([AdminKeyNotFound]),

    admin(             GET,    "/admin/audit",                                audit::list_audit_log,                "List the audit log, newest first").large(),
    admin(             GET,    "/admin/audit/verify",                         audit::verify_audit_log,              "Verify the audit log"),
    admin(             GET,    "/admin/audit/export",                         audit::export_audit_log,              "Export the audit log as JSON lines").paged(),

    admin(             GET,    "/admin/health",                               health::get_full_health,              "Get all findings of the health check").errors([FileIsChecked]),
    admin(             GET,    "/admin/backups",                              backups::list_backups,                "List the backups in the configured folder, newest first").errors([BackupFailed("...".to_owned())]).large(),
    admin(             POST,   "/admin/backups",                              backups::create_backup,               "Back up the database into the configured folder").errors([BackupConflict("...".to_owned()), BackupNoRoom("...".to_owned()), BackupFailed("...".to_owned()), BackupPathRefused]).example("{}"),

    admin(             POST,   "/admin/compact",                              compact::compact_database,            "Give free pages of the database back to the disk; by the admin socket alone").errors([PageNotFound, MeetingsOpen(1), CompactNoRoom("...".to_owned())]).example("{}"),

    admin(             POST,   "/admin/meetings/{id}/stop",                   bots::stop_meeting,                   "Stop the bot of any meeting").errors([NoSuchMeeting]),
    admin(             GET,    "/admin/meetings/{id}/explain",                explain::explain_any_meeting,         "Explain any meeting: what happened, whose fault it is, what to do").errors([NoSuchMeeting]).large(),
    admin(             GET,    "/admin/meetings/{id}/log",                    bots::get_bot_log,                    "Get the end of what the bot of a meeting has printed").errors([NoSuchMeeting]).large(),

    admin(             GET,    "/admin/users/{id}/webhook",                   webhook::get_user_webhook,            "Get the webhook of a user").errors([UserNotFound]),
    admin(             GET,    "/admin/users/{id}/webhook/deliveries",        webhook::list_user_deliveries,        "List the webhook deliveries of a user, newest first").errors([UserNotFound]).large(),
    admin(             GET,    "/admin/users/{id}/webhooks",                  webhooks::list_user_webhooks,         "List the webhooks of a user").errors([UserNotFound]).large(),
    admin(             DELETE, "/admin/users/{id}/webhooks/{webhook_id}",     webhooks::delete_user_webhook,        "Delete a webhook of a user").errors([UserNotFound, WebhookNotFound]),
    admin(             POST,   "/admin/deliveries/{id}/resend",               webhook::resend_delivery,             "Send a webhook event of any user once more").errors([DeliveryNotFound, NoWebhook, WebhookNotFound]),

    admin(             GET,    "/admin/users/{id}/shares",                    shares::list_user_shares,             "List the share links of a user").errors([UserNotFound]).paged(),
    admin(             DELETE, "/admin/shares/{id}",                          shares::revoke_any_share,             "Revoke a share link of any user").errors([ShareNotFound]),

    admin(             GET,    "/admin/stats/meetings-users",                 analytics::list_meetings_with_users,  "List all meetings with their users, newest first").large(),
    admin(             GET,    "/admin/analytics/users",                      analytics::list_user_summaries,       "List users by id, without their data").large(),
    admin(             GET,    "/admin/analytics/meetings",                   analytics::list_meeting_summaries,    "List all meetings without their data, newest first").large(),
    admin(             GET,    "/admin/analytics/meetings/{id}/telematics",   analytics::get_telematics,            "Get sessions, transcription statistics and timings of a meeting").errors([NoSuchMeeting]).large(),
    admin(             GET,    "/admin/analytics/users/{id}/details",         analytics::get_user_details,          "Get statistics of a user's meetings").errors([UserNotFound]).large(),

    admin(             GET,    "/admin/usage",                                usage::get_usage,                     "Get the usage of all users by day, user and token").paged(),

    session(           POST,   "/bots/internal/callback/status_change",       callbacks::report_status_change,      "Bot callback: the status of a meeting changed").max_body(callbacks::BODY_BYTES_MAX).example(r#"{"connection_id": "c0ffee00-1234-4abc-8def-1234567890ab", "status": "active"}"#),
    session(           POST,   "/bots/internal/callback/lifecycle",           callbacks::report_lifecycle,          "Bot callback: the same, of later bots").max_body(callbacks::BODY_BYTES_MAX).example(r#"{"connection_id": "c0ffee00-1234-4abc-8def-1234567890ab", "status": "active"}"#),
    session(           POST,   "/bots/internal/callback/joining",             callbacks::report_joining,            "Bot callback: the bot is joining").example(r#"{"connection_id": "c0ffee00-1234-4abc-8def-1234567890ab"}"#),
    session(           POST,   "/bots/internal/callback/awaiting_admission",  callbacks::report_awaiting_admission, "Bot callback: the bot awaits admission").example(r#"{"connection_id": "c0ffee00-1234-4abc-8def-1234567890ab"}"#),
    session(           POST,   "/bots/internal/callback/started",             callbacks::report_started,            "Bot callback: the bot was admitted").example(r#"{"connection_id": "c0ffee00-1234-4abc-8def-1234567890ab"}"#),
    session(           POST,   "/bots/internal/callback/exited",              callbacks::report_exited,             "Bot callback: the bot has exited").max_body(callbacks::BODY_BYTES_MAX).example(r#"{"connection_id": "c0ffee00-1234-4abc-8def-1234567890ab", "exit_code": 0}"#),
    bot(               POST,   "/bots/internal/segments",                     segments::store_segments,             "Bot callback: store transcript segments").max_body(segments::BODY_BYTES_MAX).example(r#"{"uid": "c0ffee00-1234-4abc-8def-1234567890ab", "segments": [{"start": 0.0, "end": 2.5, "text": "Good morning.", "language": "en", "speaker": "Ada"}]}"#),
    bot(               DELETE, "/bots/internal/segments",                     segments::retract_segments,           "Bot callback: delete segments that are taken back").max_body(segments::BODY_BYTES_MAX).example(r#"{"segment_ids": ["ada:3"]}"#),
    bot_socket(        GET,    "/bots/internal/audio",                        bot_audio::open_bot_audio,            "Send a bot's sound over WebSocket, a stream for each speaker").errors([NoWebSocket, ForeignOrigin]),
    bot(               POST,   "/bots/internal/recordings/upload",            recordings::upload_recording,         "Bot callback: a recording of its meeting, which is kept where sound is kept").errors([NoSuchMeeting, recordings::too_many(), upload::no_room()]),

    user(   WRITE,     POST,   "/bots",                                       bots::send_bot,                       "Send a bot to a meeting").errors([BotLimitReached { seats: 2, limit: 2 }, BotsStillLeaving { running: 4, limit: 2 }, TooManyBots { max: 32 }, TooManyPlanned { max: 1000 }, MeetingTaken, NoRunner, BotNotStarted("...".to_owned()), UserNotFound]).cost(5).example(r#"{"platform": "google_meet", "native_meeting_id": "abc-defg-hij", "bot_name": "Scribe", "language": "en"}"#),
    user(   READ,      GET,    "/bots",                                       meetings::list_bots,                  "List the caller's meetings, newest first; the same as GET /meetings").paged(),
    user(   READ,      GET,    "/bots/status",                                bots::list_running_bots,              "List the caller's running bots").paged(),
    user(   READ,      GET,    "/bots/id/{id}",                               by_id::get_bot,                       "Get a meeting by its id; the same as GET /meetings/{id}").errors([NoSuchMeeting]).paged(),
    user(   WRITE,     POST,   "/bots/{platform}/{native_meeting_id}/retry",  retry::retry_bot,                     "Send a bot again to a meeting that has failed").errors([meetings::missing(), retry::not_failed(), BotLimitReached { seats: 2, limit: 2 }, BotsStillLeaving { running: 4, limit: 2 }, TooManyBots { max: 32 }, MeetingTaken, NoRunner, BotNotStarted("...".to_owned()), UserNotFound]).cost(5),
    user(   WRITE,     PUT,    "/bots/{platform}/{native_meeting_id}/config", bots::configure_bot,                  "Change language or task of an active bot").errors([meetings::missing(), bots::not_active()]).example(r#"{"language": "en", "task": "transcribe"}"#),
    user(   WRITE,     POST,   "/bots/{platform}/{native_meeting_id}/speak",  bot_acts::speak,                      "Let a bot speak in its meeting").errors([meetings::missing(), bot_acts::not_there(), BotNotListening]).cost(5).example(r#"{"text": "Good morning, everyone."}"#),
    user(   WRITE,     POST,   "/bots/{platform}/{native_meeting_id}/chat",   bot_acts::chat,                       "Let a bot write into the chat of its meeting").errors([meetings::missing(), bot_acts::not_there(), BotNotListening]).cost(5).example(r#"{"text": "The notes are at https://example.com/notes."}"#),
    user(   WRITE,     DELETE, "/bots/{platform}/{native_meeting_id}",        bots::stop_bot,                       "Stop a bot").errors([NoBotToStop]),

    user(   READ_ALL,  GET,    "/user/transcription",                         user_transcription::get_user_transcription, "Get the caller's own engine and vocabulary"),
    user(   WRITE_ALL, PUT,    "/user/transcription",                         user_transcription::set_user_transcription, "Set the caller's own engine and vocabulary").errors([UserEnginesOff, UserNotFound]).example(r#"{"vocabulary": ["Ada Lovelace", "Kubernetes"]}"#),
    user(   WRITE_ALL, DELETE, "/user/transcription",                         user_transcription::delete_user_transcription, "Delete the caller's own engine and vocabulary"),
    user(   WRITE_ALL, PUT,    "/user/webhook",                               webhook::set_webhook,                 "Set the caller's webhook").paged().example(r#"{"webhook_url": "https://example.com/hook"}"#),
    user(   READ_ALL,  GET,    "/user/webhook",                               webhook::get_webhook,                 "Get the caller's webhook"),
    user(   READ_ALL,  GET,    "/user/webhook/deliveries",                    webhook::list_webhook_deliveries,     "List the caller's webhook deliveries, newest first").large(),
    user(   WRITE_ALL, POST,   "/user/webhook/deliveries/{id}/resend",        webhook::resend_own_delivery,         "Send a webhook event once more").errors([DeliveryNotFound, NoWebhook, WebhookNotFound]).cost(10),
    user(   WRITE_ALL, POST,   "/user/webhook/test",                          webhook::test_webhook,                "Send a test event to the caller's webhook").errors([NoWebhook]).cost(10),
    user(   READ_ALL,  GET,    "/user/webhooks",                              webhooks::list_webhooks,              "List the caller's webhooks").large(),
    user(   WRITE_ALL, POST,   "/user/webhooks",                              webhooks::create_webhook,             "Add a webhook with events and a secret of its own").errors([webhooks::too_many(), UserNotFound]).example(r#"{"url": "https://example.com/hook", "events": ["meeting.status_change", "transcript.ready"]}"#),
    user(   READ_ALL,  GET,    "/user/webhooks/{id}",                         webhooks::get_listed_webhook,         "Get a webhook").errors([WebhookNotFound]),
    user(   WRITE_ALL, PATCH,  "/user/webhooks/{id}",                         webhooks::update_webhook,             "Change address or events of a webhook").errors([NothingToUpdate, WebhookNotFound]).example(r#"{"events": ["transcript.ready"]}"#),
    user(   WRITE_ALL, DELETE, "/user/webhooks/{id}",                         webhooks::delete_webhook,             "Delete a webhook").errors([WebhookNotFound]),
    user(   WRITE_ALL, POST,   "/user/webhooks/{id}/rotate",                  webhooks::rotate_webhook_secret,      "Rotate the secret of a webhook").errors([WebhookNotFound]).example(r#"{"grace_seconds": 86400}"#),
    user(   WRITE_ALL, POST,   "/user/webhooks/{id}/test",                    webhooks::test_listed_webhook,        "Send a test event to a webhook").errors([WebhookNotFound]).cost(10),

    sound(             POST,   "/v1/audio/transcriptions",                    audio_transcriptions::create_transcription, "Make words of a sound, for clients of OpenAI's API").errors([NoEngine, NotHeard("...".to_owned()), SoundRefused("...".to_owned()), SoundTooLong { seconds_max: 600 }, upload::too_much(), upload::no_room()]).cost(5).openai().responds_with(&["application/json", "text/plain"]),
    user(   READ,      POST,   "/tickets",                                    tickets::create_ticket,               "Create a ticket for a WebSocket").example(r#"{"path": "/ws"}"#),
    mcp(               POST,   "/mcp",                                        mcp_server::receive_message,          "Model Context Protocol: a JSON-RPC message of a client").example(r#"{"jsonrpc": "2.0", "id": 1, "method": "tools/list"}"#),
    sound_socket(      GET,    "/whisper-live",                               whisper_live::open_whisper_live,      "Send a bot's sound as WhisperLive's clients do, over WebSocket"),
    socket( TRANSCRIBE, GET,   "/jitsi",                                      jitsi::open_jitsi,                    "Send the sound of a meeting on Jitsi from its bridge, over WebSocket").errors([MeetingTaken, NoRoomForSound { reason: String::new() }]),
    socket( READ,      GET,    "/ws",                                         live::open_live_feed,                 "Follow the caller's meetings over WebSocket"),
]}
