//! The audit log as it is read: pages of entries, and the verification of the hash chain.

use crate::domain::audit::{Bound, Entry, details_hash};
use crate::domain::{Action, Time, UserId};
use crate::error::Result;
use crate::store::audit::log::base;
use crate::store::doors::Store;
use crate::store::users::read::BEING_ERASED;
use rusqlite::types::ToSql;
use rusqlite::{Connection, OptionalExtension, Row};
use serde::Serialize;
use serde_json::json;
use std::collections::{HashMap, HashSet};
use std::fmt::Write;
use utoipa::ToSchema;

/// Most faults that a verification tells of.
const FAULTS_MAX: usize = 100;

/// Which entries are asked for.
#[derive(Debug, Clone, Default)]
pub struct AuditPage {
    /// Only numbers above this one.
    pub after: Option<i64>,
    /// Only numbers below this one.
    pub before: Option<i64>,
    /// Only those that concern this user.
    pub user_id: Option<UserId>,
    /// Only those that did this.
    pub action: Option<Action>,
    /// Only those of this actor.
    pub actor: Option<String>,
    /// Only entries of this time or later.
    pub from: Option<Time>,
    /// Only entries before this time.
    pub to: Option<Time>,
    /// Whether the oldest come first.
    pub ascending: bool,
    /// How many at most.
    pub limit: i64,
}

/// What a verification found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Verification {
    /// Whether every entry is as it was written and none is missing.
    pub intact: bool,
    /// How many entries there are.
    pub entries: i64,
    /// The number of the oldest one; null where there is none.
    #[schema(required)]
    pub first_id: Option<i64>,
    /// The number of the newest one.
    #[schema(required)]
    pub last_id: Option<i64>,
    /// The hash of the newest one, in hexadecimal. Whoever notes it elsewhere can tell later
    /// whether the whole record was rewritten.
    pub head: String,
    /// What is wrong, at most a hundred of it.
    pub faults: Vec<AuditFault>,
}

/// One fault of the record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct AuditFault {
    /// The number of the entry.
    pub id: i64,
    /// What is wrong with it.
    #[schema(example = "was changed, or is not where it was")]
    pub what: String,
}

impl Store {
    /// A page of entries; a long read.
    pub async fn audit(&self, page: AuditPage) -> Result<Vec<Entry>> {
        self.read_long(move |db| select(db, &page)).await
    }

    /// Holds every entry against its hash and its neighbours; a long read, a few seconds for a
    /// million.
    pub async fn verify_audit(&self) -> Result<Verification> {
        self.read_long(verify).await
    }
}

fn select(db: &Connection, page: &AuditPage) -> rusqlite::Result<Vec<Entry>> {
    let mut conditions = String::from("a.id > :after AND a.id < :before");
    let (after, before) = (page.after.unwrap_or(0), page.before.unwrap_or(i64::MAX));
    let action = page.action.map(Action::as_str);
    let mut values: Vec<(&str, &dyn ToSql)> =
        vec![(":after", &after), (":before", &before), (":limit", &page.limit)];
    let filters: [(&str, &str, &dyn ToSql, bool); 4] = [
        ("a.user_id =", ":user", &page.user_id, page.user_id.is_some()),
        ("a.action =", ":action", &action, action.is_some()),
        ("a.at >=", ":from", &page.from, page.from.is_some()),
        ("a.at <", ":to", &page.to, page.to.is_some()),
    ];
    for (condition, name, value, _) in filters.into_iter().filter(|(.., given)| *given) {
        // Writing to a string cannot fail.
        let _ = write!(conditions, " AND {condition} {name}");
        values.push((name, value));
    }
    if page.actor.is_some() {
        // A named key is found by its name alone as well.
        conditions
            .push_str(" AND (a.actor = :actor OR rtrim(a.actor, '0123456789') = :actor || '#')");
        values.push((":actor", &page.actor));
    }
    let order = if page.ascending { "ASC" } else { "DESC" };
    let mut statement = db.prepare_cached(&format!(
        "SELECT {ENTRY_COLUMNS}
         FROM audit a LEFT JOIN audit_details d ON d.audit_id = a.id AND (a.user_id IS NULL OR a.user_id NOT IN {BEING_ERASED})
         WHERE {conditions} ORDER BY a.id {order} LIMIT :limit"
    ))?;
    statement.query_map(values.as_slice(), entry_at)?.collect()
}

/// The columns of [`entry_at`], of the tables `a` and `d`.
const ENTRY_COLUMNS: &str =
    "a.id, a.at, a.actor, a.address, a.action, a.subject, a.subject_id, a.user_id, a.hash,
   d.before, d.after";

fn entry_at(row: &Row<'_>) -> rusqlite::Result<Entry> {
    let json = |column: usize| {
        let text = row.get::<_, Option<String>>(column)?;
        Ok::<_, rusqlite::Error>(
            text.and_then(|text| serde_json::value::RawValue::from_string(text).ok()),
        )
    };
    Ok(Entry {
        id: row.get(0)?,
        at: row.get(1)?,
        actor: row.get(2)?,
        address: row.get(3)?,
        action: row.get(4)?,
        subject: row.get(5)?,
        subject_id: row.get(6)?,
        user_id: row.get(7)?,
        hash: hex(&row.get(8)?),
        before: json(9)?,
        after: json(10)?,
    })
}

pub(crate) fn hex(hash: &[u8; 32]) -> String {
    blake3::Hash::from_bytes(*hash).to_hex().to_string()
}

