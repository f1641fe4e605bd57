//! What is newer than the backup and must not be undone, applied to the copy of the backup (`main`)
//! as the other file (`old`) has it: who lost access does not get it back, and who was erased does
//! not come back.

use crate::store::meetings::states::NOT_OVER;
use crate::store::restore::gaps::{WITH_IDS, find_gaps, strike_known};
use rusqlite::Connection;

/// Tables that the rules work with.
pub(super) const TABLES: &str = "
    CREATE TEMP TABLE moment (now INTEGER NOT NULL);
    CREATE TEMP TABLE picked (id INTEGER PRIMARY KEY);
    -- Rows of the copy that were deleted since.
    CREATE TEMP TABLE gone (name TEXT NOT NULL, id INTEGER NOT NULL, PRIMARY KEY (name, id));
    -- Events of which some file says what became of them, and meetings that are over there.
    CREATE TEMP TABLE told (id INTEGER PRIMARY KEY);
    CREATE TEMP TABLE over (id INTEGER PRIMARY KEY);";

/// One kind of change that is applied again.
struct Rule {
    /// What it is called in answers and in the audit log.
    name: &'static str,
    /// The ids of the rows that it changes.
    pick: &'static str,
    /// The change of those that are in `picked`.
    apply: &'static str,
}

/// In their order: users go first, so that nothing is said about their tokens. An admin key is
/// rotated before it is looked at whether its secret has ended: what has ended is no key's again.
const RULES: &[Rule] = &[
    Rule {
        name: "users_erased",
        pick: "SELECT id FROM main.users
            WHERE id IN (SELECT id FROM temp.gone WHERE name = 'users')
               OR id IN (SELECT subject_id FROM old.audit WHERE action = 'user.delete')
               OR id IN (SELECT id FROM old.users WHERE erasing_at IS NOT NULL)",
        apply: "DELETE FROM main.users WHERE id IN (SELECT id FROM temp.picked)",
    },
    Rule {
        name: "meetings_erased",
        pick: "SELECT id FROM main.meetings
            WHERE id IN (SELECT id FROM temp.gone WHERE name = 'meetings')",
        apply: "DELETE FROM main.meetings WHERE id IN (SELECT id FROM temp.picked)",
    },
    Rule {
        name: "transcripts_erased",
        pick: "SELECT m.id FROM main.meetings m JOIN old.meetings o ON o.id = m.id
            WHERE json_extract(o.data, '$.redacted') IS NOT NULL
              AND json_extract(m.data, '$.redacted') IS NULL",
        apply: "DELETE FROM main.segments WHERE meeting_id IN (SELECT id FROM temp.picked);
            DELETE FROM main.removed_segments WHERE meeting_id IN (SELECT id FROM temp.picked);
            DELETE FROM main.streams WHERE meeting_id IN (SELECT id FROM temp.picked);
            DELETE FROM main.deliveries WHERE meeting_id IN (SELECT id FROM temp.picked);
            DELETE FROM main.event_parts WHERE meeting_id IN (SELECT id FROM temp.picked);
            DELETE FROM main.shares WHERE meeting_id IN (SELECT id FROM temp.picked);
            UPDATE main.sessions SET bot_name = '', language = NULL, token_hash = NULL
              WHERE meeting_id IN (SELECT id FROM temp.picked);
            UPDATE main.meetings AS m
              SET (native_meeting_id, constructed_meeting_url, status, start_time, end_time, data,
                   updated_at)
                = (SELECT native_meeting_id, constructed_meeting_url, status, start_time, end_time,
                     data, updated_at FROM old.meetings o WHERE o.id = m.id)
              WHERE m.id IN (SELECT id FROM temp.picked)",
    },
    // Whether its bot was sent, and what became of it, is known there alone.
    Rule {
        name: "plans_changed",
        pick: "SELECT m.id FROM main.meetings m JOIN old.meetings o ON o.id = m.id
            WHERE m.status = 'scheduled' AND (o.status <> 'scheduled' OR o.join_at <> m.join_at)",
        apply: "UPDATE main.meetings AS m
              SET (native_meeting_id, constructed_meeting_url, status, bot_container_id, start_time,
                   end_time, data, updated_at, join_at)
                = (SELECT native_meeting_id, constructed_meeting_url,
                     CASE status WHEN 'scheduled' THEN status WHEN 'completed' THEN status ELSE 'failed' END,
                     bot_container_id, start_time, ifnull(end_time, updated_at), data, updated_at, join_at
                   FROM old.meetings o WHERE o.id = m.id)
              WHERE m.id IN (SELECT id FROM temp.picked);
            UPDATE main.meetings SET end_time = NULL
              WHERE status = 'scheduled' AND id IN (SELECT id FROM temp.picked);
            UPDATE main.sessions SET plan = NULL WHERE meeting_id IN
              (SELECT id FROM main.meetings WHERE status <> 'scheduled' AND id IN (SELECT id FROM temp.picked))",
    },
    Rule {
        name: "users_disabled",
        pick: "SELECT m.id FROM main.users m JOIN old.users o ON o.id = m.id
            WHERE m.disabled_at IS NULL AND o.disabled_at IS NOT NULL",
        apply: "UPDATE main.users AS m
            SET disabled_at = (SELECT disabled_at FROM old.users o WHERE o.id = m.id)
            WHERE m.id IN (SELECT id FROM temp.picked)",
    },
    Rule {
        name: "users_limited",
        pick: "SELECT m.id FROM main.users m JOIN old.users o ON o.id = m.id
            WHERE o.max_concurrent_bots < m.max_concurrent_bots",
        apply: "UPDATE main.users AS m SET max_concurrent_bots
              = (SELECT max_concurrent_bots FROM old.users o WHERE o.id = m.id)
            WHERE m.id IN (SELECT id FROM temp.picked)",
    },
    Rule {
        name: "webhooks_changed",
        pick: "SELECT m.id FROM main.users m JOIN old.users o ON o.id = m.id
            LEFT JOIN main.webhook_secrets ms ON ms.user_id = m.id
            LEFT JOIN old.webhook_secrets os ON os.user_id = m.id
            WHERE (m.webhook_url, m.webhook_events, ms.secret, ms.old_secret, ms.old_until)
              IS NOT (o.webhook_url, o.webhook_events, os.secret, os.old_secret, os.old_until)",
        apply: "UPDATE main.users AS m
              SET (webhook_url, webhook_events)
                = (SELECT webhook_url, webhook_events FROM old.users o WHERE o.id = m.id)
              WHERE m.id IN (SELECT id FROM temp.picked);
            DELETE FROM main.webhook_secrets WHERE user_id IN (SELECT id FROM temp.picked);
            INSERT INTO main.webhook_secrets (user_id, secret, old_secret, old_until)
              SELECT user_id, secret, old_secret, old_until FROM old.webhook_secrets
              WHERE user_id IN (SELECT id FROM temp.picked)",
    },
    Rule {
        name: "webhooks_deleted",
        pick: "SELECT id FROM main.webhooks
            WHERE id IN (SELECT id FROM temp.gone WHERE name = 'webhooks')
               OR EXISTS (SELECT 1 FROM old.webhooks o
                          WHERE o.id = webhooks.id AND o.user_id <> webhooks.user_id)",
        apply: "DELETE FROM main.webhooks WHERE id IN (SELECT id FROM temp.picked)",
    },
    Rule {
        name: "webhooks_updated",
        pick: "SELECT m.id FROM main.webhooks m JOIN old.webhooks o ON o.id = m.id
            WHERE (m.url, m.events, m.secret, m.old_secret, m.old_until)
              IS NOT (o.url, o.events, o.secret, o.old_secret, o.old_until)",
        apply: "UPDATE main.webhooks AS m
            SET (url, events, secret, old_secret, old_until)
              = (SELECT url, events, secret, old_secret, old_until
                 FROM old.webhooks o WHERE o.id = m.id)
            WHERE m.id IN (SELECT id FROM temp.picked)",
    },
    Rule {
        name: "tokens_revoked",
        pick: "SELECT t.id FROM main.tokens t
            WHERE t.id IN (SELECT id FROM temp.gone WHERE name = 'tokens')
               OR EXISTS (SELECT 1 FROM old.ended_keys e WHERE e.hash = t.hash)
               OR EXISTS (SELECT 1 FROM old.tokens o
                          WHERE o.id = t.id AND (o.hash <> t.hash OR o.user_id <> t.user_id))",
        apply: "INSERT OR IGNORE INTO main.ended_keys (hash, user_id, ended_at, is_foreign)
              SELECT hash, user_id, (SELECT now FROM temp.moment), is_foreign FROM main.tokens
              WHERE id IN (SELECT id FROM temp.picked);
            DELETE FROM main.tokens WHERE id IN (SELECT id FROM temp.picked)",
    },
    Rule {
        name: "tokens_restricted",
        pick: "SELECT m.id FROM main.tokens m JOIN old.tokens o ON o.id = m.id
            WHERE (m.disabled_at IS NULL AND o.disabled_at IS NOT NULL)
               OR o.expires_at < ifnull(m.expires_at, o.expires_at + 1)
               OR o.disuse_seconds < ifnull(m.disuse_seconds, o.disuse_seconds + 1)
               OR o.lifetime_seconds < ifnull(m.lifetime_seconds, o.lifetime_seconds + 1)
               OR (m.replaced_by IS NULL AND o.replaced_by IS NOT NULL)
               OR (o.scope IS NOT NULL AND o.scope IS NOT m.scope)",
        apply: "UPDATE main.tokens AS m SET
              disabled_at = ifnull(m.disabled_at, o.disabled_at),
              expires_at = min(ifnull(m.expires_at, o.expires_at),
                               ifnull(o.expires_at, m.expires_at)),
              disuse_seconds = min(ifnull(m.disuse_seconds, o.disuse_seconds),
                                   ifnull(o.disuse_seconds, m.disuse_seconds)),
              lifetime_seconds = min(ifnull(m.lifetime_seconds, o.lifetime_seconds),
                                     ifnull(o.lifetime_seconds, m.lifetime_seconds)),
              replaced_by = ifnull(m.replaced_by, o.replaced_by),
              scope = ifnull(o.scope, m.scope)
            FROM old.tokens o WHERE o.id = m.id AND m.id IN (SELECT id FROM temp.picked)",
    },
    Rule {
        name: "shares_revoked",
        pick: "SELECT id FROM main.shares
            WHERE id IN (SELECT id FROM temp.gone WHERE name = 'shares')
              AND expires_at > (SELECT now FROM temp.moment)",
        apply: "DELETE FROM main.shares WHERE id IN (SELECT id FROM temp.picked)",
    },
    Rule {
        name: "admin_keys_rotated",
        pick: "SELECT m.id FROM main.admin_keys m JOIN old.admin_keys o ON o.id = m.id
            WHERE (m.hash, m.old_hash, m.old_until, m.expires_at)
              IS NOT (o.hash, o.old_hash, o.old_until, o.expires_at)
              AND o.hash NOT IN (SELECT hash FROM main.ended_keys)",
        apply: "UPDATE main.admin_keys AS m
            SET (hash, hint, expires_at, rotated_at, old_hash, old_until, lifetime_seconds)
              = (SELECT hash, hint, expires_at, rotated_at, old_hash, old_until, lifetime_seconds
                 FROM old.admin_keys o WHERE o.id = m.id)
            WHERE m.id IN (SELECT id FROM temp.picked)",
    },
    Rule {
        name: "admin_keys_revoked",
        pick: "SELECT id FROM main.admin_keys
            WHERE id IN (SELECT id FROM temp.gone WHERE name = 'admin_keys')
               OR hash IN (SELECT hash FROM main.ended_keys)",
        apply: "INSERT OR IGNORE INTO main.ended_keys (hash, ended_at)
              SELECT hash, (SELECT now FROM temp.moment) FROM main.admin_keys
              WHERE id IN (SELECT id FROM temp.picked);
            DELETE FROM main.admin_keys WHERE id IN (SELECT id FROM temp.picked)",
    },
    Rule {
        name: "events_settled",
        pick: "SELECT m.id FROM main.deliveries m
            JOIN old.deliveries o ON o.id = m.id AND o.uid = m.uid
            WHERE m.next_at IS NOT NULL AND o.next_at IS NULL",
        apply: "UPDATE main.deliveries AS m
            SET (attempts, next_at, delivered_at, last_status, last_error)
              = (SELECT attempts, next_at, delivered_at, last_status, last_error
                 FROM old.deliveries o WHERE o.id = m.id)
            WHERE m.id IN (SELECT id FROM temp.picked)",
    },
];

