//! XML-RPC, as much of it as koji's hub speaks.
//!
//! Comes in: a method with one parameter; the text of an answer. Goes out: the text of a call; a value, or the fault that the
//! answer tells. Nesting and size are bounded by who reads the text. It never sends anything.

use std::collections::BTreeMap;

use quick_xml::escape::escape;

use crate::task::xml::{Node, walk};

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Nil,
    Int(i64),
    Text(String),
    List(Vec<Value>),
    Map(BTreeMap<String, Value>),
}

impl Value {
    pub(super) fn member(&self, name: &str) -> Option<&Self> {
        if let Self::Map(members) = self { members.get(name) } else { None }
    }

    pub(super) fn int(&self) -> Option<i64> {
        if let Self::Int(int) = self { Some(*int) } else { None }
    }

    pub(super) fn text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    fn write(&self) -> String {
        match self {
            Self::Nil => "<nil/>".to_owned(),
            Self::Int(int) => format!("<int>{int}</int>"),
            Self::Text(text) => format!("<string>{}</string>", escape(text.as_str())),
            Self::List(items) => {
                let items: String =
                    items.iter().map(|item| format!("<value>{}</value>", item.write())).collect();
                format!("<array><data>{items}</data></array>")
            }
            Self::Map(members) => {
                let member = |(name, value): (&String, &Self)| {
                    format!(
                        "<member><name>{}</name><value>{}</value></member>",
                        escape(name.as_str()),
                        value.write()
                    )
                };
                format!("<struct>{}</struct>", members.iter().map(member).collect::<String>())
            }
        }
    }
}

/// The text of a call.
pub(super) fn call(method: &str, parameter: &Value) -> String {
    format!(
        "<?xml version=\"1.0\"?><methodCall><methodName>{method}</methodName><params><param><value>{}</value></param></params></methodCall>",
        parameter.write()
    )
}

/// The value of an answer.
///
/// # Errors
/// The fault that it tells, or what is wrong with it.
pub(super) fn answer(text: &str) -> Result<Value, String> {
    let (mut open, mut done, mut fault) = (Vec::new(), None, false);
    walk(text, |path, node| {
        let element = path.rsplit('/').next().unwrap_or_default();
        match (element, node) {
            ("fault", Node::Open(_)) => fault = true,
            ("value", Node::Open(_)) => open.push(Half::default()),
            ("value", Node::Close) => {
                let value = open.pop().ok_or("a value without a beginning")?.value()?;
                match open.last_mut() {
                    None => done = Some(value),
                    Some(around) => around.take(value),
                }
            }
            ("name", Node::Text(text)) => {
                if let Some(around) = open.last_mut() {
                    around.name.push_str(text);
                }
            }
            (_, Node::Text(text)) => {
                if let Some(half) = open.last_mut() {
                    half.text.push_str(text);
                }
            }
            (_, Node::Open(_)) if path.ends_with(&format!("value/{element}")) => {
                if let Some(half) = open.last_mut() {
                    half.text.clear();
                    element.clone_into(&mut half.kind);
                }
            }
            _ => {}
        }
        Ok(())
    })?;
    match done {
        None => Err("the answer holds no value".to_owned()),
        Some(value) if fault => {
            let said = value.member("faultString").and_then(Value::text).unwrap_or("without a word");
            Err(format!("it refuses: {said}"))
        }
        Some(value) => Ok(value),
    }
}

/// A value that is being read.
#[derive(Default)]
struct Half {
    kind: String,
    text: String,
    /// Of the member that is being read.
    name: String,
    items: Vec<Value>,
    members: BTreeMap<String, Value>,
}

impl Half {
    fn take(&mut self, value: Value) {
        if self.kind == "struct" {
            self.members.insert(std::mem::take(&mut self.name), value);
        } else {
            self.items.push(value);
        }
    }

    fn value(self) -> Result<Value, String> {
        match self.kind.as_str() {
            "nil" | "ex:nil" => Ok(Value::Nil),
            "int" | "i4" | "i8" | "ex:i8" | "boolean" => {
                self.text.trim().parse().map(Value::Int).map_err(|_| format!("{:?} is no number", self.text))
            }
            "array" => Ok(Value::List(self.items)),
            "struct" => Ok(Value::Map(self.members)),
            // A double, a date, bytes: nothing here reads them.
            _ => Ok(Value::Text(self.text)),
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn response(value: &str) -> String {
        format!(
            "<?xml version='1.0'?>\n<methodResponse>\n<params>\n<param>\n<value>{value}</value>\n</param>\n</params>\n</methodResponse>\n"
        )
    }

    #[test]
    fn values_are_read_as_they_are_written() {
        let value = Value::List(vec![
            Value::Map(BTreeMap::from([
                ("id".to_owned(), Value::Int(7)),
                ("nvr".to_owned(), Value::Text("a<b>&-1-1".to_owned())),
                ("none".to_owned(), Value::Nil),
                ("deep".to_owned(), Value::List(vec![Value::Int(-1), Value::List(Vec::new())])),
            ])),
            Value::Text(String::new()),
        ]);
        assert_eq!(answer(&response(&value.write())).unwrap(), value);
        assert_eq!(answer(&response("bare")).unwrap(), Value::Text("bare".to_owned()));
        let spaced = "\n<array><data>\n<value><i4> 3 </i4></value>\n<value><nil/></value>\n</data></array>\n";
        assert_eq!(answer(&response(spaced)).unwrap(), Value::List(vec![Value::Int(3), Value::Nil]));
        let call = call("getBuild", &Value::Text("a<b".to_owned()));
        assert!(
            call.contains("<methodName>getBuild</methodName>") && call.contains("<string>a&lt;b</string>")
        );
    }

    #[test]
    fn faults_and_nonsense_are_errors() {
        let fault =
            Value::Map(BTreeMap::from([("faultString".to_owned(), Value::Text("No such".to_owned()))]));
        let fault =
            format!("<methodResponse><fault><value>{}</value></fault></methodResponse>", fault.write());
        assert_eq!(answer(&fault).unwrap_err(), "it refuses: No such");
        for text in [
            "",
            "<html><p>502</p></html>",
            "<methodResponse/>",
            &response("<int>x</int>"),
            &response("<int>1</int>")[..60],
        ] {
            assert!(answer(text).is_err(), "{text}");
        }
        let deep = format!("{}{}", "<array><data><value>".repeat(100), "</value></data></array>".repeat(100));
        assert!(answer(&response(&deep)).unwrap_err().contains("too deep"));
    }
}
