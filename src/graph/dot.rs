//! A picture as text for graphviz.
//!
//! Comes in: a picture. Goes out: a `digraph`, each column one rank. Every text of a rule file is a quoted string.

use std::fmt::Write as _;

use super::picture::{Column, EdgeKind, Picture};

/// Writes it.
pub fn dot(picture: &Picture) -> String {
    let mut out = String::from(
        "digraph rules {\n  rankdir=LR;\n  node [shape=box, style=\"filled,rounded\", fontname=\"monospace\", fontsize=10];\n",
    );
    for column in Column::ALL {
        let nodes: Vec<_> = picture.nodes.iter().enumerate().filter(|(_, n)| n.column == column).collect();
        if nodes.is_empty() {
            continue;
        }
        let _ = writeln!(out, "  subgraph {{\n    rank=same; node [fillcolor=\"{}\"];", column.colour());
        for (at, node) in nodes {
            let (label, title) = (string(&node.lines, "\\l"), string(&node.title, "\\n"));
            let _ = writeln!(out, "    n{at} [label={label}, tooltip={title}];");
        }
        out.push_str("  }\n");
    }
    for edge in &picture.edges {
        let style = match edge.kind {
            EdgeKind::Flow => "",
            EdgeKind::Emits => " [style=dashed, color=\"#8a3ffc\", constraint=false]",
        };
        let _ = writeln!(out, "  n{} -> n{}{style};", edge.from, edge.to);
    }
    out.push_str("}\n");
    out
}

/// Lines as one string; a backslash or quote of theirs is a character, not an escape.
fn string(lines: &[String], end: &str) -> String {
    let mut out = String::from("\"");
    for line in lines {
        out.push_str(&line.replace('\\', "\\\\").replace('"', "\\\""));
        out.push_str(end);
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_ends_no_string() {
        let lines = ["a \"b\\".to_owned(), "c".to_owned()];
        assert_eq!(string(&lines, "\\l"), r#""a \"b\\\lc\l""#);
    }
}