/// A walk along the chain.
struct Walk {
    found: Verification,
    /// The number and the hash of the entry before.
    last: (i64, [u8; 32]),
    /// The first entry whose details are gone, by the user whom it concerns.
    missing: HashMap<Option<i64>, i64>,
    erased: HashSet<i64>,
    /// The entry that tells of the base, and what it says.
    pruned: Option<String>,
    /// Restores: the number of the entry, and the id of the last user that the backup knew.
    restores: Vec<(i64, i64)>,
}

/// Holds every entry against its hash and its neighbours, as of one moment.
pub(in crate::store) fn verify(db: &Connection) -> rusqlite::Result<Verification> {
    // One moment: what is written meanwhile is not looked at.
    let tx = db.unchecked_transaction()?;
    let start = base(&tx)?;
    let mut walk = Walk {
        found: Verification::default(),
        last: start,
        missing: HashMap::new(),
        erased: HashSet::new(),
        pruned: None,
        restores: Vec::new(),
    };
    let mut statement = tx.prepare(
        "SELECT a.id, a.at, a.actor, a.address, a.action, a.subject, a.subject_id, a.user_id, a.details_hash, a.hash,
                d.salt, d.before, d.after
         FROM audit a LEFT JOIN audit_details d ON d.audit_id = a.id ORDER BY a.id",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        walk.step(row)?;
    }
    let written =
        tx.query_row("SELECT seq FROM sqlite_sequence WHERE name = 'audit'", [], |row| row.get(0));
    walk.end(start, written.optional()?.unwrap_or(0));
    Ok(walk.found)
}

impl Walk {
    fn step(&mut self, row: &Row<'_>) -> rusqlite::Result<()> {
        let text =
            |column: usize| row.get_ref(column)?.as_str_or_null().map_err(rusqlite::Error::from);
        let bound = Bound {
            id: row.get(0)?,
            at: row.get(1)?,
            actor: text(2)?.unwrap_or_default(),
            address: text(3)?,
            action: text(4)?.unwrap_or_default(),
            subject: text(5)?.unwrap_or_default(),
            subject_id: row.get(6)?,
            user_id: row.get(7)?,
            details_hash: &row.get(8)?,
        };
        let hash: [u8; 32] = row.get(9)?;
        if bound.id != self.last.0 + 1 {
            self.fault(self.last.0 + 1, format!("is missing, and all up to {}", bound.id - 1));
        }
        if bound.hash(&self.last.1) != hash {
            self.fault(bound.id, "was changed, or is not where it was".to_owned());
        }
        match row.get_ref(10)?.as_bytes_or_null()? {
            None => _ = self.missing.entry(bound.user_id).or_insert(bound.id),
            Some(salt) if details_hash(salt, text(11)?, text(12)?) == *bound.details_hash => {}
            Some(_) => self.fault(bound.id, "tells of another change than it did".to_owned()),
        }
        if bound.action == Action::UserDelete.as_str() {
            self.erased.extend(bound.subject_id);
        }
        if bound.action == Action::AuditPrune.as_str() {
            self.pruned = text(12)?.map(str::to_owned);
        }
        if bound.action == Action::DatabaseRestore.as_str() {
            let last_user = text(12)?.and_then(last_user_restored);
            self.restores.extend(last_user.map(|last_user| (bound.id, last_user)));
        }
        self.last = (bound.id, hash);
        self.found.entries += 1;
        self.found.first_id.get_or_insert(bound.id);
        self.found.last_id = Some(bound.id);
        Ok(())
    }

    fn fault(&mut self, id: i64, what: String) {
        if self.found.faults.len() < FAULTS_MAX {
            self.found.faults.push(AuditFault { id, what });
        }
    }

    /// What can be told only once all was seen. `written` is the number that was given last.
    fn end(&mut self, start: (i64, [u8; 32]), written: i64) {
        let last = self.last.0;
        if written > last {
            self.fault(
                last + 1,
                format!("is missing, and all up to {written}: the newest were removed"),
            );
        }
        // Details go with the person, and that leaves an entry: of the erasure, or of the restore
        // from a backup that did not know the person yet.
        let unexplained = |(user, id): (&Option<i64>, &i64)| {
            let explained = user.is_some_and(|user| {
                let is_lost = |(at, last_user): &(i64, i64)| at > id && user > *last_user;
                self.erased.contains(&user) || self.restores.iter().any(is_lost)
            });
            (!explained).then_some(*id)
        };
        let mut unexplained: Vec<_> = self.missing.iter().filter_map(unexplained).collect();
        unexplained.sort_unstable();
        for id in unexplained {
            self.fault(id, "has lost what it tells of, and nobody was erased".to_owned());
        }
        if start.0 > 0 && self.pruned.as_deref() != Some(pruned(start.0, &start.1).as_str()) {
            self.fault(
                start.0,
                "and those before are missing, and no entry tells of it".to_owned(),
            );
        }
        self.found.head = hex(&self.last.1);
        self.found.intact = self.found.faults.is_empty();
    }
}

/// The id of the last user whom the backup knew, from the details of a restore.
fn last_user_restored(details: &str) -> Option<i64> {
    let details: serde_json::Value = serde_json::from_str(details).ok()?;
    details["ids"]["users"]["restored"].as_i64()
}

/// The details of an entry that says up to where the log was pruned.
pub(crate) fn pruned(id: i64, hash: &[u8; 32]) -> String {
    json!({ "hash": hex(hash), "up_to": id }).to_string()
}
