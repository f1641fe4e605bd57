//! A list of objects of which each is read for itself: one that is faulty does not refuse the
//! others.

use crate::domain::field_error::{FieldError, LocStep};
use crate::http::request::extractor::{Extractor, FromRequest};
use crate::http::request::nested::schema_of;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa::openapi::schema::ArrayBuilder;

/// The objects of a list.
pub struct Rows<I> {
    /// Those that can be read, in their order.
    pub read: Vec<I>,
    /// The others.
    pub refused: Vec<RefusedRow>,
}

impl<I> Default for Rows<I> {
    fn default() -> Self {
        Self { read: Vec::new(), refused: Vec::new() }
    }
}

/// An object of a list that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct RefusedRow {
    /// Its place in the list, from 0.
    #[schema(example = 1)]
    pub index: usize,
    /// What is wrong with it.
    #[schema(example = "start: Field required")]
    pub reason: String,
}

impl Extractor<'_> {
    /// A member of the body that is a list of at most `max` objects; null is the same as absent.
    pub fn rows<I: FromRequest>(
        &mut self,
        name: &'static str,
        max: usize,
    ) -> Option<Option<Rows<I>>> {
        let schema = || ArrayBuilder::new().items(schema_of::<I>()).max_items(Some(max)).into();
        if self.describes(name, false, schema) {
            return None;
        }
        let Some(whole) = self.present(name) else { return Some(None) };
        let items = self.items(name, whole, max)?;
        let others = std::mem::take(&mut self.faults);
        let mut rows = Rows::default();
        for (index, item) in items.into_iter().enumerate() {
            let row = self.inside(item, &[LocStep::Name(name), LocStep::Number(index)]);
            let faults = std::mem::take(&mut self.faults);
            match row {
                Some(row) if faults.is_empty() => rows.read.push(row),
                _ => rows.refused.push(RefusedRow { index, reason: reason(&faults) }),
            }
        }
        self.faults = others;
        Some(Some(rows))
    }
}

/// All that is wrong with a row, in one line.
fn reason(faults: &[FieldError]) -> String {
    let mut reasons = Vec::new();
    for fault in faults {
        reasons.push(match fault.loc.last() {
            Some(LocStep::Name(field)) => format!("{field}: {}", fault.msg),
            _ => fault.msg.clone(),
        });
    }
    reasons.join("; ")
}
