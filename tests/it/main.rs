//! The server as its callers meet it: over sockets, as a process, on real disks.
//!
//! | file | what it holds against the server |
//! |---|---|
//! | [`patience`] | how tests wait |
//! | [`client`], [`wire`], [`watcher`], [`server`], [`process`] | how the tests speak to a server in this process, and to the real binary |
//! | [`runner_bots`] | how they run bots without a server |
//! | [`contract`], [`users`], [`tokens`], [`meetings`], [`analytics`] | the HTTP contract, row by row |
//! | [`bots`], [`lifecycle`], [`notes`] | bots sent and told to leave; every callback in every state; what owners note and remove |
//! | [`bot_recordings`] | what bots record of their meetings: kept, given back, deleted |
//! | [`leave`], [`bot_words`] | bots that hear `leave`, speak and write; what they are told of those who transcribe |
//! | [`whisper_live`], [`bot_audio`], [`jitsi`], [`sound_client`] | sound that comes by sockets: WhisperLive's, a bot's, a bridge's; a client of them |
//! | [`bot_kill`] | kill -9 of bots and servers in each state |
//! | [`webhooks`], [`webhook_list`], [`webhook_events`], [`deliveries`], [`delivery_list`], [`dispatcher`], [`webhook_tls`], [`receiver`] | webhooks: rules, several of a user, deliveries and their list, the courier by itself, TLS; a receiver |
//! | [`live`], [`live_crowd`], [`live_edge`] | the live feed: who hears what; many and slow watchers; sockets as connections |
//! | [`mcp`], [`mcp_tools`], [`mcp_stdio`] | the Model Context Protocol: messages and versions; the tools; the command between a client and a server |
//! | [`chains`], [`chains_model`] | what holders rotate their tokens to; any history of it against a model |
//! | [`own_tokens`], [`made_tokens`], [`sound_tokens`], [`tickets`] | tokens that holders make, and what counts, revives and deletes them; what tokens may do with sound; what opens a socket in place of a token |
//! | [`admin_keys`], [`weak_keys`], [`refusals`] | what named admin keys may; from where weak ones count; what refused callers are told |
//! | [`browsers`] | request ids, headers for browsers, origins of sockets, addresses |
//! | [`keys`], [`record`] | the life of keys, the reasons of refusals; the record of changes |
//! | [`scopes`] | two databases that differ only outside of a token's scope: the same answers |
//! | [`audio_transcriptions`], [`uploads`], [`saying_engine`] | sound that callers hand in: OpenAI's route, recordings; an engine that says what a test wants |
//! | [`meeting_import`], [`cli_transcribe`] | transcripts that come back; `vomeet transcribe` |
//! | [`by_id`], [`retry`], [`chunks`] | meetings by their ids and by later addresses; bots sent again; what a recogniser posts itself |
//! | [`corrections`], [`alarms`], [`explain`] | transcripts that somebody corrects; meetings that miss sound, words or names; whose fault it is |
//! | [`share_links`] | links that open the words of one meeting, and every way in which they end |
//! | [`segments`], [`batches`], [`transcripts`], [`search`], [`search_index`] | what bots hear, how it is shown, how it is found |
//! | [`user_transcription`], [`withheld`], [`engines`] | a user's own engine and vocabulary; words that are not believed, and where they are shown; engines as an administrator sees them |
//! | [`planned`] | bots that are planned for a time: moved, cancelled, sent, or refused at that time |
//! | [`steady`], [`etags`] | transcripts that are read again and again: what has changed since a cursor, and 304 |
//! | [`streams`], [`streams_order`] | streams, drafts, speakers and words after the end; the same rows in any order |
//! | [`redis_protocol`], [`redis_words`], [`redis_limits`], [`redis_strangers`], [`redis_restart`], [`redis_client`] | the Redis endpoint: its commands; what it stores; what it bounds; who holds things up; kill -9; a client |
//! | [`links`], [`reports`] | bots that are sent by a link; what bots report beyond the lists, and with which credential |
//! | [`indexing`], [`positions`] | the word index and what is not in it yet; where the n-th row of a list is |
//! | [`hearing`], [`hearing_kill`], [`fake_engine`] | sound becomes words: drafts, engines that are away, what is given up, erased, late; kills; an engine that hears marks |
//! | [`spool`], [`audio`] | sound beside the database: what a start makes of it, health, deletion; sound that is kept comes back |
//! | [`overview`], [`admin_search`] | the server at one glance, its settings and refusals; what is searched for across all users |
//! | [`usage`], [`usage_lists`], [`usage_bots`] | what is counted of requests, transcripts and bots, and how it is shown |
//! | [`matrix`] | every route of the table against every kind of caller |
//! | [`bad_input`], [`bad_body`] | what is not accepted, and what is said about it |
//! | [`edge`], [`cors`], [`limits`] | HTTP's rules, limits and time-outs |
//! | [`tls`], [`tls_files`] | requests over TLS and handshakes that do not end; certificates and keys as files |
//! | [`reload`], [`reload_rest`], [`notify`], [`service`] | settings that a running server reads again, and what hangs on them elsewhere; what systemd is told; the service's installation |
//! | [`names`] | by which names and addresses the server is reached |
//! | [`budgets`], [`unfinished`], [`shares`] | what slow and unread requests take, and who is served meanwhile |
//! | [`cost`] | what one caller may cause: bots, scrubs, commits, bytes in the file |
//! | [`rate_limits`] | wrong keys by address, requests by token and user |
//! | [`races`], [`model`] | many callers at once; random sequences against a model |
//! | [`replay`], [`replay_webhooks`], [`replay_sounds`], [`replay_windows`], [`replay_uploads`], [`replay_corrections`], [`replay_planted`], [`recording`], [`golden`] | the verbs of every server, applied to another file: the same rows; logs that every later build applies |
//! | [`durability`], [`kill`], [`disk`], [`disk_faults`], [`startup`] | stops, kills, full and broken disks, refused starts |
//! | [`health`] | what the health check finds, whom it tells, what a probe costs |
//! | [`monitoring`], [`logs`], [`doctor`] | the metrics and their own address; log lines; `vomeet health` and `vomeet doctor` |
//! | [`vanished`], [`watched`] | files that fail or go away under a server; what its process takes and leaves behind |
//! | [`runner_process`], [`runner_adoption`], [`runner_limits`] | bots as processes: their surroundings, ends, restarts of the server, time limits |
//! | [`runner_demo`], [`runner_docker`] | the demo bot and its callbacks; containers, with a stub of an engine |
//! | [`cli`], [`cli_words`], [`cli_requests`], [`cli_manual`] | the commands with and without a server; what they understand, ask and say; the manual |
//! | [`cli_init`], [`clients_page`], [`open_links`] | the first files of a server; the Python client that it hands out; `vomeet open` |
//! | [`features`] | what a program says that was built without a cargo feature |
//! | [`demo`], [`demo_speech`] | `vomeet demo`: what it shows, and that it leaves nothing; speech that an engine hears |
//! | [`files`] | the database as a file: copied, linked, mounted, in a shared folder |
//! | [`backup`], [`backup_target`], [`backup_verify`] | backups of servers and of files at rest; where they are written; what is none |
//! | [`backups`], [`backup_drill`] | the schedule and the routes; backups tried out |
//! | [`backup_encrypted`] | backups that are encrypted, with the feature `encryption` |
//! | [`restore`], [`restore_again`], [`restore_state`], [`restore_refusals`], [`restore_kill`] | a backup restored: who lost access, who was erased, ids, the audit log; restores after restores, and which files are read; meetings and events; what is refused; kills and random histories |
//! | [`import`], [`import_rows`], [`import_plans`], [`import_versions`], [`import_kill`], [`import_verify`] | a dump becomes a database; odd rows; planned bots; other versions; kills; two servers compared |
//! | [`upgrade`], [`upgrade_copies`], [`upgrade_refusals`], [`compact`] | files of older versions, and backups of them; free pages given back |
//! | [`lenient`] | what is taken although it is not written as it should be |
//! | [`cli_output`] | answers of commands that cannot be written |
//! | [`erasure_steps`] | a user's deletion, decided at once and carried out in steps |
//! | [`local`], [`local_socket`] | who reaches the private socket and the file; the socket as a file and as a connection |
//! | [`erasure`], [`export`], [`retention`] | what was removed, searched for in every file; all of one person's data; what goes by its age |
//! | [`declared`] | users whom the settings declare, and `vomeet token hash` |
//! | [`scan`], [`scanners`] | `vomeet scan` in files and folders; the rules of gitleaks and trufflehog, and their reports |
//! | [`config_engines`] | engines that make words of sound: what is refused, and what is shown |
//! | [`config_faults`] | settings that would not do what they say; where a database is found |
//! | [`secrets`], [`config`], [`config_admin_key`], [`openapi`], [`docs_page`], [`console_page`], [`console_words`] | what must not be found, settings, the API document, the console |
//! | [`security_page`] | the tests that docs/security.md names |
//! | [`tidy`] | the rules of the house |
//!
//! Each test has a server and a folder of its own. Nobody sleeps but between two looks: what is
//! waited for is an event, for at most [`patience::PATIENCE`].

