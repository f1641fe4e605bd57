//! Objects and lists inside a body, read and described as the body itself is.

use crate::domain::field::{Field, Invalid, Raw};
use crate::domain::field_error::{FieldError, LocStep};
use crate::http::request::extractor::{
    Body, Extractor, FieldDoc, FromRequest, Place, Source, shown,
};
use crate::http::request::members::Members;
use serde_json::value::RawValue;
use utoipa::openapi::schema::{ArrayBuilder, Object, ObjectBuilder, Schema, SchemaType, Type};

impl<'a> Extractor<'a> {
    /// The whole body as it was sent, of an input whose rule is
    /// [`Raw`](crate::http::BodyRule::Raw).
    pub(crate) fn raw_body(&self) -> &'a [u8] {
        match &self.source {
            Source::Request { parts, .. } => parts.body,
            Source::Nothing(_) => b"",
        }
    }

    /// The fields of another input, read from the same request. The name is not looked for: it is
    /// only the field's.
    pub fn flatten<I: FromRequest>(&mut self, _: &'static str) -> Option<I> {
        I::read(self)
    }

    /// A member of the body that is an object and must be there.
    pub fn object<I: FromRequest>(&mut self, name: &'static str) -> Option<I> {
        if self.describes(name, true, || schema_of::<I>().into()) {
            return None;
        }
        let whole = self.required_raw(name)?;
        self.inside(whole, &[LocStep::Name(name)])
    }

    /// A member of the body that is an object; null is the same as absent.
    pub fn optional_object<I: FromRequest>(&mut self, name: &'static str) -> Option<Option<I>> {
        if self.describes(name, false, || schema_of::<I>().into()) {
            return None;
        }
        let Some(whole) = self.present(name) else { return Some(None) };
        let object = self.inside(whole, &[LocStep::Name(name)])?;
        Some(Some(object))
    }

    /// A member of the body that is a list of objects and must be there; at most `max` of them.
    pub fn list<I: FromRequest>(&mut self, name: &'static str, max: usize) -> Option<Vec<I>> {
        let schema = || ArrayBuilder::new().items(schema_of::<I>()).max_items(Some(max)).into();
        if self.describes(name, true, schema) {
            return None;
        }
        let whole = self.required_raw(name)?;
        let items = self.items(name, whole, max)?;
        let mut objects = Vec::with_capacity(items.len());
        for (at, item) in items.into_iter().enumerate() {
            objects.push(self.inside(item, &[LocStep::Name(name), LocStep::Number(at)]));
        }
        // Every item is read before the first fault counts.
        objects.into_iter().collect()
    }

    /// A member of the body that is a list of at most `max` values; null is the same as absent.
    pub fn optional_list<T: Field>(
        &mut self,
        name: &'static str,
        max: usize,
    ) -> Option<Option<Vec<T>>> {
        let schema = || ArrayBuilder::new().items(T::schema()).max_items(Some(max)).into();
        if self.describes(name, false, schema) {
            return None;
        }
        let Some(whole) = self.present(name) else { return Some(None) };
        let items = self.items(name, whole, max)?;
        let mut values = Vec::with_capacity(items.len());
        for (at, item) in items.into_iter().enumerate() {
            values.push(self.value_in_list(name, at, item));
        }
        // Every value is read before the first fault counts.
        let values: Option<Vec<T>> = values.into_iter().collect();
        values.map(Some)
    }

    fn value_in_list<T: Field>(
        &mut self,
        name: &'static str,
        at: usize,
        item: &RawValue,
    ) -> Option<T> {
        match T::read(Raw::Json(item)) {
            Ok(value) => Some(value),
            Err(invalid) => {
                let mut loc = self.loc(Place::Body, name);
                loc.push(LocStep::Number(at));
                self.faults.push(FieldError::new(loc, shown(item), invalid));
                None
            }
        }
    }

    /// Whether a member of the body is there and is null.
    pub(crate) fn is_null(&self, name: &str) -> bool {
        self.member(name).is_some_and(|member| member.get() == "null")
    }

    /// A member of the body that is there and is not null.
    pub(crate) fn present(&self, name: &str) -> Option<&'a RawValue> {
        let member = self.member(name)?;
        if member.get() == "null" { None } else { Some(member) }
    }

    /// The items of a list that is not too long.
    pub(crate) fn items(
        &mut self,
        name: &'static str,
        whole: &'a RawValue,
        max: usize,
    ) -> Option<Vec<&'a RawValue>> {
        let Ok(items) = serde_json::from_str::<Vec<&RawValue>>(whole.get()) else {
            self.refuse(name, Invalid::new("list_type", "Input should be a valid list"));
            return None;
        };
        if items.len() > max {
            let msg = format!(
                "List should have at most {max} items after validation, not {}",
                items.len()
            );
            self.refuse(name, Invalid::new("too_long", msg).with("max_length", max));
            return None;
        }
        Some(items)
    }

    /// Describes the field where there is no request; false where there is one.
    pub(crate) fn describes(
        &mut self,
        name: &'static str,
        required: bool,
        schema: impl FnOnce() -> Schema,
    ) -> bool {
        let Source::Nothing(fields) = &mut self.source else { return false };
        fields.push(FieldDoc {
            place: Place::Body,
            name,
            required,
            nullable: !required,
            schema: schema(),
        });
        true
    }

    /// Reports a member of the body that must be there and is not.
    pub fn require(&mut self, name: &'static str) {
        self.required_raw(name);
    }

    fn required_raw(&mut self, name: &'static str) -> Option<&'a RawValue> {
        let found = self.member(name);
        if found.is_none()
            && let Source::Request { body: Body::Object(whole, _), .. } = &self.source
        {
            let sent = shown(whole);
            let loc = self.loc(Place::Body, name);
            self.faults.push(FieldError::new(loc, sent, Invalid::new("missing", "Field required")));
        }
        found
    }

    /// Reads an object inside the body, `steps` below the object that is read now.
    pub(crate) fn inside<I: FromRequest>(
        &mut self,
        whole: &'a RawValue,
        steps: &[LocStep],
    ) -> Option<I> {
        let Source::Request { parts, .. } = &self.source else { return None };
        let at = [&self.at, steps].concat();
        let Ok(members) = serde_json::from_str::<Members<'a>>(whole.get()) else {
            let msg = "Input should be a valid dictionary or object to extract fields from";
            let loc = [&[LocStep::Name("body")], at.as_slice()].concat();
            self.faults.push(FieldError::new(
                loc,
                shown(whole),
                Invalid::new("model_attributes_type", msg),
            ));
            return None;
        };
        let source = Source::Request { parts, body: Body::Object(whole, members) };
        let mut extractor = Extractor { source, at, faults: std::mem::take(&mut self.faults) };
        let value = I::read(&mut extractor);
        self.faults = extractor.faults;
        value
    }
}

