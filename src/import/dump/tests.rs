//! Dumps as `pg_dump` writes them, others, and any bytes.

#![cfg(test)]

use super::*;
use crate::domain::Time;
use crate::exit::Code;
use crate::import::zone::Zone;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

const END: &str = "\n--\n-- PostgreSQL database dump complete\n--\n\n";

/// All tables of a dump: their names, columns and rows.
type Tables = Vec<(String, Vec<String>, Vec<Vec<Option<String>>>)>;

fn read(bytes: &[u8]) -> Result<Tables, StartupError> {
    let mut dump = Dump::open(bytes)?;
    let mut tables = Vec::new();
    while let Some(table) = dump.next_table()? {
        let mut rows = Vec::new();
        while let Some(row) = dump.next_row()? {
            let fields = 0..table.columns.len();
            rows.push(fields.map(|at| row.text(at).map(Into::into)).collect());
        }
        tables.push((format!("{}.{}", table.schema, table.name), table.columns, rows));
    }
    Ok(tables)
}

fn texts(row: &[Option<&str>]) -> Vec<Option<String>> {
    row.iter().map(|text| text.map(str::to_owned)).collect()
}

#[test]
fn rows_are_read_and_no_statement_is() {
    let text = concat!(
        "--\n-- PostgreSQL database dump\n--\n\n\\restrict abc\n\nSET client_encoding = 'UTF8';\n",
        "COMMENT ON TABLE public.users IS 'x\nCOPY public.users (id) FROM stdin;\n9\n\\.\n';\n",
        "CREATE FUNCTION f() RETURNS void AS $_$\nCOPY public.users (id) FROM stdin;\n$_$;\n",
        "COPY public.users (id, email, \"odd \"\"name\") FROM stdin;\n",
        "1\ta@example.com\t\\N\n",
        "2\t\\\\N\\t\\n\\r\\b\\f\\v\\x41\\101\\q\t\n",
        "\\.\n\n\n",
        "COPY other.\"T\"  FROM stdin;\n\\.\n",
        "SELECT pg_catalog.setval('public.users_id_seq', 2, true);\n",
    );
    let tables = read(format!("{text}{END}").as_bytes()).expect("a dump");
    assert_eq!(tables.len(), 2, "{tables:?}");
    assert_eq!(tables[0].0, "public.users");
    assert_eq!(tables[0].1, ["id", "email", "odd \"name"]);
    let rows = [
        texts(&[Some("1"), Some("a@example.com"), None]),
        texts(&[Some("2"), Some("\\N\t\n\r\u{8}\u{c}\u{b}AAq"), Some("")]),
    ];
    assert_eq!(tables[0].2, rows);
    assert_eq!((tables[1].0.as_str(), tables[1].2.len()), ("other.T", 0));
    // A terminal between pg_dump and the file has made two characters of each line feed.
    let returned = format!("{text}{END}").replace('\n', "\r\n");
    assert_eq!(read(returned.as_bytes()).expect("a dump"), tables);
}

#[test]
fn what_is_no_plain_dump_is_answered_with_what_to_type() {
    let tar = [vec![0; 257], b"ustar".to_vec(), vec![0; 300]].concat();
    let copy = "COPY public.users (id) FROM stdin;\n1\n\\.\n";
    let other = format!("COPY public.users (id) FROM '/etc/passwd';\n{END}");
    let inserts = format!("INSERT INTO public.users VALUES (1);\n{END}");
    let twice = format!("{copy}{copy}{END}");
    let narrow = format!("COPY public.users (id, email) FROM stdin;\n1\n\\.\n{END}");
    for (bytes, said) in [
        (&b""[..], "empty"),
        (b"PGDMP\x01\x0e", "pg_restore --file=-"),
        (b"\x1f\x8b\x08\x00", "gunzip --stdout"),
        (b"\x28\xb5\x2f\xfd\x00", "zstd --decompress"),
        (b"\x04\x22\x4d\x18\x00", "lz4 -d"),
        (b"\xff\xfe-\x00-\x00", "PowerShell"),
        (&tar, "tar format"),
        (inserts.as_bytes(), "without --inserts"),
        (other.as_bytes(), "no COPY that pg_dump writes"),
        (copy.as_bytes(), "ends before its end"),
        (copy.trim_end_matches("\\.\n").as_bytes(), "in the middle of a table"),
        (twice.as_bytes(), "twice"),
        (b"SET client_encoding = 'LATIN1';\n", "pg_dump --encoding=UTF8"),
        (narrow.as_bytes(), "has 1 columns, and its table has 2"),
    ] {
        let refused = read(bytes).expect_err(said);
        assert_eq!(refused.code, Code::NotImported);
        assert!(refused.message.contains(said), "{refused}");
        assert!(refused.message.ends_with("Nothing was imported."), "{refused}");
    }
}

