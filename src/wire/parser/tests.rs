//! Requests in pieces, requests that are none, and any bytes at all.

#![cfg(test)]

use crate::wire::parser::{ARGUMENTS_MAX, Malformed, Parsed, parse};
use proptest::prelude::*;

const BYTES_MAX: usize = 64 * 1024;

/// Bytes as a client sends these arguments.
fn request(arguments: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", arguments.len()).into_bytes();
    for argument in arguments {
        bytes.extend(format!("${}\r\n", argument.len()).bytes());
        bytes.extend(argument);
        bytes.extend(b"\r\n");
    }
    bytes
}

fn read(bytes: &[u8]) -> Result<(Vec<Vec<u8>>, usize), Parsed> {
    match parse(bytes, BYTES_MAX).expect("no fault") {
        Parsed::Request { arguments, length } => {
            Ok((arguments.into_iter().map(|place| bytes[place].to_vec()).collect(), length))
        }
        incomplete @ Parsed::Incomplete(_) => Err(incomplete),
    }
}

#[test]
fn requests_are_arrays_of_bulk_strings() {
    let two = b"*2\r\n$4\r\nPING\r\n$2\r\n\r\n\r\n*1\r\n";
    assert_eq!(read(two), Ok((vec![b"PING".to_vec(), b"\r\n".to_vec()], two.len() - 4)));
    assert_eq!(read(b"*0\r\n*1"), Ok((Vec::new(), 4)));
    assert_eq!(read(b"*-1\r\n"), Ok((Vec::new(), 5)));
    assert_eq!(read(b"*1\r\n$0\r\n\r\n"), Ok((vec![Vec::new()], 10)));
    assert_eq!(read(b"*1\r\n$1000\r\nab"), Err(Parsed::Incomplete(1013)));
}

#[test]
fn what_is_no_request_is_refused_as_soon_as_that_is_known() {
    for (bytes, expected) in [
        (&b"PING\r\n"[..], Malformed::Expected('*', b'P')),
        (b"*x\r\n", Malformed::Arguments),
        (b"*\r\n", Malformed::Arguments),
        (b"*+1\r\n", Malformed::Arguments),
        (b"*1\rx", Malformed::Arguments),
        (b"*129\r\n", Malformed::Arguments),
        (b"*111111111111111", Malformed::Arguments),
        (b"*1\r\n+OK\r\n", Malformed::Expected('$', b'+')),
        (b"*1\r\n$-1\r\n", Malformed::Length),
        (b"*1\r\n$1x\r\n", Malformed::Length),
        (b"*1\r\n$1\r\nabc", Malformed::Expected('\r', b'b')),
        (b"*1\r\n$65536\r\n", Malformed::TooLong(BYTES_MAX)),
        (b"*1\r\n$9999999999999\r\n", Malformed::TooLong(BYTES_MAX)),
        (b"*2\r\n$1\r\na\r\n$65530\r\n", Malformed::TooLong(BYTES_MAX)),
    ] {
        assert_eq!(parse(bytes, BYTES_MAX), Err(expected), "{}", bytes.escape_ascii());
    }
    assert_eq!(parse(b"*99999999999999", BYTES_MAX), Ok(Parsed::Incomplete(16)));
}

#[test]
fn the_longest_request_is_taken_and_no_longer_one() {
    for (length, is_taken) in [(BYTES_MAX - 14, true), (BYTES_MAX - 13, false)] {
        let bytes = request(&[vec![b'x'; length]]);
        assert_eq!(bytes.len() <= BYTES_MAX, is_taken, "{length}");
        assert_eq!(parse(&bytes, BYTES_MAX).is_ok(), is_taken, "{length}");
    }
    let many = vec![b"a".to_vec(); ARGUMENTS_MAX];
    assert_eq!(read(&request(&many)), Ok((many.clone(), request(&many).len())));
}

fn arguments() -> impl Strategy<Value = Vec<Vec<u8>>> {
    prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..20)
}

/// Bytes that look like a request, and may be none: parts of the grammar in any order.
fn almost() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        Just(b"*".to_vec()),
        Just(b"$".to_vec()),
        Just(b"\r\n".to_vec()),
        Just(b"\r".to_vec()),
        Just(b"-1".to_vec()),
        (0_u64..200).prop_map(|number| number.to_string().into_bytes()),
        any::<u64>().prop_map(|number| number.to_string().into_bytes()),
        prop::collection::vec(any::<u8>(), 0..8),
    ];
    prop::collection::vec(part, 0..24).prop_map(|parts| parts.concat())
}

/// How many cases: many more in the long form.
fn cases() -> ProptestConfig {
    let is_long = std::env::var_os("VOMEET_TEST_LONG").is_some();
    ProptestConfig {
        cases: if is_long { 2_000_000 } else { 2_000 },
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn what_a_client_sends_comes_back_wherever_it_is_cut(
        arguments in arguments(),
        rest in prop::collection::vec(any::<u8>(), 0..8),
    ) {
        let bytes = request(&arguments);
        for cut in 0..bytes.len() {
            let parsed = parse(&bytes[..cut], BYTES_MAX);
            let Ok(Parsed::Incomplete(needed)) = parsed else {
                return Err(TestCaseError::fail(format!("cut at {cut}: {parsed:?}")));
            };
            prop_assert!(needed > cut && needed <= bytes.len(), "{needed} at {cut}");
        }
        let mut more = bytes.clone();
        more.extend(rest);
        prop_assert_eq!(read(&more), Ok((arguments, bytes.len())));
    }

    #[test]
    fn no_bytes_break_the_parser(bytes in prop_oneof![
        prop::collection::vec(any::<u8>(), 0..200),
        almost(),
    ]) {
        match parse(&bytes, BYTES_MAX) {
            Ok(Parsed::Request { arguments, length }) => {
                prop_assert!(length <= bytes.len() && arguments.len() <= ARGUMENTS_MAX);
                let mut at = 0;
                for place in arguments {
                    prop_assert!(at <= place.start && place.end + 2 <= length);
                    at = place.end;
                }
            }
            Ok(Parsed::Incomplete(needed)) => {
                prop_assert!(needed > bytes.len() && needed <= BYTES_MAX);
            }
            Err(malformed) => {
                // It stays one, whatever follows.
                let mut more = bytes.clone();
                more.extend(b"\r\n$1\r\na\r\n");
                prop_assert_eq!(parse(&more, BYTES_MAX), Err(malformed));
            }
        }
    }
}
