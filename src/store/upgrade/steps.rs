//! The steps of an upgrade: the SQL of each, what it does in words, what it costs, and by how much
//! the file grows meanwhile.

/// How fast a file is copied and flushed: 200 MB/s.
pub(super) const COPIED_BYTES_PER_MICROSECOND: u64 = 200;
/// How fast the steps run: so many operations of SQLite's machine in a microsecond.
pub(super) const OPERATIONS_PER_MICROSECOND: u64 = 20;

/// One step, from one version to the next.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step {
    /// What is executed.
    pub sql: &'static str,
    /// What it does, in words.
    pub about: &'static str,
    /// How many operations of SQLite's machine a row of a table costs; a test counts them.
    pub operations: &'static [(&'static str, u64)],
    /// By how much a file grows at most, with what is put aside, in percent of its size.
    pub growth_percent: u64,
}

/// `STEPS[n]` brings a file from version `n + 1` to `n + 2`; a new file begins at the last version.
pub(super) const STEPS: &[Step] = &[
    Step {
        sql: include_str!("to_2.sql"),
        about: "bots, segments and webhooks",
        operations: &[("tokens", 15), ("meetings", 34)],
        growth_percent: 10,
    },
    Step {
        sql: include_str!("to_3.sql"),
        about: "life of keys, admin keys, audit log and usage",
        operations: &[("users", 19), ("tokens", 153), ("sessions", 20)],
        growth_percent: 15,
    },
    Step {
        sql: include_str!("to_4.sql"),
        about: "index of segments that rest",
        operations: &[("tokens", 9), ("segments", 27), ("audit", 9), ("audit_details", 17)],
        growth_percent: 10,
    },
    Step {
        sql: include_str!("to_5.sql"),
        about: "streams and identities of segments, chains of tokens, keys of addresses",
        operations: &[
            ("users", 68),
            ("tokens", 95),
            ("meetings", 28),
            ("sessions", 3),
            ("segments", 105),
        ],
        growth_percent: 60,
    },
    Step {
        sql: include_str!("to_6.sql"),
        about: "what a clock that is not believed has shown",
        operations: &[],
        growth_percent: 0,
    },
    Step {
        sql: include_str!("to_7.sql"),
        about: "several webhooks, share links, planned bots",
        operations: &[("meetings", 29), ("sessions", 20), ("segments", 29), ("deliveries", 53)],
        growth_percent: 5,
    },
    Step {
        sql: include_str!("to_8.sql"),
        about: "sounds and their windows, withheld words, corrections",
        operations: &[("sessions", 49)],
        growth_percent: 0,
    },
];

/// The version of the tables that this program knows.
pub(in crate::store) fn newest_version() -> i64 {
    i64::try_from(STEPS.len() + 1).unwrap_or(i64::MAX)
}

/// The steps that a file of this version still needs, each with the version that it leads to.
pub(super) fn steps_from(version: i64) -> impl Iterator<Item = (i64, &'static Step)> {
    (2..).zip(STEPS).filter(move |(to, _)| *to > version)
}

/// How large a file of this version and size is while it is upgraded, in bytes, at most.
pub(in crate::store) fn grown(bytes: u64, version: i64) -> u64 {
    let percent: u64 = steps_from(version).map(|(_, step)| step.growth_percent).sum();
    bytes.saturating_add(bytes / 100 * percent)
}
