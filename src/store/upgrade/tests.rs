//! Files of older versions, with rows in them, and what they become.

#![cfg(test)]

use super::*;
use crate::store::upgrade::older_files::{older, older_than_5};

/// The tables, indexes and triggers of a file.
fn shape(connection: &Connection) -> std::collections::BTreeMap<String, String> {
    shape::shape(connection).expect("a schema")
}

fn fresh() -> Connection {
    let mut connection = Connection::open_in_memory().expect("memory");
    assert!(bring_up(&mut connection, STEPS).is_ok());
    connection
}

#[test]
fn sqlite_is_new_enough() {
    assert!(rusqlite::version_number() >= SQLITE_MIN, "{}", rusqlite::version());
}

#[test]
fn a_second_start_changes_nothing() {
    let mut connection = fresh();
    let before = shape(&connection);
    assert!(bring_up(&mut connection, STEPS).is_ok());
    assert_eq!(before, shape(&connection));
}

#[test]
fn older_files_become_what_a_new_one_is_and_keep_their_rows() {
    for (version, mut connection) in (1..).zip(older()) {
        for start in ["first", "second"] {
            let row = format!("version {version}, {start} start");
            assert!(bring_up(&mut connection, STEPS).is_ok(), "{row}");
            assert_eq!(shape(&connection), shape(&fresh()), "{row}");
            let kept = "SELECT (SELECT count(*) FROM users) + (SELECT count(*) FROM tokens) +
                        (SELECT count(*) FROM meetings) + (SELECT count(*) FROM sessions) +
                        (SELECT count(*) FROM segments)";
            let kept = connection.query_row(kept, [], |row| row.get::<_, i64>(0)).expect("count");
            assert_eq!(kept, if version == 1 { 3 } else { 5 }, "{row}");
        }
    }
}

/// What was said before the step is in the index, and nothing is left to do for it.
#[test]
fn what_was_indexed_by_an_older_version_stays_so() {
    for mut connection in older().into_iter().skip(1) {
        assert!(bring_up(&mut connection, STEPS).is_ok());
        let indexed = "SELECT count(*) FROM words JOIN segments s ON s.id = words.rowid
                       WHERE words MATCH 'owner:u1 AND text:morning' AND s.unindexed_user_id IS NULL";
        let indexed = connection.query_row(indexed, [], |row| row.get::<_, i64>(0)).expect("count");
        assert_eq!(indexed, 1);
    }
}

/// Segments of an older file have a stream and an identity, and ids do not come back; times in
/// the data of meetings have three digits.
#[test]
fn what_was_said_before_there_were_streams_has_one() {
    let [.., mut connection] = older_than_5();
    let more = r#"INSERT INTO meetings (user_id, platform, status, data, created_at, updated_at)
          VALUES (1, 'teams', 'on_hold', '{"a":1.50,"status_transition":[{"to":"active","timestamp":"2025-10-10T12:00:00.1Z"},7,{"timestamp":"soon"},{}]}', 0, 0);
        INSERT INTO sessions (meeting_id, uid, bot_name, started_at) VALUES (2, 'silent', 'Vomeet', 5);
        INSERT INTO segments (id, meeting_id, session_id, start_ms, end_ms, absolute_start, absolute_end, text, speaker, language,
            created_at, updated_at, unindexed_user_id)
          VALUES (7, 1, 1, 1500, 2500, 1500, 2500, 'niño', 'Ada', 'es', 3, 4, NULL),
            (8, 1, 1, 3000, 4000, 3000, 4000, 'last', NULL, NULL, 3, 4, 1);
        DELETE FROM segments WHERE id = 8;"#;
    connection.execute_batch(more).expect("rows");
    assert!(bring_up(&mut connection, STEPS).is_ok());
    let list = |sql: &str| -> Vec<String> {
        let mut rows = connection.prepare(sql).expect(sql);
        let rows = rows.query_map([], |row| row.get(0)).expect("rows");
        rows.map(|row| row.expect("a row")).collect()
    };
    assert_eq!(list("SELECT meeting_id || uid || started_at FROM streams"), ["1u0"]);
    let segments = "SELECT json_array(id, meeting_id, stream_id, identity, absolute_start, absolute_end, text,
        speaker, speaker_source, language, completed, created_at, updated_at, unindexed_user_id) FROM segments";
    let expected = [
        r#"[1,1,1,"1:0:",0,1,"good morning",null,"unknown",null,1,0,0,null]"#,
        r#"[7,1,1,"1:1500:Ada",1500,2500,"niño","Ada","stream","es",1,3,4,1]"#,
    ];
    assert_eq!(list(segments), expected);
    let expected = r#"{"a":1.50,"status_transition":[{"to":"active","timestamp":"2025-10-10T12:00:00.100Z"},7,{"timestamp":"soon"},{}]}"#;
    assert_eq!(list("SELECT data FROM meetings WHERE id = 2"), [expected]);
    let next = "INSERT INTO segments (meeting_id, stream_id, identity, absolute_start, absolute_end, text,
        speaker_source, completed, created_at, updated_at) VALUES (1, 1, 'x', 0, 1, 'x', 'unknown', 1, 0, 0)";
    connection.execute(next, []).expect("a segment");
    assert_eq!(connection.last_insert_rowid(), 9, "an id came back");
    connection.execute("DELETE FROM segments WHERE id = 1", []).expect("gone");
    assert_eq!(list("SELECT text FROM words"), Vec::<String>::new(), "the trigger is there");
}

