//! The table: every route, once. Dispatch, doors, 405s, the API document and tests are read from it.

use crate::api::{
    admin_keys, analytics, audit, bots, callbacks, caller, docs, export, general, live, meetings, search, segments,
    tokens, transcripts, usage, users, webhook,
};
use crate::error::Error::{
    AdminKeyNotFound, AdminKeyTaken, BotInMeeting, BotLimitReached, BotNotStarted, EmailFixed, MeetingTaken,
    NoBotToStop, NoRunner, NoSuchMeeting, NoWebhook, NothingToUpdate, PageNotFound, TokenDisabled, TokenNotFound,
    TooBroad, UserNotFound,
};
use crate::http::router::Need::{
    Nothing as ANY, Read as READ, ReadAll as READ_ALL, Write as WRITE, WriteAll as WRITE_ALL,
};
use crate::http::router::{Route, admin, bot, open, socket, user};
use hyper::Method;
use std::sync::LazyLock;

const GET: Method = Method::GET;
const POST: Method = Method::POST;
const PUT: Method = Method::PUT;
const PATCH: Method = Method::PATCH;
const DELETE: Method = Method::DELETE;

/// Every route. Where two rows match one path, the upper one is meant.
pub static TABLE: LazyLock<Vec<Route>> =
    LazyLock::new(|| rows().into_iter().enumerate().map(|(number, row)| row.numbered(number)).collect());

