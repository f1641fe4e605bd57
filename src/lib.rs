//! Vomeet in one file: the whole API of a self-hosted meeting-bot and transcription platform from
//! one SQLite file.
//!
//! # The rooms, from the top of the ladder down
//!
//! A room may name those above it and never those below; `tests/it/tidy/ladder.rs` reads the
//! imports and refuses an arrow back up, and files that name each other in a circle.
//!
//! | room | what it is |
//! |---|---|
//! | [`domain`] | nouns, states, rules: no I/O, no async, no clock |
//! | [`mod@error`], [`exit`] | every error of a request; why the program ends, and its exit code |
//! | [`clock`], [`logging`], [`metrics`] | the clock that is passed in, the log, the metrics |
//! | [`http_client`], [`tls`] | the one HTTP client, over a stream that the caller has opened; TLS for it |
//! | [`s3`] | a store of objects that speaks the protocol of S3 |
//! | [`budget`] | what one caller may hold of the server at once |
//! | [`features`], [`encryption`] | the cargo features; encryption of backups to a public key |
//! | [`kept`] | values that are dear to make, kept for some seconds |
//! | [`config`] | every setting, its default and its source |
//! | [`store`] | all the SQL: one writer, many readers, one file |
//! | [`auth`] | authentication, limits, usage, and every read of tokens |
//! | [`feed`] | committed changes to live subscribers; bounded, and a slow one is dropped |
//! | [`bot_commands`] | commands for bots that have subscribed to them |
//! | [`webhooks`] | delivers events to the users' webhooks |
//! | [`bots`] | starts and stops bots, and supervises every meeting that is not over |
//! | [`backups`] | backups by the schedule and when asked, and their folder |
//! | [`transcription`] | words of sound: spool, windows by voice, engines, gate |
//! | [`erasure`] | every deletion: users, transcripts, retention, scrubbing |
//! | [`health`] | the health check: what is looked at, how often, what each finding means |
//! | [`http`] | the transport, from socket to service and back; it knows no SQL and no route |
//! | [`app`] | the parts, and how they are built |
//! | [`api`] | one function a route, one file a family |
//! | [`wire`] | the Redis endpoint: the protocol, and its commands |
//! | [`console`] | the pages for browsers, which the binary carries |
//! | [`routes`] | the table: every route, once |
//! | [`server`] | starts and drains: jobs, shutdown |
//! | [`import`] | reads the dump of another installation, and compares two servers |
//! | [`cli`] | the commands: `serve`, `status`, `config`, and those that administer |
//!
//! # One request: `POST /admin/users/1/tokens`
//!
//! 1. [`http::serve`] accepts the connection, and [`http::pipeline`] checks the request against the
//!    rules of HTTP.
//! 2. [`api::service`] finds its row in [`routes::TABLE`], or the error is 404 or 405.
//! 3. The row's [`api::guard::Guard`] authenticates an [`auth::Admin`] before a byte of the body is
//!    read. For a row with a user guard, [`auth::Auth`] looks the token up in the
//!    [`auth::TokenCache`], and records its use after that.
//! 4. The [`http::Extractor`] reads what [`api::tokens::create_token`] takes, and collects every
//!    field error.
//! 5. The handler makes a [`domain::PlainToken`] and sends the verb [`store::CreateToken`] to the
//!    writer of the [`store`], which replies after the commit and publishes the change to the
//!    subscribers in [`app`].
//! 6. [`http::IntoResponse`] makes the response. An error from anywhere meets
//!    [`http::problem::error_response`], which gives it its status and its body.

pub mod api;
pub mod app;
pub mod auth;
mod backups;
pub mod bot_commands;
pub mod bots;
mod budget;
pub mod cli;
pub mod clock;
pub mod config;
mod console;
pub mod domain;
mod encryption;
mod erasure;
pub mod error;
pub mod exit;
mod features;
mod feed;
pub mod health;
pub mod http;
mod http_client;
mod import;
mod kept;
mod logging;
pub mod metrics;
pub mod routes;
mod s3;
pub mod server;
pub mod store;
mod tls;
mod transcription;
pub mod webhooks;
mod wire;
