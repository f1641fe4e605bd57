//! The columns of a noun, each named once: for the statement that selects them and for the row that
//! comes back.

/// `columns!(token_columns, token_at: Token of "t" { id, name })` makes two things:
///
/// - the macro `token_columns!()`, which is the text `"t.id, t.name"`, for `concat!`;
/// - the function `token_at(row, first)`, which makes a `Token` from a row that has these columns,
///   from the column `first` on.
///
/// A column has the name of its field.
macro_rules! columns {
    ($list:ident, $at:ident: $noun:ident of $table:literal { $head:ident $(, $column:ident)* $(,)? }) => {
        macro_rules! $list {
            () => {
                concat!($table, ".", stringify!($head) $(, ", ", $table, ".", stringify!($column))*)
            };
        }

        #[allow(unused_imports, reason = "some lists are used in their own file alone")]
        pub(crate) use $list;

        /// The noun from a row that has all its columns, from the column `first` on.
        pub(crate) fn $at(row: &rusqlite::Row<'_>, first: usize) -> rusqlite::Result<$noun> {
            let mut columns = first..;
            let mut next = || columns.next().unwrap_or_default();
            Ok($noun { $head: row.get(next())? $(, $column: row.get(next())?)* })
        }
    };
}

pub(crate) use columns;
