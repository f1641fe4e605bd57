//! How a request finds its row of the table.

use crate::api::route::Route;
use crate::error::{Error, Result};
use hyper::Method;

/// Finds the row of a request; `HEAD` is found where `GET` is.
pub fn find(table: &'static [Route], method: &Method, path: &str) -> Result<&'static Route> {
    if *method == Method::TRACE || *method == Method::CONNECT {
        return Err(Error::WrongMethod(allowed(table, path)));
    }
    let wanted = if *method == Method::HEAD { &Method::GET } else { method };
    let mut is_known = false;
    for row in rows_of(table, path) {
        is_known = true;
        if row.method == *wanted {
            return Ok(row);
        }
    }
    if is_known { Err(Error::WrongMethod(allowed(table, path))) } else { Err(Error::NoRoute) }
}

/// The rows of a path. Where several patterns match, the uppermost is meant, with all its methods
/// and no others.
fn rows_of<'a>(table: &'a [Route], path: &str) -> impl Iterator<Item = &'a Route> {
    let first = table.iter().position(|row| row.matches(path)).unwrap_or(table.len());
    let rest = &table[first..];
    rest.iter().filter(|row| row.path == rest[0].path)
}

/// The value of `Allow` for a path.
pub fn allowed(table: &[Route], path: &str) -> String {
    let mut methods: Vec<&str> = Vec::new();
    for route in rows_of(table, path) {
        methods.push(route.method.as_str());
        if route.method == Method::GET {
            methods.push("HEAD");
        }
    }
    methods.sort_unstable();
    methods.dedup();
    methods.join(", ")
}