/// The address of a webhook stood in the user's data; it has a column, and the rest stays to the
/// letter. The latest time is that of the rows.
#[test]
fn webhooks_move_into_their_column_and_the_latest_time_is_noted() {
    for mut connection in older_than_5() {
        assert!(bring_up(&mut connection, STEPS).is_ok());
        let user = connection.query_row("SELECT data, webhook_url FROM users", [], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
        });
        let expected = (r#"{"n":1.50}"#.to_owned(), "https://example.com/hook".to_owned());
        assert_eq!(user, Ok(expected));
        let latest = connection.query_row("SELECT latest FROM clock", [], |row| row.get(0));
        assert_eq!(latest, Ok(7));
    }
}

/// The events and the secret of the one webhook that users had are those of the first one now.
#[test]
fn what_was_told_before_there_were_several_webhooks_went_to_the_first() {
    let [.., mut connection] = older();
    assert!(bring_up(&mut connection, STEPS).is_ok());
    let read =
        |sql: &str| -> String { connection.query_row(sql, [], |row| row.get(0)).expect(sql) };
    let events = "SELECT json_group_array(json_array(id, uid, webhook_id, attempts, next_at, delivered_at)) FROM deliveries";
    assert_eq!(read(events), r#"[[1,"a",0,2,3,null],[2,"b",0,5,null,6]]"#);
    let secrets = "SELECT json_array(secret, old_secret, old_until, webhook_url, webhook_events)
                   FROM webhook_secrets JOIN users ON users.id = user_id";
    assert_eq!(read(secrets), r#"["a secret",null,null,"https://example.com/hook",null]"#);
    let plan = "EXPLAIN QUERY PLAN SELECT min(id) FROM deliveries WHERE next_at IS NOT NULL GROUP BY meeting_id, webhook_id";
    let mut plan = connection.prepare(plan).expect("a plan");
    let mut steps = plan.query_map([], |row| row.get::<_, String>(3)).expect("steps");
    let wanted = "SCAN deliveries USING INDEX deliveries_waiting".to_owned();
    assert_eq!((steps.next(), steps.next()), (Some(Ok(wanted)), None), "no list is sorted");
}

/// What is no address stays as it is, and an empty one is none.
#[test]
fn what_is_no_webhook_stays_in_the_data() {
    for (data, kept, url) in [
        (r#"{"webhook_url":5}"#, r#"{"webhook_url":5}"#, None),
        (r#"{"webhook_url":null}"#, r#"{"webhook_url":null}"#, None),
        (r#"{"webhook_url":""}"#, "{}", None),
        ("no json", "no json", None),
        (r#"{"webhook\u005furl":"https://x.example"}"#, "{}", Some("https://x.example")),
    ] {
        let [.., mut connection] = older_than_5();
        connection.execute("UPDATE users SET data = ?1", [data]).expect("data");
        assert!(bring_up(&mut connection, STEPS).is_ok(), "{data}");
        let user = connection.query_row("SELECT data, webhook_url FROM users", [], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, Option<String>>(1)?))
        });
        assert_eq!(user, Ok((kept.to_owned(), url.map(str::to_owned))), "{data}");
    }
}

/// What the audit log says about a user goes with the user, by whichever version it was
/// written.
#[test]
fn what_an_older_version_recorded_about_a_user_goes_with_the_user() {
    let [.., mut connection] = older();
    assert!(bring_up(&mut connection, STEPS).is_ok());
    let count =
        |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0)).expect("count");
    let details =
        "SELECT count(*) FROM audit_details WHERE after = '{\"id\":1}' AND salt = zeroblob(8)";
    assert_eq!(count(details), 1);
    connection.execute("DELETE FROM users WHERE id = 1", []).expect("an end");
    assert_eq!((count(details), count("SELECT count(*) FROM audit")), (0, 1));
}

#[test]
fn addresses_count_by_what_the_dns_has_and_no_two_users_become_one() {
    let add = "INSERT INTO users (email, email_key, max_concurrent_bots, data, created_at) VALUES (?1, ?2, 1, '{}', 0)";
    for mut connection in older_than_5() {
        for (email, key) in [
            ("ceo@straße.de", "ceo@strasse.de"),
            ("U@MÜNCHEN.de", "u@münchen.de"),
            ("straße@b.c", "strasse@b.c"),
        ] {
            connection.execute(add, [email, key]).expect("a user");
        }
        let before = shape(&connection);
        connection.execute(add, ["u@xn--mnchen-3ya.de", "u@xn--mnchen-3ya.de"]).expect("twin");
        let Err(Refusal::Twins(named)) = bring_up(&mut connection, STEPS) else {
            panic!("two users became one")
        };
        assert_eq!(named, "U@MÜNCHEN.de and u@xn--mnchen-3ya.de");
        assert_eq!(shape(&connection), before, "the file is as it was");
        connection.execute("DELETE FROM users WHERE id = 5", []).expect("one less");
        assert!(bring_up(&mut connection, STEPS).is_ok());
        let mut keys =
            connection.prepare("SELECT email_key FROM users ORDER BY id").expect("users");
        let keys = keys.query_map([], |row| row.get(0)).expect("keys");
        let keys: Vec<String> = keys.map(|key| key.expect("a key")).collect();
        assert_eq!(keys, ["a@b.c", "ceo@xn--strae-oqa.de", "u@xn--mnchen-3ya.de", "straße@b.c"]);
    }
}

/// How long a token is meant to live was its end less its beginning; a chain is what the audit
/// log tells of its holders.
#[test]
fn tokens_get_their_lifetimes_and_chains() {
    let [.., mut connection] = older_than_5();
    let rows = "INSERT INTO tokens (id, user_id, hash, hint, created_at, expires_at) VALUES
          (11, 1, randomblob(32), 'AbCd', 1000, 61000), (12, 1, randomblob(32), 'AbCd', 1000, NULL),
          (13, 1, randomblob(32), 'AbCd', 1000, NULL), (15, 1, randomblob(32), 'AbCd', 1000, NULL);
        INSERT INTO audit (at, actor, action, subject, subject_id, user_id, details_hash, hash) VALUES
          (0, 'token:10', 'token.rotate', 'token', 11, 1, zeroblob(32), zeroblob(32)),
          (0, 'token:11', 'token.rotate', 'token', 12, 1, zeroblob(32), zeroblob(32)),
          (0, 'key:ada', 'token.rotate', 'token', 13, 1, zeroblob(32), zeroblob(32)),
          (0, 'token:14', 'token.rotate', 'token', 15, 1, zeroblob(32), zeroblob(32));
        INSERT INTO admin_keys (name, hash, hint, created_at, expires_at, rotated_at) VALUES
          ('ada', randomblob(32), 'AbCd', 0, 90000, 30000);";
    connection.execute_batch(rows).expect("rows");
    assert!(bring_up(&mut connection, STEPS).is_ok());
    let mut list = connection
        .prepare("SELECT id, lifetime_seconds, chain_id FROM tokens WHERE id > 10 ORDER BY id")
        .expect("tokens");
    let list = list.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).expect("rows");
    let list: Vec<(i64, Option<i64>, Option<i64>)> = list.map(|row| row.expect("row")).collect();
    assert_eq!(
        list,
        [(11, Some(60), Some(10)), (12, None, Some(10)), (13, None, None), (15, None, Some(14))]
    );
    let key = connection.query_row("SELECT lifetime_seconds FROM admin_keys", [], |row| row.get(0));
    assert_eq!(key, Ok(60_i64));
}

