//! Long reads in pages: bounded in rows and in bytes, so that no page is large and no connection is
//! held between two.

use rusqlite::{Row, Rows};

/// Most rows of a page.
const PAGE_ROWS: usize = 500;
/// After how many bytes of text a page is full.
const PAGE_BYTES: usize = 64 * 1024;

/// Some rows in their order.
#[derive(Debug)]
pub struct Page<T> {
    /// The rows.
    pub rows: Vec<T>,
    /// Whether no more follow.
    pub is_last: bool,
}

/// Reads rows until the page is full; `read` gives the row and about how many bytes it takes.
pub(super) fn page<T>(
    mut rows: Rows<'_>,
    read: impl Fn(&Row<'_>) -> rusqlite::Result<(T, usize)>,
) -> rusqlite::Result<Page<T>> {
    let (mut page, mut bytes) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        if page.len() >= PAGE_ROWS || bytes >= PAGE_BYTES {
            return Ok(Page { rows: page, is_last: false });
        }
        let (item, size) = read(row)?;
        bytes += size;
        page.push(item);
    }
    Ok(Page { rows: page, is_last: true })
}