/// Keys that ended are known as such, whoever had them: the settings may name them still. It is done
/// once the users are gone.
const ENDED_KEYS: &str = "
    INSERT OR REPLACE INTO main.ended_keys
        (hash, user_id, ended_at, token_id, chain_id, issued_at, is_foreign)
      SELECT hash, (SELECT id FROM main.users u WHERE u.id = e.user_id), ended_at, token_id,
        chain_id, issued_at, is_foreign
      FROM old.ended_keys e;";

/// The secret before a rotation is not accepted any more where it has ended.
const ENDED_OLD_SECRETS: &str = "
    UPDATE main.admin_keys SET old_hash = NULL, old_until = NULL
      WHERE old_hash IN (SELECT hash FROM main.ended_keys);";

/// What is newer and nobody need be told of: when tokens were used, what runs a bot, how
/// far events are, the time.
const QUIET: &str = "
    UPDATE main.meetings AS m SET bot_container_id = o.bot_container_id
      FROM old.meetings o WHERE o.id = m.id AND o.bot_container_id IS NOT NULL;
    UPDATE main.tokens AS m SET last_used_at = o.last_used_at, last_address = o.last_address
      FROM old.tokens o WHERE o.id = m.id AND o.last_used_at > ifnull(m.last_used_at, 0);
    UPDATE main.deliveries AS m SET attempts = o.attempts, next_at = o.next_at,
        last_status = o.last_status, last_error = o.last_error
      FROM old.deliveries o
      WHERE o.id = m.id AND o.uid = m.uid AND m.next_at IS NOT NULL AND o.next_at IS NOT NULL;
    INSERT OR IGNORE INTO temp.told
      SELECT m.id FROM main.deliveries m JOIN old.deliveries o ON o.id = m.id AND o.uid = m.uid;
    INSERT INTO main.clock (id, latest, doubted_shown, doubted_ran_ms)
      SELECT id, latest, doubted_shown, doubted_ran_ms FROM old.clock WHERE true
      ON CONFLICT (id) DO UPDATE SET latest = excluded.latest,
        doubted_shown = excluded.doubted_shown, doubted_ran_ms = excluded.doubted_ran_ms
      WHERE excluded.latest > latest;";