/// The schema of an object with the fields of an input.
pub(crate) fn schema_of<I: FromRequest>() -> Object {
    object_schema(&Extractor::describe::<I>())
}

/// The schema of an object with these members.
pub(crate) fn object_schema(fields: &[FieldDoc]) -> Object {
    schema_of_fields(fields.iter().filter(|field| field.place == Place::Body))
}

/// The schema of an object with a member for each field, wherever that stands in the request.
pub(crate) fn schema_of_fields<'a>(fields: impl Iterator<Item = &'a FieldDoc>) -> Object {
    let mut object = ObjectBuilder::new().schema_type(Type::Object);
    for field in fields {
        object = object.property(field.name, nullable(field));
        if field.required {
            object = object.required(field.name);
        }
    }
    object.build()
}

/// The schema of a field, which allows null where the field may be null.
fn nullable(field: &FieldDoc) -> Schema {
    let mut schema = field.schema.clone();
    if !field.nullable {
        return schema;
    }
    let schema_type = match &mut schema {
        Schema::Object(object) => &mut object.schema_type,
        Schema::Array(array) => &mut array.schema_type,
        _ => return schema,
    };
    let mut types = match schema_type {
        SchemaType::Type(one) => vec![one.clone()],
        SchemaType::Array(several) => several.clone(),
        SchemaType::AnyValue => return schema,
    };
    types.push(Type::Null);
    *schema_type = SchemaType::Array(types);
    schema
}
