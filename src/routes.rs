//! The table: every route, once. Dispatch, doors, 405s, the API document and tests are read from it.

use crate::api::{analytics, caller, docs, general, meetings, tokens, users};
use crate::error::Error::{BotInMeeting, EmailFixed, NoSuchMeeting, PageNotFound, TokenNotFound, UserNotFound};
use crate::http::router::{Route, admin, open, user};
use hyper::Method;
use std::sync::LazyLock;

const GET: Method = Method::GET;
const POST: Method = Method::POST;
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
]}