#[rustfmt::skip]
fn rows() -> Vec<Route> { vec![
    open(GET,     "/",                          general::front,       "Greet a program, show a browser to the documentation"),
    open(GET,     "/healthz",                   general::health,      "Say whether the server and its database answer"),
    open(GET,     "/metrics",                   general::figures,     "Show what is counted, for Prometheus"),
    open(GET,     "/docs",                      docs::page,           "Show this documentation"),
    open(GET,     "/docs/{file}",               docs::part,           "Load a part of this documentation").fails([PageNotFound]),
    open(GET,     "/openapi.json",              docs::document,       "Load the document that this documentation shows"),

    user(ANY,       GET,    "/user",                      caller::show,         "Show who the caller is, and with which token"),
    user(READ_ALL,  GET,    "/user/usage",                usage::own,           "Show what the caller used, by day and token"),
    user(READ_ALL,  GET,    "/user/tokens",               caller::tokens,       "List the caller's tokens"),
    user(ANY,       POST,   "/user/tokens/rotate",        caller::rotate,       "Exchange the token in hand for a new one").fails([tokens::replaced(), TokenNotFound]),
    user(READ,      GET,    "/meetings",                  meetings::list,       "List the caller's meetings, newest first"),
    user(WRITE,     PATCH,  "/meetings/{platform}/{native_meeting_id}", meetings::note,   "Note name, participants, languages or notes of a meeting").fails([NothingToUpdate, meetings::missing()]),
    user(WRITE,     DELETE, "/meetings/{platform}/{native_meeting_id}", meetings::redact, "Remove a finished meeting's transcript and personal data").fails([meetings::missing(), meetings::not_over()]),
    user(READ,      GET,    "/transcripts/search",        search::find,         "Search the caller's transcripts, the last stored first").fails([TooBroad]),
    user(READ,      GET,    "/transcripts/{platform}/{native_meeting_id}", transcripts::show, "Show a meeting and its transcript").fails([meetings::missing()]),

    admin(POST,   "/admin/users",               users::create,        "Create a user, or find the one with that address"),
    admin(GET,    "/admin/users",               users::list,          "List users by id"),
    admin(GET,    "/admin/users/email/{email}", users::show_by_email, "Show a user by address").fails([UserNotFound]),
    admin(GET,    "/admin/users/{id}",          users::show,          "Show a user with their tokens").fails([UserNotFound]),
    admin(PATCH,  "/admin/users/{id}",          users::update,        "Change a user").fails([EmailFixed, UserNotFound]),
    admin(DELETE, "/admin/users/{id}",          users::delete,        "Delete a user and all that is theirs").fails([UserNotFound, BotInMeeting]),

    admin(GET,    "/admin/users/{id}/export",   export::show,         "Show all that the server has of a user, as a file").fails([UserNotFound]),

    admin(POST,   "/admin/users/{id}/tokens",   tokens::create,       "Create an API token for a user").fails([UserNotFound]),
    admin(GET,    "/admin/users/{id}/tokens",   tokens::list,         "List a user's tokens").fails([UserNotFound]),
    admin(GET,    "/admin/tokens",              tokens::page,         "List tokens by id"),
    admin(POST,   "/admin/tokens/explain",      tokens::explain,      "Say what becomes of whoever brings a token, and why"),
    admin(GET,    "/admin/tokens/{id}",         tokens::show,         "Show a token").fails([TokenNotFound]),
    admin(PATCH,  "/admin/tokens/{id}",         tokens::update,       "Change, disable or enable a token").fails([TokenNotFound]),
    admin(POST,   "/admin/tokens/{id}/rotate",  tokens::rotate,       "Exchange a token for a new one").fails([TokenNotFound, tokens::replaced(), TokenDisabled]),
    admin(DELETE, "/admin/tokens/{id}",         tokens::revoke,       "Revoke a token").fails([TokenNotFound]),

    admin(GET,    "/admin/keys",                admin_keys::list,     "List the named admin keys"),
    admin(POST,   "/admin/keys",                admin_keys::create,   "Create an admin key for an administrator").fails([AdminKeyTaken]),
    admin(POST,   "/admin/keys/{id}/rotate",    admin_keys::rotate,   "Exchange an admin key for a new one").fails([AdminKeyNotFound]),
    admin(DELETE, "/admin/keys/{id}",           admin_keys::revoke,   "Revoke an admin key").fails([AdminKeyNotFound]),

    admin(GET,    "/admin/audit",               audit::list,          "List administrative changes, newest first"),
    admin(GET,    "/admin/audit/verify",        audit::verify,        "Verify that the record of changes is whole"),
    admin(GET,    "/admin/audit/export",        audit::export,        "Load the record of changes as JSON lines"),

    admin(POST,   "/admin/meetings/{id}/stop",  bots::stop_any,       "Tell anybody's bot to leave").fails([NoSuchMeeting]),

    admin(GET,    "/admin/stats/meetings-users", analytics::meetings_users, "List everybody's meetings with their owners, newest first"),
    admin(GET,    "/admin/analytics/users",     analytics::users,     "List users by id, without their data"),
    admin(GET,    "/admin/analytics/meetings",  analytics::meetings,  "List everybody's meetings, newest first, without their data"),
    admin(GET,    "/admin/analytics/meetings/{id}/telematics", analytics::telematics, "Show how a meeting went").fails([NoSuchMeeting]),
    admin(GET,    "/admin/analytics/users/{id}/details", analytics::user_details, "Show a user's meetings in figures").fails([UserNotFound]),

    admin(GET,    "/admin/usage",               usage::all,           "Show what everybody used, by day, user and token"),

    open(POST,    "/bots/internal/callback/status_change",      callbacks::status_change,      "A bot says where it stands"),
    open(POST,    "/bots/internal/callback/joining",            callbacks::joining,            "A bot is on its way"),
    open(POST,    "/bots/internal/callback/awaiting_admission", callbacks::awaiting_admission, "A bot waits to be let in"),
    open(POST,    "/bots/internal/callback/started",            callbacks::started,            "A bot was let in"),
    open(POST,    "/bots/internal/callback/exited",             callbacks::exited,             "A bot has ended"),
    bot(POST,     "/bots/internal/segments",                    segments::store,               "Store what a bot heard").takes(segments::BODY_BYTES_MAX),

    user(WRITE,     POST,   "/bots",                      bots::send,           "Send a bot into a meeting").fails([BotLimitReached { seats: 2, limit: 2 }, MeetingTaken, NoRunner, BotNotStarted("...".to_owned()), UserNotFound]),
    user(READ,      GET,    "/bots/status",               bots::status,         "Show the caller's bots that are at work"),
    user(WRITE,     PUT,    "/bots/{platform}/{native_meeting_id}/config", bots::reconfigure, "Change language or task of an active bot").fails([meetings::missing(), bots::not_active()]),
    user(WRITE,     DELETE, "/bots/{platform}/{native_meeting_id}", bots::stop, "Tell a bot to leave").fails([NoBotToStop]),

    user(WRITE_ALL, PUT,    "/user/webhook",              webhook::set,         "Set where the events of the caller's meetings go"),
    user(READ_ALL,  GET,    "/user/webhook",              webhook::show,        "Show where the events of the caller's meetings go"),
    user(READ_ALL,  GET,    "/user/webhook/deliveries",   webhook::deliveries,  "List the caller's events and how they fared, newest first"),
    user(WRITE_ALL, POST,   "/user/webhook/test",         webhook::test,        "Post a test event to the caller's webhook at once").fails([NoWebhook]),

    socket(READ,    GET,    "/ws",                        live::watch,          "Follow meetings of the caller's by WebSocket"),
]}
