//! Fields of forms: read one by one, with every fault at once.

use crate::domain::field::{Field, Invalid, Raw};
use crate::domain::field_error::{FieldError, LocStep, SentValue};
use crate::error::{Error, Result};

/// What is wrong with the fields of a form.
#[derive(Default)]
pub(crate) struct FormFaults(Vec<FieldError>);

impl FormFaults {
    /// Reads a field; a fault is noted.
    pub(crate) fn read<T: Field>(&mut self, name: &'static str, value: &str) -> Option<T> {
        match T::read(Raw::Text(value)) {
            Ok(read) => Some(read),
            Err(invalid) => {
                let sent = SentValue::Text(value.to_owned());
                self.0.push(FieldError::new(loc(name), sent, invalid));
                None
            }
        }
    }

    /// Notes what is wrong with a field.
    pub(crate) fn refuse(&mut self, name: &'static str, invalid: Invalid) {
        self.0.push(FieldError::new(loc(name), SentValue::Nothing, invalid));
    }

    /// Fails with every fault, if there is one.
    pub(crate) fn check(&mut self) -> Result<()> {
        if self.0.is_empty() { Ok(()) } else { Err(Error::Invalid(std::mem::take(&mut self.0))) }
    }

    /// The error of the faults.
    pub(crate) fn into_error(self) -> Error {
        Error::Invalid(self.0)
    }
}

fn loc(name: &'static str) -> Vec<LocStep> {
    vec![LocStep::Name("body"), LocStep::Name(name)]
}
