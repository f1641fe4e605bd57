//! The columns of a noun, each named once: for the statement that selects them and for the row that
//! comes back.

/// `columns!(token_columns, token_at: Token of "t" { id, name })` makes two things:
///
/// - the macro `token_columns!()`, which is the text `"t.id, t.name"`, for `concat!`;
/// - the function `token_at(row, first)`, which makes a `Token` from a row that has these columns,
///   from the column `first` on.
///
/// A column has the name of its field.
///
/// `then terms: terms_at of term_columns` adds a field that has columns of its own, behind the
/// others. `written term_names, term_marks, term_values` makes what an `INSERT` or `UPDATE` needs:
/// the macros `term_names!()`, which is `"id, name"`, and `term_marks!()`, which is `"?, ?"`, and
/// the function `term_values(&noun)`, the values in the same order.
macro_rules! columns {
    (
        $list:ident, $at:ident: $noun:ident of $table:literal { $head:ident $(, $column:ident)* $(,)? }
        $(then $part:ident: $part_at:ident of $part_list:ident)?
    ) => {
        macro_rules! $list {
            () => {
                concat!(
                    $table, ".", stringify!($head) $(, ", ", $table, ".", stringify!($column))*
                    $(, ", ", $part_list!())?
                )
            };
        }

        #[allow(unused_imports, reason = "some lists are used in their own file alone")]
        pub(crate) use $list;

        /// The noun from a row that has all its columns, from the column `first` on.
        pub(crate) fn $at(row: &rusqlite::Row<'_>, first: usize) -> rusqlite::Result<$noun> {
            let mut columns = first..;
            let mut next = || columns.next().unwrap_or_default();
            Ok($noun {
                $head: row.get(next())?
                $(, $column: row.get(next())?)*
                $(, $part: $part_at(row, next())?)?
            })
        }
    };

    (
        $list:ident, $at:ident: $noun:ident of $table:literal { $head:ident $(, $column:ident)* $(,)? }
        written $names:ident, $marks:ident, $values:ident
    ) => {
        columns!($list, $at: $noun of $table { $head $(, $column)* });

        macro_rules! $names {
            () => { concat!(stringify!($head) $(, ", ", stringify!($column))*) };
        }

        macro_rules! $marks {
            () => { concat!("?" $(, $crate::store::columns::mark!($column))*) };
        }

        pub(crate) use {$marks, $names};

        /// The values of the columns that are written, in their order.
        pub(crate) fn $values(noun: &$noun) -> impl Iterator<Item = &dyn rusqlite::ToSql> {
            let values: [&dyn rusqlite::ToSql; _] = [&noun.$head $(, &noun.$column)*];
            values.into_iter()
        }
    };
}

/// The mark of a further column, whichever it is.
macro_rules! mark {
    ($column:ident) => {
        ", ?"
    };
}

pub(crate) use {columns, mark};
