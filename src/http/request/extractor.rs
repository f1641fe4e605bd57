//! Reads path, query and body of a request field by field, and reports every invalid field at once.
//!
//! Written by hand, because clients rely on the words and places of the faults (those of
//! `FastAPI`), and serde stops at the first one.
//!
//! [`FromRequest::read`] names the fields. With a request it reads them; without one it describes
//! them for the API document. So the two cannot differ.

use crate::domain::Patch;
use crate::domain::field::{Field, Invalid, Raw};
use crate::domain::field_error::{FieldError, LocStep, SentValue};
use crate::error::{Error, Result};
use crate::http::request::absent::{is_nothing, is_text};
pub use crate::http::request::body_rule::BodyRule;
use crate::http::request::members::Members;
use crate::http::request::query::query_value;
use crate::http::request::streamed::StreamedBody;
use hyper::HeaderMap;
use percent_encoding::percent_decode_str;
use serde_json::value::RawValue;
use std::cell::Cell;
use utoipa::openapi::schema::{Object, Schema};

/// U+FEFF in UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Longest value that a fault shows, in bytes: to look at a longer one takes many times its length.
const SHOWN_BYTES_MAX: usize = 64 * 1024;

/// What a handler takes from the request. All fields are read before the first `?`, so that no
/// fault hides another.
pub trait FromRequest: Sized + Send + 'static {
    /// Whether there is a body to read.
    const BODY: BodyRule = BodyRule::None;

    /// Reads each field.
    fn read(extractor: &mut Extractor<'_>) -> Option<Self>;
}

impl FromRequest for () {
    fn read(_: &mut Extractor<'_>) -> Option<Self> {
        Some(())
    }
}

/// Where a field stands in the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// A segment of the path.
    Path,
    /// A query parameter.
    Query,
    /// A header.
    Header,
    /// A member of the JSON body.
    Body,
    /// A field of a form.
    Form,
}

impl Place {
    fn as_str(self) -> &'static str {
        match self {
            Self::Path => "path",
            Self::Query => "query",
            Self::Header => "header",
            Self::Body | Self::Form => "body",
        }
    }
}

/// One field, for the API document.
pub struct FieldDoc {
    /// Where it stands in the request.
    pub place: Place,
    /// Its name.
    pub name: &'static str,
    /// Whether it must be there.
    pub required: bool,
    /// Whether it may be null.
    pub nullable: bool,
    /// Its schema.
    pub schema: Schema,
}

/// The parts of a request, not decoded yet.
pub struct Parts<'a> {
    /// Finds a parameter's raw segment in the path.
    pub path: &'a dyn Fn(&str) -> Option<&'a str>,
    /// What follows the question mark.
    pub query: &'a str,
    /// The body; empty where there is none.
    pub body: &'a [u8],
    /// The headers; none where the input is not that of a request.
    pub headers: Option<&'a HeaderMap>,
    /// The body, where the handler reads it piece by piece.
    pub(crate) streamed: Cell<Option<StreamedBody>>,
}

/// Reads a request, or describes what would be read.
pub struct Extractor<'a> {
    pub(crate) source: Source<'a>,
    /// The path in the body to the object that is read.
    pub(crate) at: Vec<LocStep>,
    pub(crate) faults: Vec<FieldError>,
}

pub(crate) enum Source<'a> {
    Request { parts: &'a Parts<'a>, body: Body<'a> },
    Nothing(Vec<FieldDoc>),
}

pub(crate) enum Body<'a> {
    Absent,
    /// The whole, and its members.
    Object(&'a RawValue, Members<'a>),
    /// Not an object, or no JSON: the fault is reported already.
    Faulty,
}

impl<'a> Extractor<'a> {
    /// Reads an input from a request, or reports every fault of it.
    pub fn fill<I: FromRequest>(parts: &'a Parts<'a>) -> Result<I> {
        let parsed = if I::BODY.is_json() { Body::parse(parts.body) } else { Ok(Body::Absent) };
        let (body, faults) = match parsed {
            Ok(Body::Absent) if I::BODY == BodyRule::Required => (Body::Faulty, vec![no_body()]),
            Ok(body) => (body, Vec::new()),
            Err(fault) => (Body::Faulty, vec![fault]),
        };
        let mut extractor =
            Self { source: Source::Request { parts, body }, at: Vec::new(), faults };
        let input = I::read(&mut extractor);
        match input {
            Some(input) if extractor.faults.is_empty() => Ok(input),
            _ => Err(Error::Invalid(extractor.faults)),
        }
    }

    /// Lists the fields of an input.
    pub fn describe<I: FromRequest>() -> Vec<FieldDoc> {
        let mut extractor =
            Extractor { source: Source::Nothing(Vec::new()), at: Vec::new(), faults: Vec::new() };
        I::read(&mut extractor);
        match extractor.source {
            Source::Nothing(fields) => fields,
            Source::Request { .. } => Vec::new(),
        }
    }