/// Ids never come back; the audit log gives its own.
const COUNTERS: &str = "
    UPDATE main.sqlite_sequence AS m
      SET seq = max(m.seq, (SELECT seq FROM old.sqlite_sequence o WHERE o.name = m.name))
      WHERE m.name IN (SELECT name FROM old.sqlite_sequence) AND m.name <> 'audit';
    INSERT INTO main.sqlite_sequence (name, seq)
      SELECT name, seq FROM old.sqlite_sequence
      WHERE name <> 'audit' AND name NOT IN (SELECT name FROM main.sqlite_sequence);";

/// What was applied again: the name of each kind, and the ids of what it concerned.
pub(super) type Applied = Vec<(&'static str, Vec<i64>)>;

/// The names of all kinds.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    RULES.iter().map(|rule| rule.name)
}

/// Applies all that is newer in the attached file; adds it to what was applied from others.
pub(super) fn apply(db: &Connection, applied: &mut Applied) -> rusqlite::Result<()> {
    find_gaps(db)?;
    strike_known(db)?;
    db.execute("DELETE FROM temp.gone", [])?;
    for table in WITH_IDS {
        db.execute_batch(&format!(
            "INSERT INTO temp.gone SELECT '{table}', m.id FROM main.{table} m
             WHERE m.id <= (SELECT seq FROM old.sqlite_sequence WHERE name = '{table}')
               AND NOT EXISTS (SELECT 1 FROM old.{table} o WHERE o.id = m.id)
               AND NOT EXISTS (SELECT 1 FROM temp.gaps g
                               WHERE g.name = '{table}' AND m.id > g.low AND m.id <= g.high)"
        ))?;
    }
    for rule in RULES {
        let ids = apply_rule(db, rule)?;
        match applied.iter_mut().find(|(name, _)| *name == rule.name) {
            Some((_, all)) => {
                all.extend(ids);
                all.sort_unstable();
                all.dedup();
            }
            None => applied.push((rule.name, ids)),
        }
        if rule.name == "users_erased" {
            db.execute_batch(ENDED_KEYS)?;
        }
    }
    db.execute_batch(ENDED_OLD_SECRETS)?;
    db.execute_batch(QUIET)?;
    db.execute_batch(&format!(
        "INSERT OR IGNORE INTO temp.over SELECT id FROM old.meetings o WHERE status NOT IN {}
           AND NOT EXISTS (SELECT 1 FROM old.deliveries d
                           WHERE d.meeting_id = o.id AND d.next_at IS NOT NULL)",
        *NOT_OVER
    ))?;
    db.execute_batch(COUNTERS)
}

