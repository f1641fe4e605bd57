//! What a store of objects answers, in XML.

use roxmltree::Document;

/// The text of each element of this name, whatever it lies in.
pub(super) fn texts(xml: &[u8], name: &str) -> Vec<String> {
    let Ok(text) = std::str::from_utf8(xml) else { return Vec::new() };
    let Ok(document) = Document::parse(text) else { return Vec::new() };
    let mut found = Vec::new();
    for node in document.descendants() {
        if node.tag_name().name() == name {
            found.push(node.text().unwrap_or_default().to_owned());
        }
    }
    found
}

/// The text of the first such element.
pub(super) fn text(xml: &[u8], name: &str) -> Option<String> {
    texts(xml, name).into_iter().next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_found_in_any_namespace_and_nothing_in_what_is_no_xml() {
        let xml = b"<?xml version='1.0'?><R xmlns='http://s3.amazonaws.com/doc/2006-03-01/'>\
            <C><Key>a&amp;b</Key></C><C><Key>c</Key></C></R>";
        assert_eq!(texts(xml, "Key"), ["a&b", "c"]);
        assert_eq!(text(xml, "Size"), None);
        assert_eq!(text(b"<html>", "Key"), None);
    }
}