#[test]
fn a_step_that_fails_leaves_the_file_as_it_was() {
    let [mut connection, ..] = older();
    let before = shape(&connection);
    let steps = &[STEPS[0], Step { sql: "CREATE TABLE users (x)", ..STEPS[1] }];
    assert!(bring_up(&mut connection, steps).is_err());
    assert_eq!(shape(&connection), before);
    assert_eq!(
        connection
            .pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0))
            .expect("version"),
        1
    );
}

/// Whoever deletes a row looks for its children, on the one thread that writes.
#[test]
fn every_foreign_key_has_an_index() {
    let connection = fresh();
    let mut keys = connection
        .prepare("SELECT m.name, f.\"from\" FROM sqlite_schema m, pragma_foreign_key_list(m.name) f WHERE m.type = 'table'")
        .expect("keys");
    let keys = keys
        .query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))
        .expect("rows");
    let mut seen = 0;
    for (table, column) in keys.map(|key| key.expect("a key")) {
        let explain = format!("EXPLAIN QUERY PLAN SELECT 1 FROM {table} WHERE {column} = 1");
        let plan: String = connection.query_row(&explain, [], |row| row.get(3)).expect("a plan");
        assert!(plan.starts_with("SEARCH"), "{table}.{column}: {plan}");
        seen += 1;
    }
    assert!(seen >= 8, "only {seen} keys were seen");
}