#[test]
fn fields_are_read_as_their_columns_are() {
    let text = "COPY public.t (a) FROM stdin;\n";
    let with = |field: &str, look: &dyn Fn(&Row<'_>)| {
        let text = format!("{text}{field}\n\\.\n{END}");
        let mut dump = Dump::open(text.as_bytes()).expect("a dump");
        dump.next_table().expect("a table").expect("one");
        look(&dump.next_row().expect("a row").expect("one"));
    };
    with("12", &|row| {
        assert_eq!((row.integer(0).ok(), row.id(0).ok()), (Some(Some(12)), Some(12)));
    });
    with("0", &|row| assert!(row.id(0).is_err()));
    with("9007199254740992", &|row| assert!(row.id(0).is_err()));
    with("x", &|row| assert!(row.integer(0).is_err() && row.flag(0).is_err()));
    with("\\N", &|row| {
        assert!(row.id(0).is_err());
        assert_eq!((row.integer(0).ok(), row.text(0)), (Some(None), None));
        assert_eq!((row.text(1), row.text(None)), (None, None));
    });
    with("t", &|row| assert_eq!(row.flag(0).ok(), Some(Some(true))));
    with("NaN", &|row| assert!(row.number(0).is_ok_and(|number| number.is_some_and(f64::is_nan))));
    with("-Infinity", &|row| {
        assert_eq!(row.number(0).ok(), Some(Some(f64::NEG_INFINITY)));
    });
    with("1e+16", &|row| assert_eq!(row.number(0).ok(), Some(Some(1e16))));
    with(" a\\tb\\n ", &|row| assert_eq!(row.line(0).as_deref(), Some("a b")));
    with("   ", &|row| assert_eq!(row.line(0), None));
    with("{bot,\"tx\"}", &|row| {
        assert_eq!(row.words(0), Some(vec!["bot".to_owned(), "tx".to_owned()]));
    });
    with("{}", &|row| assert_eq!(row.words(0), Some(Vec::new())));
    with("infinity", &|row| assert_eq!(row.time(0, &Zone::utc()).ok(), Some(None)));
    let end = |row: &Row<'_>| row.end(0, &Zone::utc()).ok();
    with("-infinity", &|row| assert_eq!(end(row), Some(Some(Time::from_millis(0)))));
    with("0044-03-15 00:00:00 BC", &|row| {
        assert_eq!(end(row), Some(Some(Time::from_millis(0))));
    });
    for late in ["12000-01-01 00:00:00", "9999-12-31 23:59:59.999999", "9999-12-31 23:59:59+00"] {
        with(late, &|row| {
            assert_eq!((end(row), row.is_beyond()), (Some(None), true), "{late}");
        });
    }
    with("9999-12-29 00:00:00", &|row| assert!(matches!(end(row), Some(Some(_)))));
    with("infinity", &|row| assert_eq!((end(row), row.is_beyond()), (Some(None), false)));
    with("yesterday", &|row| assert!(row.time(0, &Zone::utc()).is_err()));
}

#[test]
fn bytes_that_are_no_utf8_are_replaced_and_noted() {
    let bytes = [b"COPY public.t (a) FROM stdin;\na\xffb\n\\.\n", END.as_bytes()].concat();
    let mut dump = Dump::open(&bytes[..]).expect("a dump");
    dump.next_table().expect("a table").expect("one");
    let row = dump.next_row().expect("a row").expect("one");
    assert_eq!((row.text(0).as_deref(), row.is_lossy()), (Some("a\u{fffd}b"), true));
}

/// A text as it stands in a row.
fn escaped(text: &str) -> String {
    let mut field = String::new();
    for c in text.chars() {
        match c {
            '\\' => field.push_str("\\\\"),
            '\n' => field.push_str("\\n"),
            '\r' => field.push_str("\\r"),
            '\t' => field.push_str("\\t"),
            '\u{8}' => field.push_str("\\b"),
            '\u{b}' => field.push_str("\\v"),
            '\u{c}' => field.push_str("\\f"),
            other => field.push(other),
        }
    }
    field
}

fn cases() -> Config {
    let is_long = std::env::var_os("VOMEET_TEST_LONG").is_some();
    Config { failure_persistence: None, ..Config::with_cases(if is_long { 200_000 } else { 500 }) }
}

#[test]
fn any_text_comes_back() {
    let row = prop::collection::vec(prop::option::of("[^\0]{0,12}"), 3);
    TestRunner::new(cases())
        .run(&prop::collection::vec(row, 0..4), |rows| {
            let mut text = "COPY public.t (a, b, c) FROM stdin;\n".to_owned();
            for row in &rows {
                let fields: Vec<String> = row
                    .iter()
                    .map(|field| field.as_deref().map_or_else(|| "\\N".to_owned(), escaped))
                    .collect();
                text.push_str(&fields.join("\t"));
                text.push('\n');
            }
            let tables = read(format!("{text}\\.\n{END}").as_bytes()).expect("a dump");
            prop_assert_eq!(&tables[0].2, &rows);
            Ok(())
        })
        .expect("no counterexample");
}

/// Pieces of which dumps are made, and any bytes between them.
fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let known = prop::sample::select(vec![
        "COPY public.users (id, email) FROM stdin;\n",
        "COPY ",
        "\\.\n",
        "1\ta\n",
        "\\N\t\\\n",
        "\\x\\9\\777\n",
        "$a$",
        "'",
        "\"",
        "/*",
        "*/",
        "E'\\",
        ";\n",
        "INSERT INTO ",
        "\n-- PostgreSQL database dump complete\n",
        "--",
        "\r\n",
    ]);
    let known = known.prop_map(|text| text.as_bytes().to_vec());
    let any = prop::collection::vec(any::<u8>(), 0..6);
    prop::collection::vec(prop_oneof![4 => known, 1 => any], 0..24).prop_map(|all| all.concat())
}

#[test]
fn any_bytes_are_read_or_refused() {
    TestRunner::new(cases())
        .run(&pieces(), |bytes| {
            if let Err(refused) = read(&bytes) {
                prop_assert_eq!(refused.code, Code::NotImported);
            }
            Ok(())
        })
        .expect("no counterexample");
}
