//! A file of each older version, with rows in it, for tests.

#![cfg(test)]

use crate::store::upgrade::APPLICATION_ID;
use rusqlite::Connection;

/// Files as each older version left them, with rows in their tables.
pub(super) fn older() -> [Connection; 7] {
    let rows = "INSERT INTO users (email, email_key, max_concurrent_bots, data, created_at) VALUES ('a@b.c', 'a@b.c', 1, '{}', 0);
        INSERT INTO tokens (user_id, hash, hint, created_at) VALUES (1, zeroblob(32), 'AbCd', 0);
        INSERT INTO meetings (user_id, platform, status, data, created_at, updated_at) VALUES (1, 'teams', 'failed', '{}', 0, 7);
        UPDATE users SET data = '{\"n\":1.50,\"webhook_url\":\"https://example.com/hook\"}';";
    let said = "INSERT INTO sessions (meeting_id, uid, bot_name, started_at) VALUES (1, 'u', 'Vomeet', 0);
        INSERT INTO segments (meeting_id, session_id, start_ms, end_ms, absolute_start, absolute_end, text, created_at, updated_at)
          VALUES (1, 1, 0, 1, 0, 1, 'good morning', 0, 0);
        INSERT INTO words (rowid, owner, speaker, text) VALUES (1, 'u1', '', 'good morning');";
    let recorded = "INSERT INTO audit (at, actor, action, subject, user_id, details_hash, hash)
          VALUES (0, 'file', 'user.create', 'user', 1, zeroblob(32), zeroblob(32));
        INSERT INTO audit_details (audit_id, user_id, salt, after) VALUES (1, 1, zeroblob(8), '{\"id\":1}');";
    let recorded_of_4 = recorded
        .replace("audit_id, user_id, salt", "audit_id, salt")
        .replace("(1, 1, zeroblob(8)", "(1, zeroblob(8)");
    let said_in_5 = "INSERT INTO sessions (meeting_id, uid, bot_name, started_at) VALUES (1, 'u', 'Vomeet', 0);
        INSERT INTO streams (meeting_id, uid, started_at) VALUES (1, 'u', 0);
        INSERT INTO segments (meeting_id, stream_id, identity, absolute_start, absolute_end, text, speaker_source, completed,
            created_at, updated_at)
          VALUES (1, 1, '1:0:', 0, 1, 'good morning', 'unknown', 1, 0, 0);
        INSERT INTO words (rowid, owner, speaker, text) VALUES (1, 'u1', '', 'good morning');
        INSERT INTO clock (id, latest) VALUES (1, 7);";
    let told = "UPDATE users SET webhook_url = 'https://example.com/hook';
        INSERT INTO webhook_secrets (user_id, secret) VALUES (1, 'a secret');
        INSERT INTO deliveries (user_id, meeting_id, uid, body, created_at, attempts, next_at, delivered_at)
          VALUES (1, 1, 'a', '{}', 1, 2, 3, NULL), (1, 1, 'b', '{}', 4, 5, NULL, 6);";
    let older = [
        format!("{}{rows} PRAGMA user_version = 1;", include_str!("at_1.sql")),
        format!("{}{rows}{said} PRAGMA user_version = 2;", include_str!("at_2.sql")),
        format!("{}{rows}{said}{recorded} PRAGMA user_version = 3;", include_str!("at_3.sql")),
        format!("{}{rows}{said}{recorded_of_4} PRAGMA user_version = 4;", include_str!("at_4.sql")),
        format!(
            "{}{rows}{said_in_5}{recorded_of_4} PRAGMA user_version = 5;",
            include_str!("at_5.sql")
        ),
        format!(
            "{}{rows}{said_in_5}{recorded_of_4}{told} PRAGMA user_version = 6;",
            include_str!("at_6.sql")
        ),
        format!(
            "{}{rows}{said_in_5}{recorded_of_4}{told} PRAGMA user_version = 7;",
            include_str!("at_7.sql")
        ),
    ];
    older.map(|sql| {
        let connection = Connection::open_in_memory().expect("memory");
        connection.execute_batch(&sql).expect("an older file");
        connection.pragma_update(None, "application_id", APPLICATION_ID).expect("application id");
        connection
    })
}

/// Those to which the step to version 5 still happens.
pub(super) fn older_than_5() -> [Connection; 4] {
    let [one, two, three, four, ..] = older();
    [one, two, three, four]
}