    /// A parameter of the path.
    pub fn path<T: Field>(&mut self, name: &'static str) -> Option<T> {
        let (parts, _) = self.look(Place::Path, name, true, false, T::schema)?;
        let decoded = percent_decode_str((parts.path)(name)?).decode_utf8();
        let read = match &decoded {
            Ok(text) => T::read(Raw::Text(text)),
            Err(_) => Err(Invalid::new(
                "string_unicode",
                "Input should be valid UTF-8 after percent-decoding",
            )),
        };
        self.checked(Place::Path, name, read, || {
            SentValue::Text(decoded.unwrap_or_default().into_owned())
        })
    }

    /// A query parameter; the last one counts. The inner `None` means that it is absent, as an empty
    /// text is.
    pub fn query<T: Field>(&mut self, name: &'static str) -> Option<Option<T>> {
        let (parts, _) = self.look(Place::Query, name, false, false, T::schema)?;
        let Some(text) = query_value(parts.query, name) else { return Some(None) };
        if text.is_empty() && is_text(&T::schema()) {
            return Some(None);
        }
        let read = T::read(Raw::Text(&text));
        self.checked(Place::Query, name, read, || SentValue::Text(text.into_owned())).map(Some)
    }

    /// A query parameter with a default.
    pub fn query_or<T: Field + serde::Serialize>(
        &mut self,
        name: &'static str,
        default: T,
    ) -> Option<T> {
        let documented = serde_json::to_value(&default).ok();
        let value = self.query(name);
        if let Source::Nothing(fields) = &mut self.source
            && let Some(FieldDoc { schema: Schema::Object(schema), .. }) = fields.last_mut()
        {
            schema.default = documented;
        }
        Some(value?.unwrap_or(default))
    }

    /// A header, its lines joined by commas. The inner `None` means that it is absent, as one that
    /// is no text is.
    pub fn header<T: Field>(&mut self, name: &'static str) -> Option<Option<T>> {
        let (parts, _) = self.look(Place::Header, name, false, false, T::schema)?;
        let Some(headers) = parts.headers else { return Some(None) };
        let lines = headers.get_all(name).iter();
        let lines: Vec<&str> = lines.filter_map(|line| line.to_str().ok()).collect();
        if lines.is_empty() {
            return Some(None);
        }
        let text = lines.join(", ");
        let read = T::read(Raw::Text(&text));
        self.checked(Place::Header, name, read, || SentValue::Text(text)).map(Some)
    }

    /// The body, which the handler reads piece by piece; once.
    pub(crate) fn streamed(&mut self) -> Option<StreamedBody> {
        match &self.source {
            Source::Request { parts, .. } => parts.streamed.take(),
            Source::Nothing(_) => None,
        }
    }

    /// Describes a field of the form that the handler reads.
    pub(crate) fn form<T: Field>(&mut self, name: &'static str, required: bool) {
        if let Source::Nothing(fields) = &mut self.source {
            let schema = T::schema().into();
            let place = Place::Form;
            fields.push(FieldDoc { place, name, required, nullable: false, schema });
        }
    }

    /// A member of the body that must be there.
    pub fn required<T: Field>(&mut self, name: &'static str) -> Option<T> {
        let (_, body) = self.look(Place::Body, name, true, false, T::schema)?;
        let Body::Object(whole, members) = body else { return None };
        let (whole, member) = (*whole, members.get(name));
        let Some(json) = member else {
            let loc = self.loc(Place::Body, name);
            self.faults.push(FieldError::new(
                loc,
                shown(whole),
                Invalid::new("missing", "Field required"),
            ));
            return None;
        };
        self.checked(Place::Body, name, T::read(Raw::Json(json)), || shown(json))
    }

    /// A member of the body that must be there and is shown in no fault.
    pub fn secret<T: Field>(&mut self, name: &'static str) -> Option<T> {
        let (_, body) = self.look(Place::Body, name, true, false, T::schema)?;
        let Body::Object(_, members) = body else { return None };
        let missing = || Invalid::new("missing", "Field required");
        let read = members.get(name).ok_or_else(missing).and_then(|json| T::read(Raw::Json(json)));
        self.checked(Place::Body, name, read, || SentValue::Nothing)
    }

    /// A member of the body that may be absent; null and an empty text are the same as absent.
    pub fn optional<T: Field>(&mut self, name: &'static str) -> Option<Option<T>> {
        self.patch(name).map(|field| match field {
            Patch::Set(value) => Some(value),
            Patch::Keep | Patch::Clear => None,
        })
    }

