//! `input!`: what a handler takes from the request, each field named once.

/// Declares what a handler takes, and how each field of it is read.
///
/// A field is `method name: Type`, where the method is one of
/// [`Extractor`](crate::http::Extractor):
///
/// ```text
/// input! {
///     /// Path and body of `POST /admin/users/{id}/tokens`; no body is needed.
///     pub struct CreateTokenInput, body Optional {
///         path user_id: UserId as "id",
///         optional name: Option<TokenName>,
///     }
/// }
/// ```
///
/// - `as "id"` is the field's name in the request, where it is another one than in the struct.
/// - What the method takes besides the name stands in brackets: `query_or(BoundedInt(100)) limit:
///   PageLimit`.
/// - `body Optional` and `body Required` are the
///   [`BodyRule`](crate::http::request::extractor::BodyRule); without either the body is not read.
/// - `for Name { … }` reads a struct that is declared elsewhere. There `=> expression` makes the
///   struct's value of what was read, and `..rest` gives the fields that are not read.
///
/// The same list describes the fields in the OpenAPI document, in this order.
macro_rules! input {
    (
        $(#[$struct_doc:meta])*
        $visibility:vis struct $name:ident $(, body $body:ident)? {
            $(
                $(#[$field_doc:meta])*
                $method:ident $(($argument:expr))? $field:ident: $type:ty $(as $sent_name:literal)?,
            )*
        }
    ) => {
        $(#[$struct_doc])*
        $visibility struct $name {
            $(
                $(#[$field_doc])*
                $field: $type,
            )*
        }

        $crate::http::request::input::input! {
            for $name $(, body $body)? {
                $($method $(($argument))? $field: $type $(as $sent_name)?,)*
            }
        }
    };

    (
        for $name:ident $(, body $body:ident)? {
            $(
                $method:ident $(($argument:expr))? $field:ident: $type:ty $(as $sent_name:literal)? $(=> $made:expr)?,
            )*
            $(..$rest:expr)?
        }
    ) => {
        impl $crate::http::FromRequest for $name {
            $(const BODY: $crate::http::BodyRule = $crate::http::BodyRule::$body;)?

            fn read(extractor: &mut $crate::http::Extractor<'_>) -> Option<Self> {
                // Every field is read before the first `?`, so that no fault hides another.
                $(
                    let name = $crate::http::request::input::input!(@name $field $($sent_name)?);
                    let $field: Option<$type> = extractor.$method(name $(, $argument)?);
                )*
                $(let $field = $field?;)*
                $($(let $field = $made;)?)*
                Some(Self { $($field,)* $(..$rest)? })
            }
        }
    };

    (@name $field:ident) => { stringify!($field) };
    (@name $field:ident $sent_name:literal) => { $sent_name };
}

pub(crate) use input;
