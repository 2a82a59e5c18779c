//! XML that tools write, walked node by node.
//!
//! Comes in: text. Goes out, to a function: each element with its attributes, its text and its end, with the names of
//! the elements around it as a path, `testsuite/testcase`. A document type is refused: no tool writes one, and it is
//! where entities come from. Nesting and attributes are bounded; text that ends in the middle, stands outside of the root
//! or follows it is an error, so that a torn file is never taken for a whole one.

use std::collections::BTreeMap;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use crate::limits;

/// Attributes of an element by their names.
pub(crate) type Attributes = BTreeMap<String, String>;

/// What a walk meets.
pub(crate) enum Node<'a> {
    /// An element begins.
    Open(Attributes),
    /// A piece of the text within the element.
    Text(&'a str),
    /// The element ends.
    Close,
}

/// Walks a document. The path of a node ends with the name of its element.
pub(crate) fn walk(
    text: &str,
    mut visit: impl FnMut(&str, Node<'_>) -> Result<(), String>,
) -> Result<(), String> {
    let mut reader = Reader::from_str(text);
    reader.config_mut().expand_empty_elements = true;
    let mut path = Path::default();
    loop {
        match reader.read_event().map_err(|e| format!("it is not XML: {e}"))? {
            Event::Start(element) => {
                path.enter(element.name().as_ref())?;
                visit(&path.names, Node::Open(attributes(&element)?))?;
            }
            Event::End(_) => {
                visit(&path.names, Node::Close)?;
                path.leave();
            }
            Event::Text(text) => path.text(&text.xml10_content(), &mut visit)?,
            Event::CData(text) => path.text(&text.xml10_content(), &mut visit)?,
            Event::GeneralRef(name) => {
                let text = quick_xml::escape::unescape(&format!("&{};", &*name))
                    .map_err(|e| format!("it is not XML: {e}"))?
                    .into_owned();
                path.text(&text, &mut visit)?;
            }
            Event::DocType(_) => return Err("it declares a document type".into()),
            Event::Eof if !path.lengths.is_empty() => return Err("it ends in the middle".into()),
            Event::Eof if !path.had_root => return Err("it is not XML: it has no element".into()),
            Event::Eof => return Ok(()),
            _ => {}
        }
    }
}

#[derive(Default)]
struct Path {
    names: String,
    /// How long `names` was around each open element.
    lengths: Vec<usize>,
    had_root: bool,
}

impl Path {
    fn enter(&mut self, name: &str) -> Result<(), String> {
        if self.lengths.len() >= limits::RESULTS_DEPTH {
            return Err("its elements are nested too deep".into());
        }
        if name.len() > limits::RESULT_NAME_BYTES {
            return Err(format!("an element's name is longer than {} bytes", limits::RESULT_NAME_BYTES));
        }
        if self.lengths.is_empty() && self.had_root {
            return Err("it is not XML: something follows its root element".into());
        }
        self.had_root = true;
        self.lengths.push(self.names.len());
        if !self.names.is_empty() {
            self.names.push('/');
        }
        self.names.push_str(name);
        Ok(())
    }

    fn leave(&mut self) {
        self.names.truncate(self.lengths.pop().unwrap_or(0));
    }

    fn text(
        &self,
        text: &str,
        visit: &mut impl FnMut(&str, Node<'_>) -> Result<(), String>,
    ) -> Result<(), String> {
        match self.lengths.is_empty() {
            false => visit(&self.names, Node::Text(text)),
            true if text.trim().is_empty() => Ok(()),
            true => Err("it is not XML: text outside of its root element".into()),
        }
    }
}

fn attributes(element: &BytesStart<'_>) -> Result<Attributes, String> {
    let mut found = Attributes::new();
    for attribute in element.attributes() {
        // the reader compares each with all before it
        if found.len() >= limits::RESULTS_XML_ATTRIBUTES {
            return Err(format!("an element has more than {} attributes", limits::RESULTS_XML_ATTRIBUTES));
        }
        let attribute = attribute.map_err(|e| format!("it is not XML: {e}"))?;
        let key = attribute.key.as_ref().to_owned();
        let value = attribute
            .normalized_value(quick_xml::XmlVersion::Implicit1_0)
            .map_err(|e| format!("attribute {key}: {e}"))?;
        found.insert(key, value.into_owned());
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn walked(text: &str) -> Result<Vec<String>, String> {
        let mut nodes = Vec::new();
        walk(text, |path, node| {
            nodes.push(match node {
                Node::Open(attributes) => format!("<{path} {attributes:?}"),
                Node::Text(text) => format!("{path} {text:?}"),
                Node::Close => format!("{path}>"),
            });
            Ok(())
        })?;
        Ok(nodes)
    }

    #[test]
    fn nodes_come_with_the_path_of_their_element() {
        let text = "<?xml version=\"1.0\"?><!-- c -->\n<a k=\"&lt;v&#65;\">x&amp;<b/><![CDATA[<y>]]></a>\n";
        assert_eq!(
            walked(text).unwrap(),
            ["<a {\"k\": \"<vA\"}", "a \"x\"", "a \"&\"", "<a/b {}", "a/b>", "a \"<y>\"", "a>"]
        );
    }

    #[test]
    fn what_is_no_whole_document_is_an_error() {
        for (text, why) in [
            ("", "no element"),
            ("words", "text outside"),
            ("<a>", "ends in the middle"),
            ("<a></b>", "not XML"),
            ("<a/><b/>", "follows its root"),
            ("<a/>words", "text outside"),
            ("<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>", "document type"),
            ("<a>&b;</a>", "not XML"),
            ("<a k=\"&b;\"/>", "attribute k"),
            ("<a k=\"1\" k=\"2\"/>", "not XML"),
        ] {
            let said = walked(text).unwrap_err();
            assert!(said.contains(why), "{text}: {said}");
        }
    }

    #[test]
    fn nesting_and_attributes_are_bounded() {
        let deep = |depth: usize| "<a>".repeat(depth) + &"</a>".repeat(depth);
        assert!(walked(&deep(limits::RESULTS_DEPTH)).is_ok());
        assert!(walked(&deep(limits::RESULTS_DEPTH + 1)).unwrap_err().contains("too deep"));
        let wide = |count: usize| (0..count).map(|i| format!(" k{i}=\"\"")).collect::<String>();
        let most = limits::RESULTS_XML_ATTRIBUTES;
        assert!(walked(&format!("<a{}/>", wide(most))).is_ok());
        assert!(walked(&format!("<a{}/>", wide(most + 1))).unwrap_err().contains("attributes"));
    }
}
