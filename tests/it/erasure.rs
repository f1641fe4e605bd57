//! `DELETE /admin/users/{id}` and `DELETE /meetings/…`: no byte of what was removed is left in any
//! file or in the log.

use crate::client::{Client, Token, find, segment, token_of, wait_for};
use crate::lifecycle::{report, wait_until};
use crate::process::{Launch, Process};
use crate::receiver::Receiver;
use crate::secrets::everything;
use crate::segments::insert_stream;
use crate::server::{Server, Setup, open_file};
use crate::spool::insert_sound;
use crate::tokens::insert_token;
use crate::watcher::Watcher;
use memchr::memmem;
use rusqlite::{Connection, OpenFlags, params};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Instant;

/// A bot that says what it was told, and one thing more.
const BOT: &str = r#"["sh", "-c", "env; echo Zqbotsays; exec sleep 300"]"#;
/// What the tests put everywhere, each in one place of its own.
const MARKS: [&str; 20] = [
    "Zqaddress",
    "Zqperson",
    "Zqpicture",
    "Zqdata",
    "Zqtokenname",
    "zqm-zqme-zqm",
    "Zqspeaker",
    "Zqwörd",
    "Zqwhispered",
    "Zqnotes",
    "Zqbotname",
    "zqhook",
    "Zqsecretofthewebhook",
    "zqsecondhook",
    "Zqsecretofthesecond",
    "Zqbotsays",
    "Zqsound",
    "Zqrecorded",
    "Zqcorrection",
    "Zqgivenname",
];

fn serve(folder: &Path) -> Process {
    let launch =
        Launch::serve(folder).env("VOMEET_LOG", "trace").env("VOMEET_BOTS_RUNNER", "process");
    let launch =
        launch.env("VOMEET_BOTS_PROCESS_COMMAND", BOT).env("VOMEET_BOTS_LOG_FOLDER", "bot-logs");
    let launch = launch.env("VOMEET_TRANSCRIPTION_KEEP_DAYS", "1");
    launch.env("VOMEET_WEBHOOKS_ALLOWED_NETWORKS", "127.0.0.0/8").start()
}

/// The places where a mark is found, as it is or without case and diacritics, as the index has it.
fn found(places: &BTreeMap<String, Vec<u8>>, mark: &str) -> Vec<String> {
    let forms = [mark.to_lowercase(), mark.to_lowercase().replace('ö', "o")];
    let holds = |(name, bytes): (&String, &Vec<u8>)| {
        let text = bytes.to_ascii_lowercase();
        forms.iter().any(|form| find(&text, form.as_bytes()).is_some()).then(|| name.clone())
    };
    places.iter().filter_map(holds).collect()
}

/// Every file of the folder and of that of the bots' output.
pub fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let files = |folder: &Path| everything(folder).into_iter().collect::<Vec<_>>();
    let mut places = BTreeMap::new();
    for entry in
        fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path())
    {
        if entry.is_dir() {
            places.extend(files(&entry));
        } else if entry.is_file() {
            places.insert(entry.display().to_string(), fs::read(&entry).expect("a file"));
        }
    }
    places
}

/// A user with a mark in everything that is theirs, whose bot has been in a meeting and has left
/// it.
fn live_a_life(server: &Client, receiver: &Receiver) -> Token {
    let user = json!({
        "email": "Zqaddress@example.com", "name": "Zqperson", "image_url": "https://example.com/Zqpicture",
        "max_concurrent_bots": 2, "data": { "note": "Zqdata ".repeat(900) },
    });
    let id = server.post("/admin/users").admin().json(&user).send().expect(201)["id"]
        .as_i64()
        .expect("an id");
    let named = json!({ "name": "Zqtokenname" });
    let token = token_of(
        &server.post(format!("/admin/users/{id}/tokens")).admin().json(&named).send().expect(201),
    );
    let hook = json!({ "webhook_url": format!("{}/zqhook", receiver.url()), "webhook_secret": "Zqsecretofthewebhook" });
    server.call("PUT", "/user/webhook").user(&token.text).json(&hook).send().expect(200);
    let hook = json!({ "url": format!("{}/zqsecondhook", receiver.url()), "secret": "Zqsecretofthesecond" });
    server.post("/user/webhooks").user(&token.text).json(&hook).send().expect(201);
    let wanted = json!({ "platform": "google_meet", "native_meeting_id": MARKS[5], "bot_name": "Zqbotname" });
    server.post("/bots").user(&token.text).json(&wanted).send().expect(201);
    attend(server, &token);
    token
}