#[test]
fn foreign_and_newer_files_are_refused() {
    for (prepare, expected) in [
        ("CREATE TABLE t (x)", "another program"),
        ("PRAGMA application_id = 7", "another program"),
        (
            "PRAGMA application_id = 1448037716; PRAGMA user_version = 99; CREATE TABLE t (x)",
            "newer vomeet",
        ),
    ] {
        let mut connection = Connection::open_in_memory().expect("memory");
        connection.execute_batch(prepare).expect(prepare);
        let Err(Refusal::Foreign(why)) = bring_up(&mut connection, STEPS) else {
            panic!("accepted: {prepare}")
        };
        assert!(why.contains(expected), "{prepare}: {why}");
    }
}

/// Rows of each table that a file of this version has, so many of each.
fn fill(connection: &Connection, version: usize, count: i64) {
    let numbers = "WITH RECURSIVE n(i) AS (SELECT 10 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)";
    let mut rows = vec![
        "INSERT INTO users (id, email, email_key, max_concurrent_bots, data, created_at)
           SELECT i, i || '@b.c', i || '@b.c', 1, '{}', 0 FROM n",
        "INSERT INTO tokens (id, user_id, hash, hint, created_at) SELECT i, i, randomblob(32), 'AbCd', 0 FROM n",
        "INSERT INTO meetings (id, user_id, platform, status, data, created_at, updated_at)
           SELECT i, i, 'teams', 'completed', '{}', 0, 7 FROM n",
    ];
    if version >= 2 {
        rows.push("INSERT INTO sessions (id, meeting_id, uid, bot_name, started_at) SELECT i, i, 'u' || i, 'Vomeet', 0 FROM n");
    }
    if (2..5).contains(&version) {
        rows.push(
            "INSERT INTO segments (meeting_id, session_id, start_ms, end_ms, absolute_start, absolute_end, text, speaker,
                created_at, updated_at)
              SELECT i, i, m.at, m.at, m.at, m.at, 'good morning to all of you', 'Ada', 0, 0
              FROM n, (SELECT 1000 AS at UNION ALL SELECT 2000 UNION ALL SELECT 3000 UNION ALL SELECT 4000) m",
        );
    }
    if version >= 5 {
        rows.push(
            "INSERT INTO streams (id, meeting_id, uid, started_at) SELECT i, i, 'u', 0 FROM n",
        );
        rows.push(
            "INSERT INTO segments (meeting_id, stream_id, identity, absolute_start, absolute_end, text, speaker_source,
                completed, created_at, updated_at)
              SELECT i, i, 'x', 0, 1, 'good morning to all of you', 'unknown', 1, 0, 0 FROM n",
        );
    }
    if version == 3 {
        rows.push(
            "INSERT INTO audit (id, at, actor, action, subject, user_id, details_hash, hash)
              SELECT i, 0, 'file', 'user.create', 'user', i, zeroblob(32), zeroblob(32) FROM n",
        );
        rows.push("INSERT INTO audit_details (audit_id, user_id, salt, after) SELECT i, i, zeroblob(8), '{\"id\":1}' FROM n");
    }
    if version == 6 {
        rows.push(
            "INSERT INTO deliveries (user_id, meeting_id, uid, body, created_at, attempts, next_at)
              SELECT i, i, 'u', '{}', 0, 0, CASE WHEN i % 2 THEN 0 END FROM n",
        );
    }
    for row in rows {
        connection.execute(&format!("{numbers} {row}"), [count + 9]).expect(row);
    }
}

/// The estimate of an upgrade, and the bar, are as good as what a row is said to cost.
#[test]
fn a_step_costs_what_it_is_said_to_cost() {
    const COUNT: i64 = 3000;
    for (version, mut connection) in (1..).zip(older()) {
        fill(&connection, version, COUNT);
        let rows =
            plan::count(&connection, i64::try_from(version).expect("small")).expect("counts");
        let step = &STEPS[version - 1];
        let estimated: u64 = step.operations.iter().map(|(table, each)| rows[*table] * each).sum();
        let counted = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(0));
        let count = std::sync::Arc::clone(&counted);
        let note = move || {
            count.fetch_add(100, std::sync::atomic::Ordering::Relaxed);
            false
        };
        add_email_key(&connection).expect("a function");
        connection.progress_handler(100, Some(note)).expect("a handler");
        let tx = connection.transaction().expect("a transaction");
        tx.execute_batch(step.sql).expect("a step");
        tx.commit().expect("a commit");
        let counted = counted.load(std::sync::atomic::Ordering::Relaxed);
        println!("version {version}: {estimated} estimated, {counted} counted, {rows:?}");
        let error = estimated.abs_diff(counted);
        assert!(error <= counted / 3 + 20_000, "version {version}: {estimated}, but {counted}");
    }
}