    /// A member of the body where absent and null mean different things; an empty text is null.
    pub fn patch<T: Field>(&mut self, name: &'static str) -> Option<Patch<T>> {
        self.look(Place::Body, name, false, true, T::schema)?;
        match self.member(name) {
            None => Some(Patch::Keep),
            Some(json) if is_nothing::<T>(json) => Some(Patch::Clear),
            Some(json) => {
                let sent = || if T::IS_SECRET { SentValue::Nothing } else { shown(json) };
                self.checked(Place::Body, name, T::read(Raw::Json(json)), sent).map(Patch::Set)
            }
        }
    }

    /// Describes the field where there is no request, else gives the request.
    fn look(
        &mut self,
        place: Place,
        name: &'static str,
        required: bool,
        nullable: bool,
        schema: fn() -> Object,
    ) -> Option<(&'a Parts<'a>, &Body<'a>)> {
        match &mut self.source {
            Source::Request { parts, body } => Some((parts, body)),
            Source::Nothing(fields) => {
                fields.push(FieldDoc { place, name, required, nullable, schema: schema().into() });
                None
            }
        }
    }

    pub(crate) fn member(&self, name: &str) -> Option<&'a RawValue> {
        match &self.source {
            Source::Request { body: Body::Object(_, members), .. } => members.get(name),
            _ => None,
        }
    }

    fn checked<T>(
        &mut self,
        place: Place,
        name: &'static str,
        read: std::result::Result<T, Invalid>,
        input: impl FnOnce() -> SentValue,
    ) -> Option<T> {
        let refused =
            |invalid| self.faults.push(FieldError::new(self.loc(place, name), input(), invalid));
        read.map_err(refused).ok()
    }

    /// Refuses a member of the body that is valid by itself, because of another field.
    pub fn refuse(&mut self, name: &'static str, invalid: Invalid) {
        let input = self.member(name).map_or(SentValue::Nothing, shown);
        self.faults.push(FieldError::new(self.loc(Place::Body, name), input, invalid));
    }

    pub(crate) fn loc(&self, place: Place, name: &'static str) -> Vec<LocStep> {
        let mut loc = vec![LocStep::Name(place.as_str())];
        loc.extend(self.at.iter().cloned().chain([LocStep::Name(name)]));
        loc
    }
}

impl<'a> Body<'a> {
    /// Parses a body; one that is empty or null is none.
    fn parse(bytes: &'a [u8]) -> std::result::Result<Self, FieldError> {
        let bytes = without_mark(bytes);
        if matches!(bytes.trim_ascii(), b"" | b"null") {
            return Ok(Self::Absent);
        }
        let whole: &RawValue =
            serde_json::from_slice(bytes).map_err(|error| no_json(bytes, &error))?;
        match serde_json::from_str(whole.get()) {
            Ok(members) => Ok(Self::Object(whole, members)),
            Err(error) if whole.get().starts_with('{') => Err(no_json(bytes, &error)),
            Err(_) => Err(no_object(whole)),
        }
    }
}

/// JSON without the byte order mark with which some programs begin a text in UTF-8.
fn without_mark(json: &[u8]) -> &[u8] {
    json.strip_prefix(BYTE_ORDER_MARK).unwrap_or(json)
}

fn no_body() -> FieldError {
    FieldError::new(
        vec![LocStep::Name("body")],
        SentValue::Nothing,
        Invalid::new("missing", "Field required"),
    )
}

fn no_object(whole: &RawValue) -> FieldError {
    let msg = "Input should be a valid dictionary or object to extract fields from";
    FieldError::new(
        vec![LocStep::Name("body")],
        shown(whole),
        Invalid::new("model_attributes_type", msg),
    )
}

fn no_json(bytes: &[u8], error: &serde_json::Error) -> FieldError {
    let lines = bytes.split_inclusive(|&byte| byte == b'\n').take(error.line().saturating_sub(1));
    let offset = lines.map(<[u8]>::len).sum::<usize>() + error.column().saturating_sub(1);
    let invalid =
        Invalid::new("json_invalid", "JSON decode error").with("error", error.to_string());
    FieldError::new(
        vec![LocStep::Name("body"), LocStep::Number(offset)],
        SentValue::Unreadable,
        invalid,
    )
}

/// The value as a fault shows it; nothing where it is long, or would make the response unreadable
/// for some parsers: too deep, half a surrogate pair, a number beyond all bounds.
pub(crate) fn shown(json: &RawValue) -> SentValue {
    if json.get().len() > SHOWN_BYTES_MAX {
        return SentValue::Nothing;
    }
    match serde_json::from_str::<serde_json::Value>(json.get()) {
        Ok(_) => SentValue::Json(json.to_owned()),
        Err(_) => SentValue::Nothing,
    }
}
