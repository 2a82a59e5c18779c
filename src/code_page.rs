//! `taskbot explain CODE`: the page of a diagnostic.
//!
//! Comes in: what was asked for. Goes out: the code's page, as text for a terminal or with its entry of the registry as JSON. A
//! page is the project's own text, so nothing in it is escaped.

use serde_json::json;
use taskbot_compiler::{CODES, Code, code};

use crate::output::{self, Failure, Format, Paint};

/// The code that is asked for, if it is one: `TB` and a number in any case, or the name of a code.
pub fn asked(text: &str) -> Result<Option<&'static Code>, Failure> {
    let number = text.get(..2).filter(|head| head.eq_ignore_ascii_case("TB")).and_then(|_| text.get(2..));
    let is_id = number.is_some_and(|n| !n.is_empty() && n.bytes().all(|byte| byte.is_ascii_digit()));
    let is_name = || CODES.iter().any(|code| code.name == text);
    if is_id || is_name() { Ok(Some(code(text)?)) } else { Ok(None) }
}

/// Prints the page of a code.
pub fn print(code: &Code, format: Format, paint: Paint) -> Result<(), Failure> {
    match format {
        Format::Human => output::line(text(code.page, paint).trim_end()),
        Format::Json => output::json(&json!({
            "code": code.id,
            "name": code.name,
            "severity": code.severity(),
            "level": code.level,
            "why": code.why,
            "page": code.page,
        }))?,
    }
    Ok(())
}

/// Markdown as text: programs indented, a heading and words of the language set off, links without their target.
fn text(page: &str, paint: Paint) -> String {
    let mut text = String::new();
    let mut in_program = false;
    for line in page.lines() {
        if let Some(info) = line.strip_prefix("```") {
            in_program = !in_program;
            if in_program {
                let heading =
                    if info.contains("fails") { paint.red("wrong:") } else { paint.green("right:") };
                text.push_str(&format!("  {heading}\n"));
            }
        } else if in_program {
            text.push_str(format!("    {line}").trim_end());
            text.push('\n');
        } else if let Some(heading) = line.strip_prefix("# ") {
            text.push_str(&format!("{}\n", paint.bold(heading)));
        } else if !line.starts_with("<!--") {
            text.push_str(&format!("{}\n", words(line, paint)));
        }
    }
    text
}

/// A line of prose: what stands in backticks keeps them where there are no colours.
fn words(line: &str, paint: Paint) -> String {
    let mut out = String::new();
    for (nth, part) in line.split('`').enumerate() {
        match nth % 2 {
            0 => out.push_str(&without_links(part)),
            _ if paint.is_on() => out.push_str(&paint.bold(part)),
            _ => out.push_str(&format!("`{part}`")),
        }
    }
    out
}

/// `[text](target)` becomes `text`.
fn without_links(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, (label, (_target, after)))) = rest.split_once('[').and_then(|(before, rest)| {
        Some((before, rest.split_once("](").and_then(|(l, r)| Some((l, r.split_once(')')?)))?))
    }) {
        out.push_str(before);
        out.push_str(label);
        rest = after;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_known_by_their_look() {
        for (text, found) in
            [("TB0203", Some("TB0203")), ("tb0203", Some("TB0203")), ("unknown-field", Some("TB0203"))]
        {
            assert_eq!(asked(text).ok().flatten().map(|code| code.id), found);
        }
        for message in ["2024-TB0203", "TB", "TBx", "message.json", "-", "é"] {
            assert!(matches!(asked(message), Ok(None)), "{message}");
        }
        assert!(asked("TB0299").is_err());
    }

    #[test]
    fn a_page_is_text_without_marks() {
        let page = "# TB0001 x\n<!-- note -->\nSee [the `table`](a.md), `[a]` and [b](c).\n\n```tb,fails TB0001\non a\n\n  run b\n```\n";
        let wanted = "TB0001 x\nSee [the `table`](a.md), `[a]` and b.\n\n  wrong:\n    on a\n\n      run b\n";
        assert_eq!(text(page, Paint::plain()), wanted);
    }
}
