//! Vomeet in one file: the whole API of a self-hosted meeting-bot and transcription platform from one `SQLite` file.
//!
//! # The rooms, in walking order
//!
//! | room | what it is |
//! |---|---|
//! | [`cli`] | the commands: `serve`, `status`, `config`, and those that administer without a key; with [`config`] alone it reads arguments, environment and files |
//! | [`config`] | every setting, its default and its source |
//! | [`app`] | what every request may reach; built once |
//! | [`http`] | from socket to handler and back; knows no SQL and no rule |
//! | [`routes`] | the table: every route, once |
//! | [`auth`] | who is calling? |
//! | [`api`] | one function a route, one file a family |
//! | [`domain`] | nouns, states, rules: no I/O, no async, no clock |
//! | [`runner`] | starts and stops bots, and keeps every open meeting honest |
//! | [`store`] | all the SQL, and nobody outside names `rusqlite` |
//! | [`dispatcher`] | brings events to the users' webhooks |
//! | [`scrubber`] | sees to it that what was removed leaves the files too |
//! | [`retention`] | removes what is older than the settings allow |
//! | [`feed`] | committed events to live watchers; bounded, and a slow one is dropped |
//! | [`http_client`] | the one way in which this program asks others over HTTP |
//! | [`error`] | everything that a caller can tell apart, and its status |
//! | [`exit`] | why the program ends, and the exit code that goes with it |
//! | [`openapi`], [`metrics`], [`logging`], [`clock`] | the API document, the figures, the log, the time |
//!
//! # One request: `POST /admin/users/1/tokens`
//!
//! [`http::serve`] accepts the connection; [`http::edge`] holds the request against HTTP's rules and finds its row in
//! [`routes::TABLE`], or answers 404 or 405. The row's [`http::Door`] is [`auth::Admin`]: it decides before a byte of the
//! body is read. Then [`http::Form`] reads what [`api::tokens::create`] takes, every fault at once. The handler makes a
//! [`domain::PlainToken`] and sends the verb [`store::CreateToken`] to the one writer, which answers after the commit.
//! An error from anywhere meets [`http::answer::refusal`], which gives it its status and its words.

pub mod api;
pub mod app;
pub mod auth;
pub mod bots;
pub mod cli;
pub mod clock;
pub mod config;
pub mod domain;
pub mod erasure;
pub mod error;
pub mod exit;
pub mod feed;
pub mod http;
pub mod http_client;
pub mod logging;
pub mod metrics;
pub mod routes;
pub mod server;
pub mod store;
pub mod webhooks;
