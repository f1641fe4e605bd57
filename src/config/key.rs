//! A setting as data ([`Key`]), and the macro `settings!`, which makes one of each row of the
//! table.

use crate::config::source::Source;
use crate::exit::{Code, StartupError};
use std::slice::Iter;
use toml::Value;

/// One setting.
#[derive(Debug)]
pub struct Key {
    /// Its name in `vomeet.toml`, with its section: `http.workers`.
    pub name: String,
    /// Its name in the environment and in `.env`.
    pub variable: String,
    /// Its default, as TOML.
    pub default: &'static str,
    /// Its help, for `vomeet.toml`.
    pub help: &'static str,
    /// Whether its value is never shown.
    pub is_secret: bool,
}

impl Key {
    /// A setting that has the name of its field; the name in the environment follows from it.
    pub(crate) fn new(
        section: &str,
        field: &str,
        default: &'static str,
        help: &'static str,
    ) -> Self {
        let name = match section {
            "" => field.to_owned(),
            section => format!("{section}.{field}"),
        };
        let variable = variable_of(&name);
        Self { name, variable, default, help: help.trim(), is_secret: false }
    }

    /// Row option: its name in the section, where that is not the name of the field.
    pub(crate) fn named(self, name: &str) -> Self {
        let section = self.section().to_owned();
        Self { is_secret: self.is_secret, ..Self::new(&section, name, self.default, self.help) }
    }

    /// Row option, after `named`: its name in the environment, where the rule does not give it.
    pub(crate) fn variable(self, variable: &str) -> Self {
        Self { variable: variable.to_owned(), ..self }
    }

    /// Row option: its value is never shown.
    pub(crate) fn secret(self) -> Self {
        Self { is_secret: true, ..self }
    }

    /// Its section in `vomeet.toml`; empty is none.
    pub fn section(&self) -> &str {
        match self.name.split_once('.') {
            Some((section, _)) => section,
            None => "",
        }
    }

    /// Its name without the section.
    pub fn short_name(&self) -> &str {
        match self.name.split_once('.') {
            Some((_, name)) => name,
            None => &self.name,
        }
    }
}

/// One value in TOML's notation.
pub(crate) fn parse_value(text: &str) -> Option<Value> {
    let mut table: toml::Table = toml::from_str(&format!("value = {text}")).ok()?;
    table.remove("value")
}

/// The rule for names in the environment: `http.workers` is `VOMEET_HTTP_WORKERS`.
fn variable_of(name: &str) -> String {
    let name = name.replace('.', "_");
    format!("VOMEET_{}", name.to_uppercase())
}

/// The values of all settings, in the order of the table, on their way into the structs.
pub(crate) struct Values<'a> {
    keys: Iter<'a, Key>,
    values: Iter<'a, (Value, Source)>,
    /// What is wrong with the values so far, in a sentence each.
    pub(crate) faults: Vec<String>,
}

impl<'a> Values<'a> {
    /// One value and its source for each key.
    pub(crate) fn new(keys: &'a [Key], values: &'a [(Value, Source)]) -> Self {
        assert_eq!(keys.len(), values.len(), "every setting has a value");
        Self { keys: keys.iter(), values: values.iter(), faults: Vec::new() }
    }

    /// Parses the value of the next setting. What is wrong with it is noted, and the default stands
    /// for it.
    pub(crate) fn next<T>(
        &mut self,
        parse: impl Fn(&Value) -> Result<T, String>,
    ) -> Result<T, StartupError> {
        let (Some(key), Some((value, source))) = (self.keys.next(), self.values.next()) else {
            return Err(StartupError::new(Code::Config, "A setting has no value."));
        };
        let why = match parse(value) {
            Ok(parsed) => return Ok(parsed),
            Err(why) => why,
        };
        self.faults.push(format!("{} ({source}) {why}.", key.name));
        let default = parse_value(key.default).map(|default| parse(&default));
        default.and_then(Result::ok).ok_or_else(|| {
            StartupError::new(Code::Config, format!("{} has no sound default.", key.name))
        })
    }
}

/// Writes the struct of a section, its keys and the reading of its values from one table. A row is
///
/// ```text
/// /// Help.
/// field: Type = default, parser;
/// ```
///
/// The name in the file is the section and the field, the name in the environment follows from
/// it, the default is written as in the file. Options come last: `named("name")`,
/// `variable("NAME")`, `secret()`. After the rows come `groups` (structs with rows of their own)
/// and `others` (fields that are no settings and begin as their type's default).
macro_rules! settings {
    (
        $(#[$attribute:meta])+
        pub struct $Struct:ident in $section:literal {
            $(
                $(#[doc = $help:literal])+
                $field:ident: $type:ty = $default:tt, $parser:expr
                $(, $option:ident($($argument:literal)?))*;
            )*
        }
        $(groups { $( $(#[$group_attribute:meta])+ $group:ident: $Group:ident, )* })?
        $(others { $( $(#[$other_attribute:meta])+ $other:ident: $Other:ty, )* })?
    ) => {
        $(#[$attribute])+
        pub struct $Struct {
            $( $(#[doc = $help])+ pub $field: $type, )*
            $($( $(#[$group_attribute])+ pub $group: $Group, )*)?
            $($( $(#[$other_attribute])+ pub $other: $Other, )*)?
        }

        impl $Struct {
            /// Its settings, in the order of `vomeet.toml`.
            pub(in crate::config) fn keys() -> Vec<Key> {
                #[allow(unused_mut, reason = "a section without groups")]
                let mut keys = vec![
                    $(
                        Key::new(
                            $section,
                            stringify!($field),
                            stringify!($default),
                            concat!($($help),+),
                        )
                        $(.$option($($argument)?))*,
                    )*
                ];
                $($( keys.extend($Group::keys()); )*)?
                keys
            }

            /// Takes the values of its settings, in the same order.
            pub(in crate::config) fn read(values: &mut Values<'_>) -> Result<Self, StartupError> {
                Ok(Self {
                    $( $field: values.next($parser)?, )*
                    $($( $group: $Group::read(values)?, )*)?
                    $($( $other: Default::default(), )*)?
                })
            }
        }
    };
}

pub(crate) use settings;