/// What the bot does: it reports, and says what it hears while somebody watches and searches.
fn attend(server: &Client, token: &Token) {
    let bots = crate::bots::at_work(server, token);
    let uid = crate::bots::session_of(&bots[0]);
    report(server, &uid, "active").expect(200);
    let mut watcher = Watcher::open(server, &token.text);
    watcher.subscribe(&[("google_meet", MARKS[5])]);
    let notes = json!({ "data": { "notes": "Zqnotes", "participants": ["Zqperson"] } });
    server
        .patch(format!("/meetings/google_meet/{}", MARKS[5]))
        .user(&token.text)
        .json(&notes)
        .send()
        .expect(200);
    server
        .get(format!("/transcripts/search?q={}", segment("Zqwhispered")))
        .user(&token.text)
        .send()
        .expect(200);
    server.get("/admin/users/email/Zqaddress@example.com").admin().send().expect(200);
}

/// What the meeting's secret is, as its bot was told it.
fn say(server: &Client, folder: &Path, token: &Token) {
    let log = wait_for(|| {
        fs::read_to_string(folder.join("bot-logs/meeting-1.log"))
            .ok()
            .filter(|text| text.contains("Zqbotsays"))
    });
    let config = log
        .lines()
        .find_map(|line| line.strip_prefix("BOT_CONFIG="))
        .expect("what the bot was told");
    let config: Value = serde_json::from_str(config).expect("JSON");
    let segments: Vec<Value> = (0..400)
        .map(|n| json!({ "start": n, "end": n + 1, "text": format!("Zqwörd{n:03} Zqwhispered word"), "speaker": format!("Zqspeaker {n}") }))
        .collect();
    for segments in segments.chunks(100) {
        let body = json!({ "uid": config["connectionId"], "segments": segments });
        let secret = config["token"].as_str().expect("a secret");
        server.post("/bots/internal/segments").bearer(secret).json(&body).send().expect(200);
    }
    let secret = config["token"].as_str().expect("a secret");
    let recording = server.post("/bots/internal/recordings/upload").bearer(secret);
    recording.body(b"Zqrecorded!!".repeat(4000)).send().expect(200);
    correct(server, token);
    server.delete(format!("/bots/google_meet/{}", MARKS[5])).user(&token.text).send().expect(202);
    wait_until(server, token, "completed");
}

/// A line and a speaker are corrected; one line once more, and back.
fn correct(server: &Client, token: &Token) {
    let path = format!("/transcripts/google_meet/{}", MARKS[5]);
    let transcript = server.get(&path).user(&token.text).send().expect(200);
    let id = |at: usize| segment(transcript["segments"][at]["segment_id"].as_str().expect("an id"));
    for (at, text) in
        [(1, json!("Zqcorrection one")), (2, json!("Zqcorrection two")), (1, json!(null))]
    {
        let call = server.patch(format!("{path}/segments/{}", id(at))).user(&token.text);
        call.json(&json!({ "text": text })).send().expect(200);
    }
    let names = json!({ "from": "Zqspeaker 7", "to": "Zqgivenname" });
    server.patch(format!("{path}/speakers")).user(&token.text).json(&names).send().expect(200);
}

