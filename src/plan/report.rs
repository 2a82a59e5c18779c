//! A plan for people on a terminal.
//!
//! Comes in: what the two rule sets made of the messages. Goes out: lines; text of messages is escaped here.

use super::compare::{RuleChange, Standing, Tally};
use super::definition::WINDOWS;
use super::witness::{SetFact, Witness};
use super::{Told, Written, estimate};
use crate::output::{self, Paint, Table, count, shown};

/// Prints the plan.
pub fn print(told: &Told<'_>, paint: Paint) {
    let comparison = told.comparison;
    output::line(format!("{} -> {} on {}", told.old, told.new, count(comparison.messages, "message")));
    if told.unreadable > 0 {
        output::line(format!("  {} would be set aside unread", count(told.unreadable, "line")));
    }
    if told.other_environment > 0 {
        output::line(format!("  {} of other environments", count(told.other_environment, "message")));
    }
    let same = |rule: &&RuleChange| rule.standing == Standing::Same && !rule.is_exercised();
    for rule in comparison.rules.iter().filter(|rule| !same(rule)) {
        output::line("");
        print_rule(told, rule, paint);
    }
    let unchanged: Vec<&RuleChange> = comparison.rules.iter().filter(same).collect();
    let runs: usize = unchanged.iter().map(|rule| rule.unchanged).sum();
    output::line("");
    output::line(format!("{} unchanged, with {}", count(unchanged.len(), "rule"), count(runs, "run")));
    if told.changes {
        print_tasks(told, paint);
    } else {
        output::line(format!("{} nothing changes", paint.green("ok:")));
    }
}

fn print_rule(told: &Told<'_>, rule: &RuleChange, paint: Paint) {
    let (mark, what) = heading(rule);
    output::line(format!("{} rule {}: {what}", paint.yellow(mark), paint.bold(&rule.rule)));
    if let Some(places) = told.rules_at.get(rule.rule.as_str()) {
        for (word, written) in ["old", "new"].into_iter().zip(places) {
            if let Some(Written { at, condition }) = written {
                let condition = condition.as_deref().unwrap_or("(always)");
                output::line(format!("    {word}  {condition}  {}", paint.dim(&at.short())));
            }
        }
    }
    print_tally("newly runs", &rule.newly, paint);
    print_tally("no longer runs", &rule.no_longer, paint);
    output::line(format!("    unchanged       {}", count(rule.unchanged, "run")));
    for line in remarks(rule) {
        output::line(format!("    {line}"));
    }
    for (word, tally) in [("more", &rule.newly), ("less", &rule.no_longer)] {
        for line in estimate(&told.history, &tally.tasks) {
            output::line(format!("    time {word}       {line}"));
        }
    }
    rule.witnesses.iter().for_each(print_witness);
}

/// A sign and what became of a rule.
pub fn heading(rule: &RuleChange) -> (&'static str, String) {
    match &rule.standing {
        Standing::Same => ("~", "the same words, another meaning".into()),
        Standing::Changed { parts } => ("~", format!("{} changed", parts.join(", "))),
        Standing::Added => ("+", "added".into()),
        Standing::Removed => ("-", "removed".into()),
    }
}

/// What else there is to say of a rule.
pub fn remarks(rule: &RuleChange) -> Vec<String> {
    let mut lines = Vec::new();
    if rule.open_messages > 0 {
        lines.push(format!(
            "depends on facts that are not known, for {}",
            count(rule.open_messages, "message")
        ));
        for open in &rule.open {
            let needs: Vec<String> =
                open.needs.iter().map(|n| format!("{} of {}", n.fact, shown(&n.key))).collect();
            lines.push(format!("  {}  message {}", needs.join(", "), shown(&open.message)));
        }
    }
    if rule.newly_quarantined > 0 {
        lines.push(format!("newly quarantined for it: {}", count(rule.newly_quarantined, "message")));
    }
    if rule.no_longer_quarantined > 0 {
        lines.push(format!("no longer quarantined for it: {}", count(rule.no_longer_quarantined, "message")));
    }
    if only_windows(rule) {
        lines.push("it asks for the same; `taskbot replay` shows what its windows hold or refuse".into());
    } else if rule.standing != Standing::Same && !rule.is_exercised() {
        lines.push(match rule.witnesses.as_slice() {
            [_] => "no message of the archive shows the change; this one, made up, does:".into(),
            [_, ..] => "no message of the archive shows the change; these, made up, do:".into(),
            [] => "no message of the archive shows the change, and no witness was found".into(),
        });
    }
    lines
}

/// Whether a rule changed in nothing but what admission does with its requests: no message can show that.
fn only_windows(rule: &RuleChange) -> bool {
    matches!(&rule.standing, Standing::Changed { parts } if parts.as_slice() == [WINDOWS])
}

fn print_tally(word: &str, tally: &Tally, paint: Paint) {
    if tally.runs == 0 {
        return;
    }
    let (runs, messages) = (count(tally.runs, "run"), count(tally.messages, "message"));
    output::line(format!("    {word:14}  {} for {messages}", paint.bold(&runs)));
    for example in &tally.first {
        output::line(format!("      {}  message {}", shown(&example.run), shown(&example.message)));
    }
    let more = tally.runs.saturating_sub(tally.first.len());
    if more > 0 {
        output::line(format!("      ... and {more} more"));
    }
}

fn print_witness(witness: &Witness) {
    for line in witness_lines(witness) {
        output::line(format!("      {line}"));
    }
}

/// A witness: how it was made, what both make of it, the message itself.
pub fn witness_lines(witness: &Witness) -> Vec<String> {
    let runs = |runs: &[String]| if runs.is_empty() { "nothing".to_owned() } else { shown(&runs.join(", ")) };
    let mut lines = match (&witness.made_from, &witness.changed) {
        (Some(message), Some(changed)) => vec![format!("message {}, but {}", shown(message), shown(changed))],
        _ => vec![format!("{}: {}", shown(&witness.topic), shown(&witness.body.to_string()))],
    };
    let facts = witness.facts.iter().map(|SetFact { key, value }| {
        format!("with {} of {} = {}", key.fact, shown(&key.key), shown(&value.to_string()))
    });
    lines.extend(facts);
    lines.push(format!("old runs {}", runs(&witness.old_runs)));
    lines.push(format!("new runs {}", runs(&witness.new_runs)));
    lines
}

fn print_tasks(told: &Told<'_>, paint: Paint) {
    output::line("");
    let mut table = Table::new(&["TASK", "NEWLY", "NO LONGER", "UNCHANGED"]);
    for (task, change) in &told.comparison.tasks {
        let cells = [change.newly, change.no_longer, change.unchanged].map(|n| n.to_string());
        let [newly, no_longer, unchanged] = cells.each_ref().map(String::as_str);
        table.row(&[task, newly, no_longer, unchanged]);
    }
    table.print(paint);
}
