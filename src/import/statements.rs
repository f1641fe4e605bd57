//! The SQL of a dump as far as it must be understood: where a statement begins. None is executed.

/// What a line ends within.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Within {
    Nothing,
    /// A text; whether a backslash escapes.
    Text(bool),
    /// A name in double quotes.
    Name,
    /// A text between two of these: `$tag$`.
    Dollars(Vec<u8>),
    /// So many comments of several lines, one in the other.
    Comment(u32),
}

/// Where a dump stands between the rows of its tables.
#[derive(Debug)]
pub(super) struct Statements {
    within: Within,
    is_open: bool,
}

impl Statements {
    /// At the beginning of a dump.
    pub(super) fn new() -> Self {
        Self { within: Within::Nothing, is_open: false }
    }

    /// Whether the next line begins a statement.
    pub(super) fn is_between(&self) -> bool {
        self.within == Within::Nothing && !self.is_open
    }

    /// Goes over a line.
    pub(super) fn take(&mut self, line: &[u8]) {
        // A command of psql.
        if self.is_between() && line.starts_with(b"\\") {
            return;
        }
        let mut rest = line;
        while let Some(&byte) = rest.first() {
            let count = match &mut self.within {
                Within::Nothing => match self.outside(byte, rest) {
                    Some(count) => count,
                    // A comment to the end of the line.
                    None => return,
                },
                Within::Text(escapes) => match byte {
                    b'\\' if *escapes => 2,
                    b'\'' if rest.get(1) == Some(&b'\'') => 2,
                    b'\'' => self.leave(1),
                    _ => 1,
                },
                Within::Name => match byte {
                    b'"' => self.leave(1),
                    _ => 1,
                },
                Within::Dollars(tag) => match rest.starts_with(tag) {
                    true => {
                        let count = tag.len();
                        self.leave(count)
                    }
                    false => 1,
                },
                Within::Comment(depth) => match rest {
                    [b'*', b'/', ..] if *depth == 1 => self.leave(2),
                    [b'*', b'/', ..] => {
                        *depth -= 1;
                        2
                    }
                    [b'/', b'*', ..] => {
                        *depth += 1;
                        2
                    }
                    _ => 1,
                },
            };
            rest = rest.get(count..).unwrap_or_default();
        }
    }

    fn leave(&mut self, count: usize) -> usize {
        self.within = Within::Nothing;
        count
    }

    /// Takes what begins here, and returns how many bytes that is; `None` for a comment.
    fn outside(&mut self, byte: u8, rest: &[u8]) -> Option<usize> {
        if rest.starts_with(b"--") {
            return None;
        }
        if rest.starts_with(b"/*") {
            self.within = Within::Comment(1);
            return Some(2);
        }
        if byte.is_ascii_whitespace() {
            return Some(1);
        }
        self.is_open = byte != b';';
        match byte {
            b'E' | b'e' if rest.get(1) == Some(&b'\'') => {
                self.within = Within::Text(true);
                return Some(2);
            }
            b'\'' => self.within = Within::Text(false),
            b'"' => self.within = Within::Name,
            b'$' => {
                if let Some(tag) = dollars(rest) {
                    self.within = Within::Dollars(tag.to_vec());
                    return Some(tag.len());
                }
            }
            // A word with its `$` and its `E`.
            byte if is_of_word(byte) => {
                let end = rest.iter().position(|&byte| !is_of_word(byte) && byte != b'$');
                return Some(end.unwrap_or(rest.len()));
            }
            _ => {}
        }
        Some(1)
    }
}

fn is_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

/// `$tag$` at the beginning of a text.
fn dollars(rest: &[u8]) -> Option<&[u8]> {
    let end = rest.iter().skip(1).position(|&byte| byte == b'$')?;
    let tag = rest.get(..end + 2)?;
    let name = &tag[1..=end];
    let is_tag =
        name.iter().all(|&byte| is_of_word(byte)) && !name.first().is_some_and(u8::is_ascii_digit);
    is_tag.then_some(tag)
}

#[cfg(test)]
mod tests {
    use super::Statements;

    #[test]
    fn a_statement_begins_where_the_one_before_ends() {
        for (lines, expected) in [
            (&["SET a = 1;"][..], true),
            (&["SET a = 1"], false),
            (&["-- a ; comment"], true),
            (&["", "  "], true),
            (&["\\restrict 'x"], true),
            (&["COMMENT ON TABLE a IS 'x", "y'';"], false),
            (&["COMMENT ON TABLE a IS 'x", "y'';", "z';"], true),
            (&["COMMENT ON TABLE a IS 'x\\';"], true),
            (&["COMMENT ON TABLE a IS E'x\\';"], false),
            (&["COMMENT ON TABLE a IS E'x\\'';"], true),
            (&["CREATE TABLE \"a;", "b\" ()"], false),
            (&["CREATE TABLE \"a;", "b\" ();"], true),
            (&["CREATE FUNCTION f() AS $$", "SELECT 1;"], false),
            (&["CREATE FUNCTION f() AS $a$", "SELECT $$;$$;", "$a$;"], true),
            (&["/* ; /* ; */", "SET a = 1;"], false),
            (&["/* ; /* ; */ */ SET a = 1; -- '"], true),
            (&["SELECT a$b$;"], true),
            (&["SELECT $1;"], true),
        ] {
            let mut statements = Statements::new();
            for line in lines {
                statements.take(line.as_bytes());
            }
            assert_eq!(statements.is_between(), expected, "{lines:?}");
        }
    }
}
