//! The table: every route, once. Dispatch, doors, 405s, the API document and tests are read from it.

use crate::api::{
    analytics, bots, callbacks, caller, docs, export, general, live, meetings, search, segments, tokens, transcripts,
    users, webhook,
};
use crate::error::Error::{
    BotInMeeting, BotLimitReached, BotNotStarted, EmailFixed, MeetingTaken, NoBotToStop, NoRunner, NoSuchMeeting,
    NoWebhook, NothingToUpdate, PageNotFound, TokenNotFound, TooBroad, UserNotFound,
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

    admin(POST,   "/admin/users",               users::create,        "Create a user, or find the one with that address"),
    admin(GET,    "/admin/users",               users::list,          "List users by id"),
    admin(GET,    "/admin/users/email/{email}", users::show_by_email, "Show a user by address").fails([UserNotFound]),
    admin(GET,    "/admin/users/{id}",          users::show,          "Show a user with their tokens").fails([UserNotFound]),
    admin(PATCH,  "/admin/users/{id}",          users::update,        "Change a user").fails([EmailFixed, UserNotFound]),
    admin(DELETE, "/admin/users/{id}",          users::delete,        "Delete a user and all that is theirs").fails([UserNotFound, BotInMeeting]),

    admin(GET,    "/admin/users/{id}/export",   export::show,         "Show all that the server has of a user, as a file").fails([UserNotFound]),

    admin(POST,   "/admin/users/{id}/tokens",   tokens::create,       "Create an API token for a user").fails([UserNotFound]),
    admin(GET,    "/admin/users/{id}/tokens",   tokens::list,         "List a user's tokens").fails([UserNotFound]),
    admin(DELETE, "/admin/tokens/{id}",         tokens::revoke,       "Revoke a token").fails([TokenNotFound]),

    admin(GET,    "/admin/stats/meetings-users", analytics::meetings_users, "List everybody's meetings with their owners, newest first"),
    admin(GET,    "/admin/analytics/users",     analytics::users,     "List users by id, without their data"),
    admin(GET,    "/admin/analytics/meetings",  analytics::meetings,  "List everybody's meetings, newest first, without their data"),
    admin(GET,    "/admin/analytics/meetings/{id}/telematics", analytics::telematics, "Show how a meeting went").fails([NoSuchMeeting]),
    admin(GET,    "/admin/analytics/users/{id}/details", analytics::user_details, "Show a user's meetings in figures").fails([UserNotFound]),

    user(GET,     "/user",                      caller::show,         "Show who the caller is, and with which token"),
    user(GET,     "/meetings",                  meetings::list,       "List the caller's meetings, newest first"),
    user(PATCH,   "/meetings/{platform}/{native_meeting_id}", meetings::note,   "Note name, participants, languages or notes of a meeting").fails([NothingToUpdate, meetings::missing()]),
    user(DELETE,  "/meetings/{platform}/{native_meeting_id}", meetings::redact, "Remove a finished meeting's transcript and personal data").fails([meetings::missing(), meetings::not_over()]),
    user(GET,     "/transcripts/search",        search::find,         "Search the caller's transcripts, the last stored first").fails([TooBroad]),
    user(GET,     "/transcripts/{platform}/{native_meeting_id}", transcripts::show, "Show a meeting and its transcript").fails([meetings::missing()]),

    open(POST,    "/bots/internal/callback/status_change",      callbacks::status_change,      "A bot says where it stands"),
    open(POST,    "/bots/internal/callback/joining",            callbacks::joining,            "A bot is on its way"),
    open(POST,    "/bots/internal/callback/awaiting_admission", callbacks::awaiting_admission, "A bot waits to be let in"),
    open(POST,    "/bots/internal/callback/started",            callbacks::started,            "A bot was let in"),
    open(POST,    "/bots/internal/callback/exited",             callbacks::exited,             "A bot has ended"),
    bot(POST,     "/bots/internal/segments",                    segments::store,               "Store what a bot heard").takes(segments::BODY_BYTES_MAX),

    user(POST,    "/bots",                      bots::send,           "Send a bot into a meeting").fails([BotLimitReached(2), MeetingTaken, NoRunner, BotNotStarted("...".to_owned()), UserNotFound]),
    user(GET,     "/bots/status",               bots::status,         "Show the caller's bots that are at work"),
    user(PUT,     "/bots/{platform}/{native_meeting_id}/config", bots::reconfigure, "Change language or task of an active bot").fails([meetings::missing(), bots::not_active()]),
    user(DELETE,  "/bots/{platform}/{native_meeting_id}", bots::stop, "Tell a bot to leave").fails([NoBotToStop]),

    user(PUT,     "/user/webhook",              webhook::set,         "Set where the events of the caller's meetings go"),
    user(GET,     "/user/webhook",              webhook::show,        "Show where the events of the caller's meetings go"),
    user(GET,     "/user/webhook/deliveries",   webhook::deliveries,  "List the caller's events and how they fared, newest first"),
    user(POST,    "/user/webhook/test",         webhook::test,        "Post a test event to the caller's webhook at once").fails([NoWebhook]),

    socket(GET,   "/ws",                        live::watch,          "Follow meetings of the caller's by WebSocket"),
]}