#![allow(unreachable_pub, reason = "nobody names what a test crate has")]
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test that fails says so; clippy knows this of test functions, not of their helpers"
)]

mod client;
mod patience;
mod process;
mod receiver;
mod recording;
mod redis_client;
mod replay;
mod replay_corrections;
mod replay_planted;
mod replay_sounds;
mod replay_uploads;
mod replay_webhooks;
mod replay_windows;
mod runner_bots;
mod server;
mod watcher;
mod whisper_live;
mod wire;

mod admin_keys;
mod admin_search;
mod alarms;
mod analytics;
mod audio;
mod audio_transcriptions;
mod backup;
mod backup_drill;
#[cfg(feature = "encryption")]
mod backup_encrypted;
mod backup_target;
mod backup_verify;
mod backups;
mod bad_body;
mod bad_input;
mod batches;
mod bot_audio;
mod bot_kill;
mod bot_recordings;
mod bot_words;
mod bots;
mod browsers;
mod budgets;
mod by_id;
mod chains;
mod chains_model;
mod chunks;
mod cli;
mod cli_init;
mod cli_manual;
mod cli_output;
mod cli_requests;
mod cli_transcribe;
mod cli_words;
mod clients_page;
mod compact;
mod config;
mod config_admin_key;
mod config_engines;
mod config_faults;
mod console_page;
mod console_words;
mod contract;
mod corrections;
mod cors;
mod cost;
mod declared;
mod deliveries;
mod delivery_list;
mod demo;
mod demo_speech;
mod disk;
mod disk_faults;
mod dispatcher;
mod docs_page;
mod doctor;
mod durability;
mod edge;
mod engines;
mod erasure;
mod erasure_steps;
mod etags;
mod explain;
mod export;
mod fake_engine;
mod features;
mod files;
mod golden;
mod health;
mod hearing;
mod hearing_kill;
mod import;
mod import_kill;
mod import_plans;
mod import_rows;
mod import_verify;
mod import_versions;
mod indexing;
mod jitsi;
mod keys;
mod kill;
mod leave;
mod lenient;
mod lifecycle;
mod limits;
mod links;
mod live;
mod live_crowd;
mod live_edge;
mod local;
mod local_socket;
mod logs;
mod made_tokens;
mod matrix;
mod mcp;
mod mcp_stdio;
mod mcp_tools;
mod meeting_import;
mod meetings;
mod model;
mod monitoring;
mod names;
mod notes;
mod notify;
mod open_links;
mod openapi;
mod overview;
mod own_tokens;
mod planned;
mod positions;
mod races;
mod rate_limits;
mod record;
mod redis_limits;
mod redis_protocol;
mod redis_restart;
mod redis_strangers;
mod redis_words;
mod refusals;
mod reload;
mod reload_rest;
mod reports;
mod restore;
mod restore_again;
mod restore_kill;
mod restore_refusals;
mod restore_state;
mod retention;
mod retry;
mod runner_adoption;
mod runner_demo;
mod runner_docker;
mod runner_limits;
mod runner_process;
mod saying_engine;
mod scan;
mod scanners;
mod scopes;
mod search;
mod search_index;
mod secrets;
mod security_page;
mod segments;
mod service;
mod share_links;
mod shares;
mod sound_client;
mod sound_tokens;
mod spool;
mod startup;
mod steady;
mod streams;
mod streams_order;
mod tickets;
mod tidy;
mod tls;
mod tls_files;
mod tokens;
mod transcripts;
mod unfinished;
mod upgrade;
mod upgrade_copies;
mod upgrade_refusals;
mod uploads;
mod usage;
mod usage_bots;
mod usage_lists;
mod user_transcription;
mod users;
mod vanished;
mod watched;
mod weak_keys;
mod webhook_events;
mod webhook_list;
mod webhook_tls;
mod webhooks;
mod withheld;