#[test]
fn nothing_of_an_erased_user_is_in_any_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let (server, receiver) = (serve(folder.path()), Receiver::taking());
    let token = live_a_life(&server, &receiver);
    say(&server, folder.path(), &token);
    for _ in 0..2 {
        receiver.next();
    }
    // The sound that the meeting has is there as one that a kill has left.
    let first = server.terminate();
    open_file(&folder.path().join("vomeet.db"), |db| {
        insert_sound(db, folder.path(), 1, &b"Zqsound!".repeat(4000));
    });
    let server = serve(folder.path());
    let before = files(folder.path());
    for mark in MARKS {
        assert_ne!(
            found(&before, mark),
            Vec::<String>::new(),
            "{mark} is nowhere: the search is blind"
        );
    }
    assert_eq!(server.delete("/admin/users/1").admin().send().status, 204);
    let mut places = files(folder.path());
    assert!(
        places.keys().any(|name| name.ends_with("-wal")),
        "the log of the database is not searched"
    );
    let ended = server.terminate();
    places.extend(
        files(folder.path())
            .into_iter()
            .map(|(name, bytes)| (format!("{name} after the end"), bytes)),
    );
    assert!(ended.stderr.contains("DELETE /admin/users/{id} 204"), "the log is not searched");
    for (run, ended) in [("first", first), ("second", ended)] {
        places.insert(format!("{run} stdout"), ended.stdout.into_bytes());
        places.insert(format!("{run} stderr"), ended.stderr.into_bytes());
    }
    for mark in MARKS {
        assert_eq!(found(&places, mark), Vec::<String>::new(), "{mark}");
    }
}

/// Two users whose words, by turns, begin alike; those of user 1 have this at their end.
const ENDING: &str = "zqzq";

/// A file in which pages were split and joined for a while, by rows of every length.
fn worn(setup: Setup, rows: i64) -> Setup {
    setup.rows(|db| {
        for user in [1, 2] {
            insert_token(db, user, None);
            let sql =
                "INSERT INTO meetings (id, user_id, platform, native_meeting_id, status, data, created_at, updated_at)
                       VALUES (?1, ?1, 'google_meet', 'abc-defg-hij', 'completed', '{}', 0, 0)";
            db.execute(sql, [user]).expect("a meeting");
            let sql = "INSERT INTO sessions (id, meeting_id, uid, bot_name, started_at) VALUES (?1, ?1, ?1, 'Bot', 0)";
            db.execute(sql, [user]).expect("a session");
            assert_eq!(insert_stream(db, user), user, "its number is the user's");
        }
        let mut random = 1_u64;
        let mut next = |below: u64| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (random >> 33) % below
        };
        for chunk in 0..rows / 100 {
            let tx = db.unchecked_transaction().expect("a transaction");
            for n in 0..100 {
                let user = 1 + i64::from(next(5) < 3);
                insert_words(&tx, user, chunk * 100 + n, &mut next);
            }
            tx.commit().expect("a commit");
        }
    })
}

/// A segment of a user's with an id anywhere, in the index as well; now and then one goes or grows.
fn insert_words(db: &Connection, user: i64, n: i64, next: &mut impl FnMut(u64) -> u64) {
    let ending = if user == 1 { ENDING } else { "aaaa" };
    let mut text = || {
        let count = [1, 3, 10, 60][usize::try_from(next(4)).expect("a number")];
        (0..count).map(|_| format!("{:05}{ending}", next(100_000))).collect::<Vec<_>>().join(" ")
    };
    let (first, second) = (text(), text());
    let id = i64::try_from(next(1_000_000_000)).expect("an id");
    let insert = "INSERT INTO segments (id, meeting_id, stream_id, identity, absolute_start, absolute_end, text, speaker_source,
                    completed, created_at, updated_at)
                  VALUES (?1, ?2, ?2, ?3, ?3, ?3, ?4, 'unknown', 1, 0, 0)";
    db.execute(insert, params![id, user, n, first]).expect("a segment");
    let index = "INSERT INTO words (rowid, owner, speaker, text) VALUES (?1, 'u' || ?2, '', ?3)";
    db.execute(index, params![id, user, first]).expect("its words");
    match next(4) {
        0 => _ = db.execute("DELETE FROM segments WHERE id = ?1", [id]).expect("it goes"),
        1 => {
            db.execute("UPDATE segments SET text = ?2 WHERE id = ?1", params![id, second])
                .expect("it grows");
            let replace =
                "REPLACE INTO words (rowid, owner, speaker, text) VALUES (?1, 'u' || ?2, '', ?3)";
            db.execute(replace, params![id, user, second]).expect("its words");
        }
        _ => {}
    }
}

