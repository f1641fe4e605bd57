//! Paths of routes, in which `{name}` stands for a parameter.

/// Whether a path has the segments of a pattern.
pub(super) fn same_segments(pattern: &str, path: &str) -> bool {
    let (mut pattern, mut actual) = (pattern.split('/'), path.split('/'));
    loop {
        match (pattern.next(), actual.next()) {
            (None, None) => return true,
            (Some(expected), Some(segment)) if expected == segment => {}
            (Some(expected), Some(segment)) if expected.starts_with('{') && !segment.is_empty() => {
            }
            _ => return false,
        }
    }
}

/// The raw segment of `path` where `pattern` has `{name}`.
pub(super) fn segment<'a>(pattern: &str, path: &'a str, name: &str) -> Option<&'a str> {
    for (part, segment) in pattern.split('/').zip(path.split('/')) {
        let inside = part.strip_prefix('{').and_then(|part| part.strip_suffix('}'));
        if inside == Some(name) {
            return Some(segment);
        }
    }
    None
}
