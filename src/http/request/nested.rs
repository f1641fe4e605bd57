//! Objects and lists inside a body, read and described as the body itself is.

use crate::domain::field::{Field, Invalid, Raw};
use crate::domain::field_error::{FieldError, LocStep};
use crate::http::request::extractor::{Body, Extractor, FieldDoc, Members, Place, Source, shown};
use serde_json::value::RawValue;
use utoipa::openapi::schema::{ArrayBuilder, Object, ObjectBuilder, Schema, SchemaType, Type};

impl<'a> Extractor<'a> {
    /// A member of the body that is an object and must be there.
    pub fn object<T>(&mut self, name: &'static str, read: impl Fn(&mut Extractor<'_>) -> Option<T>) -> Option<T> {
        if self.describes(name, true, || object_schema(&Extractor::described(&read)).into()) {
            return None;
        }
        let whole = self.required_raw(name)?;
        self.inside(whole, &[LocStep::Name(name)], &read)
    }

    /// A member of the body that is an object; null is the same as absent.
    pub fn optional_object<T>(
        &mut self,
        name: &'static str,
        read: impl Fn(&mut Extractor<'_>) -> Option<T>,
    ) -> Option<Option<T>> {
        if self.describes(name, false, || object_schema(&Extractor::described(&read)).into()) {
            return None;
        }
        let Some(whole) = self.member(name).filter(|whole| whole.get() != "null") else { return Some(None) };
        self.inside(whole, &[LocStep::Name(name)], &read).map(Some)
    }

    /// A member of the body that is a list of objects and must be there; at most `max` of them.
    pub fn list<T>(
        &mut self,
        name: &'static str,
        max: usize,
        read: impl Fn(&mut Extractor<'_>) -> Option<T>,
    ) -> Option<Vec<T>> {
        let items = || ArrayBuilder::new().items(object_schema(&Extractor::described(&read))).max_items(Some(max));
        if self.describes(name, true, || items().into()) {
            return None;
        }
        let whole = self.required_raw(name)?;
        let items = self.items(name, whole, max)?;
        let read = |(at, item)| self.inside(item, &[LocStep::Name(name), LocStep::Number(at)], &read);
        // Every item is read before the first fault counts.
        items.into_iter().enumerate().map(read).collect::<Vec<_>>().into_iter().collect()
    }

    /// A member of the body that is a list of at most `max` values; null is the same as absent.
    pub fn optional_list<T: Field>(&mut self, name: &'static str, max: usize) -> Option<Option<Vec<T>>> {
        let schema = || ArrayBuilder::new().items(T::schema()).max_items(Some(max)).into();
        if self.describes(name, false, schema) {
            return None;
        }
        let Some(whole) = self.member(name).filter(|whole| whole.get() != "null") else { return Some(None) };
        let items = self.items(name, whole, max)?;
        let read = |(at, item): (usize, &'a RawValue)| {
            let refused = |invalid| {
                let steps = [&[LocStep::Name("body")], self.at.as_slice(), &[LocStep::Name(name), LocStep::Number(at)]];
                self.faults.push(FieldError::new(steps.concat(), shown(item), invalid));
            };
            T::read(Raw::Json(item)).map_err(refused).ok()
        };
        let values: Vec<Option<T>> = items.into_iter().enumerate().map(read).collect();
        values.into_iter().collect::<Option<Vec<T>>>().map(Some)
    }

    /// The items of a list that is not too long.
    fn items(&mut self, name: &'static str, whole: &'a RawValue, max: usize) -> Option<Vec<&'a RawValue>> {
        let Ok(items) = serde_json::from_str::<Vec<&RawValue>>(whole.get()) else {
            self.refuse(name, Invalid::new("list_type", "Input should be a valid list"));
            return None;
        };
        if items.len() > max {
            let msg = format!("List should have at most {max} items after validation, not {}", items.len());
            self.refuse(name, Invalid::new("too_long", msg).with("max_length", max));
            return None;
        }
        Some(items)
    }

    /// Notes the field where there is only description.
    fn describes(&mut self, name: &'static str, required: bool, schema: impl FnOnce() -> Schema) -> bool {
        let Source::Nothing(fields) = &mut self.source else { return false };
        fields.push(FieldDoc { place: Place::Body, name, required, nullable: !required, schema: schema() });
        true
    }

    fn required_raw(&mut self, name: &'static str) -> Option<&'a RawValue> {
        let found = self.member(name);
        if let (None, Source::Request { body: Body::Object(whole, _), .. }) = (found, &self.source) {
            let missing =
                FieldError::new(self.loc(Place::Body, name), shown(whole), Invalid::new("missing", "Field required"));
            self.faults.push(missing);
        }
        found
    }

    fn inside<T>(
        &mut self,
        whole: &'a RawValue,
        steps: &[LocStep],
        read: &impl Fn(&mut Extractor<'_>) -> Option<T>,
    ) -> Option<T> {
        let Source::Request { parts, .. } = &self.source else { return None };
        let at = [&self.at, steps].concat();
        let Ok(members) = serde_json::from_str::<Members<'a>>(whole.get()) else {
            let msg = "Input should be a valid dictionary or object to extract fields from";
            let loc = [&[LocStep::Name("body")], at.as_slice()].concat();
            self.faults.push(FieldError::new(loc, shown(whole), Invalid::new("model_attributes_type", msg)));
            return None;
        };
        let source = Source::Request { parts, body: Body::Object(whole, members) };
        let mut extractor = Extractor { source, at, faults: std::mem::take(&mut self.faults) };
        let value = read(&mut extractor);
        self.faults = extractor.faults;
        value
    }
}

/// The schema of an object with these members.
pub fn object_schema(fields: &[FieldDoc]) -> Object {
    let mut object = ObjectBuilder::new().schema_type(Type::Object);
    for field in fields.iter().filter(|field| field.place == Place::Body) {
        object = object.property(field.name, nullable(field));
        if field.required {
            object = object.required(field.name);
        }
    }
    object.build()
}

fn nullable(field: &FieldDoc) -> Schema {
    let mut schema = field.schema.clone();
    let known = match &mut schema {
        Schema::Object(object) => &mut object.schema_type,
        Schema::Array(array) => &mut array.schema_type,
        _ => return schema,
    };
    let types = match known {
        SchemaType::Type(one) => vec![one.clone()],
        SchemaType::Array(several) => several.clone(),
        SchemaType::AnyValue => return schema,
    };
    if field.nullable {
        *known = types.into_iter().chain([Type::Null]).collect();
    }
    schema
}