/// How often words of user 1 are in the database, and among what parts the pages of the index.
fn left(folder: &Path) -> (usize, i64) {
    let places = everything(folder);
    let count = |bytes: &Vec<u8>| memmem::find_iter(bytes, ENDING).count();
    let mut parting = 0;
    open_file(&folder.join("vomeet.db"), |db| {
        let sql = "SELECT count(*) FROM words_idx WHERE instr(term, x'7a')";
        parting = db.query_row(sql, [], |row| row.get(0)).expect("a count");
        db.execute("INSERT INTO words (words) VALUES ('integrity-check')", [])
            .expect("a sound index");
        let sound: String =
            db.query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("a check");
        assert_eq!(sound, "ok");
    });
    (places.values().map(count).sum(), parting)
}

#[test]
fn pages_that_were_split_and_joined_keep_no_copy_and_the_index_no_word() {
    let setup = worn(Setup::new(), 4000);
    let (copies, parting) = left(setup.folder());
    assert!(
        copies > 1000 && parting > 5,
        "{copies} copies and {parting} parting words: nothing is tested"
    );
    let server = setup.start();
    let key = server.new_token(2).text;
    let search = |q: &str| {
        server.get(format!("/transcripts/search?limit=1&q={q}")).user(&key).send().expect(200)
    };
    let before: Vec<Value> = (0..100).map(|n| search(&format!("{n:02}*"))).collect();
    assert_eq!(server.delete("/admin/users/1").admin().send().status, 204);
    let after: Vec<Value> = (0..100).map(|n| search(&format!("{n:02}*"))).collect();
    assert_eq!(after, before, "others find what they found");
    assert!(before.iter().any(|page| page["results"] != json!([])), "nobody finds anything");
    let setup = server.stop();
    assert_eq!(left(setup.folder()), (0, 0));
}

/// A connection to the file of a server in this process.
pub fn reader(folder: &Path) -> Connection {
    let file = folder.join("vomeet.db");
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_URI;
    let address = format!("file:{}?vfs=unix-excl", file.display());
    Connection::open_with_flags(address, flags).expect("the database")
}

fn waiting(server: &Client) -> bool {
    !server.get("/metrics").send().text().contains("vomeet_erasures_waiting 0")
}

#[test]
fn a_long_read_delays_the_end_of_an_erasure_and_does_not_prevent_it() {
    let server = Server::start();
    let id = server.new_user("zqaddress@example.com");
    server.new_user("another@example.com");
    let long_read = reader(server.folder());
    long_read.execute_batch("BEGIN; SELECT count(*) FROM users;").expect("a read");
    let begun = Instant::now();
    assert_eq!(server.delete(format!("/admin/users/{id}")).admin().send().status, 204);
    println!("answered after {:?}", begun.elapsed());
    assert!(waiting(&server), "the figures hide what is left");
    assert_ne!(
        found(&files(server.folder()), "zqaddress"),
        Vec::<String>::new(),
        "the read holds nothing: no test"
    );
    server.new_user("third@example.com");
    drop(long_read);
    wait_for(|| (!waiting(&server)).then_some(()));
    assert_eq!(found(&files(server.folder()), "zqaddress"), Vec::<String>::new());
}

#[test]
fn an_erasure_that_a_kill_interrupts_is_finished_by_the_next_start() {
    // As a crash leaves it: the rows are gone, what is owed is noted, and nothing was wiped.
    let setup = worn(Setup::new(), 3000).rows(|db| {
        let sql = "PRAGMA foreign_keys = ON; BEGIN; DELETE FROM users WHERE id = 1; INSERT INTO erasures DEFAULT VALUES; COMMIT;";
        db.execute_batch(sql).expect("an erasure");
    });
    let (copies, _) = left(setup.folder());
    assert!(copies > 0, "nothing is left to wipe");
    let server = setup.start();
    wait_for(|| (!waiting(&server)).then_some(()));
    let setup = server.stop();
    assert_eq!(left(setup.folder()), (0, 0));
}