fn apply_rule(db: &Connection, rule: &Rule) -> rusqlite::Result<Vec<i64>> {
    db.execute("DELETE FROM temp.picked", [])?;
    db.execute_batch(&format!("INSERT OR IGNORE INTO temp.picked {}", rule.pick))?;
    let mut list = db.prepare("SELECT id FROM temp.picked ORDER BY id")?;
    let ids = list.query_map([], |row| row.get(0))?;
    let ids: Vec<i64> = ids.collect::<rusqlite::Result<_>>()?;
    if !ids.is_empty() {
        db.execute_batch(rule.apply)?;
    }
    Ok(ids)
}

/// The audit log is not set back: that of the attached file goes on. What an entry says about a
/// person goes where the restored file has no such person.
pub(super) fn take_audit_log(db: &Connection) -> rusqlite::Result<()> {
    db.execute_batch(
        "DELETE FROM main.audit;
         DELETE FROM main.audit_base;
         INSERT INTO main.audit (id, at, actor, address, action, subject, subject_id, user_id,
             details_hash, hash)
           SELECT id, at, actor, address, action, subject, subject_id, user_id, details_hash, hash
           FROM old.audit;
         INSERT INTO main.audit_base (id, hash) SELECT id, hash FROM old.audit_base;
         INSERT INTO main.audit_details (audit_id, salt, before, after)
           SELECT d.audit_id, d.salt, d.before, d.after FROM old.audit_details d
           JOIN old.audit a ON a.id = d.audit_id
           WHERE a.user_id IS NULL OR a.action = 'user.delete'
              OR a.user_id IN (SELECT id FROM main.users);
         DELETE FROM main.sqlite_sequence WHERE name = 'audit';
         INSERT INTO main.sqlite_sequence SELECT name, seq FROM old.sqlite_sequence
           WHERE name = 'audit';",
    )
}
