//! How a test sets a fact: the line to write, made from how rules read it.
//!
//! Comes in: a fact with its key, and a compiled graph. Goes out: text of the language. It knows no answer.

use taskbot_graph::{Expr, ExprId, FactKey, Graph, Type, Value};

/// `with package.lang = ...`, for a fact that a rule of the event reads.
pub fn how_to_set(graph: &Graph, event: &str, need: &FactKey) -> String {
    format!("with {} = ...", path_of(graph, event, &need.fact))
}

/// The fact as a rule of the event reads it, `package.lang`.
pub fn path_of(graph: &Graph, event: &str, fact: &str) -> String {
    let member = fact.rsplit('.').next().unwrap_or(fact);
    let values = graph.events.iter().find(|e| e.name == event).map_or(&[][..], |e| e.values.as_slice());
    let named = |at: u32| values.get(at as usize).map(|v| v.name.clone());
    let receivers = graph.exprs.iter().filter_map(|expr| match expr {
        Expr::Fact(at, key) if graph.facts.get(*at as usize).is_some_and(|f| f.name == fact) => {
            receiver(graph, *key, &named)
        }
        _ => None,
    });
    // Several rules may read it from different values; any of them names the fact.
    let receiver = receivers.min().unwrap_or_else(|| "VALUE".to_owned());
    format!("{receiver}.{member}")
}

/// The value that a key is taken from: what stands innermost.
fn receiver(graph: &Graph, key: ExprId, named: &dyn Fn(u32) -> Option<String>) -> Option<String> {
    match graph.exprs.get(key as usize)? {
        Expr::EventValue(at) => named(*at),
        Expr::Part(of, _) | Expr::Field(of, _) => receiver(graph, *of, named),
        _ => None,
    }
}

/// A value as the language writes it: `C`, `"C++"`, `[x86_64, aarch64]`.
pub fn literal(ty: &Type, value: &Value) -> String {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    match (ty, value) {
        (Type::Enum(_), Value::Text(text)) if is_name(text) => text.to_string(),
        (Type::List(item), Value::List(items)) => {
            format!("[{}]", items.iter().map(|v| literal(item, v)).collect::<Vec<_>>().join(", "))
        }
        (_, Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Duration(_)) => value.text(),
        (_, value) => quoted(&value.text()),
    }
}

/// Whether a text can stand as a bare word: no keyword, a letter first.
fn is_name(text: &str) -> bool {
    let keywords = [
        "absent", "all", "and", "any", "else", "except", "false", "for", "has", "in", "is", "like",
        "matches", "none", "not", "null", "on", "or", "run", "true", "where",
    ];
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !keywords.contains(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_as_the_language_reads_them() {
        let text = |t: &str| Value::Text(t.into());
        let language = Type::Enum(0);
        assert_eq!(literal(&language, &text("C")), "C");
        assert_eq!(literal(&language, &text("C++")), "\"C++\"");
        assert_eq!(literal(&language, &text("none")), "\"none\"");
        let list = Type::List(Box::new(Type::Enum(0)));
        assert_eq!(literal(&list, &Value::List([text("x86_64"), text("src")].into())), "[x86_64, src]");
        assert_eq!(literal(&Type::String, &text("a\"b")), "\"a\\\"b\"");
    }
}
