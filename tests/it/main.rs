//! The server as its callers meet it: over sockets, as a process, on real disks.
//!
//! | file | what it holds against the server |
//! |---|---|
//! | [`client`], [`server`], [`process`] | how the tests speak to a server in this process, and to the real binary |
//! | [`contract`], [`users`], [`tokens`], [`meetings`], [`analytics`] | the HTTP contract, row by row |
//! | [`matrix`] | every route of the table against every kind of caller |
//! | [`bad_input`], [`bad_body`] | what is not accepted, and what is said about it |
//! | [`edge`], [`limits`] | HTTP's rules, limits and time-outs |
//! | [`races`], [`model`] | many callers at once; random sequences against a model |
//! | [`durability`], [`kill`], [`disk`], [`startup`] | stops, kills, full and broken disks, refused starts |
//! | [`vanished`], [`watched`] | files that fail or go away under a server; what its process takes and leaves behind |
//! | [`secrets`], [`config`], [`openapi`] | what must not be found, settings, the API document |
//! | [`tidy`] | the rules of the house |
//!
//! Each test has a server and a folder of its own. Nobody sleeps: what is waited for is an event, for at most
//! [`client::PATIENCE`].

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test that fails says so; clippy knows this of test functions, not of their helpers"
)]

mod client;
mod process;
mod server;

mod analytics;
mod bad_body;
mod bad_input;
mod config;
mod contract;
mod disk;
mod durability;
mod edge;
mod kill;
mod limits;
mod matrix;
mod meetings;
mod model;
mod openapi;
mod races;
mod secrets;
mod startup;
mod tidy;
mod tokens;
mod users;
mod vanished;
mod watched;
