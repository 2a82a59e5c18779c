//! A plan as Markdown, for a comment of a review.
//!
//! Comes in: what the two rule sets made of the messages. Goes out: a heading, a table of the rules that change, and below it the
//! first messages of each. Text of messages stands in code spans only, so that it is no markup.

use super::compare::{RuleChange, Standing, Tally};
use super::{Told, estimate, report};
use crate::output::{self, count, shown};

/// Prints the plan.
pub fn print(told: &Told<'_>) {
    lines(told).into_iter().for_each(output::line);
}

fn lines(told: &Told<'_>) -> Vec<String> {
    let messages = count(told.comparison.messages, "message");
    let mut lines = vec![format!("### taskbot plan: {} → {}", code(told.old), code(told.new)), String::new()];
    let same = |rule: &&RuleChange| rule.standing == Standing::Same && !rule.is_exercised();
    let changed: Vec<&RuleChange> = told.comparison.rules.iter().filter(|rule| !same(rule)).collect();
    if changed.is_empty() {
        lines.push(format!("Nothing changes on {messages}."));
        return lines;
    }
    let unchanged = told.comparison.rules.len().saturating_sub(changed.len());
    lines.push(format!("Judged on {messages}; {} unchanged.", count(unchanged, "rule")));
    lines.push(String::new());
    lines.push("| rule | what | newly runs | no longer runs | unchanged |".into());
    lines.push("| --- | --- | ---: | ---: | ---: |".into());
    for rule in &changed {
        let (_, what) = report::heading(rule);
        let (newly, gone, same) = (rule.newly.runs, rule.no_longer.runs, rule.unchanged);
        lines.push(format!("| {} | {what} | {newly} | {gone} | {same} |", code(&rule.rule)));
    }
    for rule in &changed {
        details(told, rule, &mut lines);
    }
    lines
}

fn details(told: &Told<'_>, rule: &RuleChange, lines: &mut Vec<String>) {
    lines.extend([String::new(), format!("**{}**", code(&rule.rule)), String::new()]);
    for (word, written) in
        ["old", "new"].into_iter().zip(told.rules_at.get(rule.rule.as_str()).into_iter().flatten())
    {
        if let Some(written) = written {
            let condition = written.condition.as_deref().unwrap_or("(always)");
            lines.push(format!("- {word}: {} at {}", code(condition), code(&written.at.short())));
        }
    }
    for (word, tally) in [("newly runs", &rule.newly), ("no longer runs", &rule.no_longer)] {
        tally_lines(word, tally, lines);
        lines.extend(
            estimate(&told.history, &tally.tasks).into_iter().map(|line| format!("  - time: {line}")),
        );
    }
    for line in report::remarks(rule) {
        // What is indented names messages and their values.
        lines.push(match line.strip_prefix("  ") {
            Some(quoted) => format!("  - {}", code(quoted)),
            None => format!("- {line}"),
        });
    }
    for witness in &rule.witnesses {
        lines.extend(report::witness_lines(witness).into_iter().map(|line| format!("  - {}", code(&line))));
    }
}

fn tally_lines(word: &str, tally: &Tally, lines: &mut Vec<String>) {
    if tally.runs == 0 {
        return;
    }
    lines.push(format!("- {word} {} for {}", count(tally.runs, "run"), count(tally.messages, "message")));
    for example in &tally.first {
        lines.push(format!("  - {} of message {}", code(&example.run), code(&example.message)));
    }
    let more = tally.runs.saturating_sub(tally.first.len());
    if more > 0 {
        lines.push(format!("  - and {more} more"));
    }
}

/// A code span that no text can leave: its fence is longer than any row of backticks in it.
fn code(text: &str) -> String {
    let text = shown(text).replace('|', "\\|");
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.saturating_add(1));
    let pad = if longest > 0 { " " } else { "" };
    format!("{fence}{pad}{text}{pad}{fence}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_leaves_its_code_span() {
        assert_eq!(code("a"), "`a`");
        assert_eq!(code("a ``` <img> `b"), "```` a ``` <img> `b ````");
        assert_eq!(code("a|b\n"), "`a\\|b\\u{a}`");
    }
}
