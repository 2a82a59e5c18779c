//! What came of tests, told to people and to programs.
//!
//! Comes in: tests with their problems, and the coverage. Goes out: lines of text, or one JSON document. Text of messages is
//! escaped here at the latest.

use serde_json::json;
use taskbot_compiler::Compiled;

use super::Ended;
use super::coverage::{Coverage, Times};
use super::judge::{Because, Problem, RunLine};
use crate::output::{self, Failure, Paint, count, shown};
use crate::render;

/// Prints every test on a line, each failed one with its problems.
pub fn print(compiled: &Compiled, ended: &[Ended<'_>], paint: Paint) {
    for one in ended {
        let spot = paint.dim(&render::spot(&compiled.files, one.test.place).short());
        let passed = one.problems.is_empty();
        let word = if passed { paint.green("passed") } else { paint.red("FAILED") };
        output::line(format!("{word}  {}  {spot}", shown(&one.test.name)));
        for problem in &one.problems {
            problem_lines(problem).into_iter().for_each(|line| output::line(format!("        {line}")));
        }
    }
    let failed = ended.iter().filter(|e| !e.problems.is_empty()).count();
    let all = count(ended.len(), "test");
    output::line("");
    output::line(match failed {
        0 => format!("{} {all} passed", paint.green("ok:")),
        _ => format!("{} {failed} of {all} failed", paint.red("failed:")),
    });
}

/// A problem in lines, without colours.
pub fn problem_lines(problem: &Problem) -> Vec<String> {
    match problem {
        Problem::CannotRun { reason } => vec![shown(reason)],
        Problem::NotTheEvent { event, instead } => {
            let mut lines = vec![format!("the message is not {event}:")];
            lines.extend(instead.iter().map(|line| format!("  {}", shown(line))));
            lines
        }
        Problem::Quarantined { rule, reason } => {
            let whose = rule.as_ref().map_or(String::new(), |rule| format!(" for rule {rule}"));
            vec![format!("the message is quarantined{whose}: {}", shown(reason))]
        }
        Problem::NotQuarantined { at, runs } => {
            let mut lines = vec![format!("the message is not quarantined  {}", at.short())];
            if runs.is_empty() {
                lines.push("  nobody asks for a run".into());
            }
            lines.extend(runs.iter().map(|run| format!("  asked for: {}", shown(run))));
            lines
        }
        Problem::NeedsFact { fact, key, rule, write } => vec![
            format!("rule {rule} needs the fact {fact} of {}, which the test does not set", shown(key)),
            format!("  write: {write}"),
        ],
        Problem::Missing { at, expected, closest, because } => {
            missing(at, expected, closest.as_ref(), because)
        }
        Problem::Unexpected { at, expectation, run, asked_by } => {
            let mut lines = vec![format!("not expected: {}", one_line(run))];
            lines.push(format!("  against `{expectation}`  {}", at.short()));
            for rule in asked_by {
                lines.push(format!("  asked for by {}", rule_and_place(rule)));
            }
            lines
        }
    }
}

/// The expected run above the closest one, what differs marked below.
fn missing(
    at: &render::Spot,
    expected: &RunLine,
    closest: Option<&RunLine>,
    because: &[Because],
) -> Vec<String> {
    let mut lines = Vec::new();
    match closest {
        Some(closest) => {
            let (above, below, marks) = aligned(expected, closest);
            lines.push(format!("expected: {above}  {}", at.short()));
            lines.push(format!("closest:  {below}"));
            if !marks.is_empty() {
                lines.push(format!("          {marks}"));
            }
        }
        None => {
            lines.push(format!("expected: {}  {}", one_line(expected), at.short()));
            lines.push(format!("got:      no run of {}", expected.task));
        }
    }
    if because.is_empty() && closest.is_none() {
        lines.push(format!("  no rule runs {}", expected.task));
    }
    for rule in because {
        let subject = rule.subject.as_ref().map_or(String::new(), |s| format!(" for {}", shown(s)));
        lines.push(format!("  rule {}{subject}", rule_and_place(rule)));
        lines.extend(rule.why.iter().map(|line| format!("    {line}")));
    }
    lines
}

fn rule_and_place(rule: &Because) -> String {
    let at = rule.at.as_ref().map_or(String::new(), |at| format!("  {}", at.short()));
    format!("{}{at}", rule.rule)
}

fn argument((name, text): &(String, String)) -> String {
    format!("{name}: {}", shown(&serde_json::Value::from(text.as_str()).to_string()))
}

fn one_line(run: &RunLine) -> String {
    if run.arguments.is_empty() {
        return run.task.clone();
    }
    let arguments: Vec<String> = run.arguments.iter().map(argument).collect();
    format!("{}({})", run.task, arguments.join(", "))
}

/// Two runs of one task, argument below argument, and marks below what differs.
fn aligned(expected: &RunLine, got: &RunLine) -> (String, String, String) {
    let head = format!("{}(", expected.task);
    let (mut above, mut below) = (head.clone(), head.clone());
    let mut marks = " ".repeat(head.chars().count());
    // In the order in which the task declares them; those that the test does not name are left out.
    let named = got.arguments.iter().filter(|(name, _)| expected.arguments.iter().any(|(n, _)| n == name));
    let missing = expected.arguments.iter().filter(|(name, _)| !got.arguments.iter().any(|(n, _)| n == name));
    for (at, (name, _)) in named.chain(missing).enumerate() {
        let text = |run: &RunLine| run.arguments.iter().find(|(n, _)| n == name).map(argument);
        let (wanted, found) = (text(expected).unwrap_or_default(), text(got).unwrap_or_else(|| "-".into()));
        let width = wanted.chars().count().max(found.chars().count());
        let comma = if at == 0 { "" } else { ", " };
        above.push_str(&format!("{comma}{wanted:width$}"));
        below.push_str(&format!("{comma}{found:width$}"));
        marks.push_str(&format!("{:comma$}{:width$}", "", marked(&wanted, &found), comma = comma.len()));
    }
    let closed = |line: String| format!("{})", line.trim_end());
    (closed(above), closed(below), marks.trim_end().to_owned())
}

/// Marks from the first character that differs to the last one, counted from the end.
fn marked(wanted: &str, found: &str) -> String {
    let (wanted, found): (Vec<char>, Vec<char>) = (wanted.chars().collect(), found.chars().collect());
    let head = wanted.iter().zip(&found).take_while(|(a, b)| a == b).count();
    let most = wanted.len().min(found.len()).saturating_sub(head);
    let tail = wanted.iter().rev().zip(found.iter().rev()).take_while(|(a, b)| a == b).count().min(most);
    let differing = wanted.len().max(found.len()).saturating_sub(head).saturating_sub(tail);
    format!("{}{}", " ".repeat(head), "^".repeat(differing))
}

/// Prints what the tests saw of each rule, and what they did not.
pub fn print_coverage(coverage: &Coverage, least: usize, paint: Paint) {
    output::line("");
    let mut table = output::Table::new(&["RULE, PARTS OF ITS CONDITION", "TRUE", "FALSE", "PLACE"]);
    for rule in &coverage.rules {
        let Times { yes, no } = rule.fired;
        let no = if rule.condition.is_some() { no.to_string() } else { "-".to_owned() };
        table.row(&[&rule.rule, &yes.to_string(), &no, &rule.at.short()]);
        for part in &rule.parts {
            let Times { yes, no } = part.held;
            table.row(&[&format!("  {}", part.text), &yes.to_string(), &no.to_string(), &part.at.short()]);
        }
    }
    table.print(paint);
    output::line("");
    for rule in &coverage.rules {
        for unseen in &rule.unseen {
            let at = unseen.at.short();
            output::line(format!(
                "{} {} {}  {}",
                paint.yellow("not covered:"),
                rule.rule,
                unseen.what,
                paint.dim(&at)
            ));
        }
    }
    let all = format!("{}% of the branches ({} of {})", coverage.percent, coverage.seen, coverage.branches);
    output::line(if coverage.percent < least {
        format!("{} {all}, less than {least}%", paint.red("coverage:"))
    } else {
        format!("{} {all}", paint.green("coverage:"))
    });
}

/// Prints everything as one document.
pub fn print_json(
    compiled: &Compiled,
    ended: &[Ended<'_>],
    coverage: Option<&Coverage>,
) -> Result<(), Failure> {
    let tests: Vec<serde_json::Value> = ended
        .iter()
        .map(|one| {
            let passed = one.problems.is_empty();
            let text: Vec<String> = one.problems.iter().flat_map(problem_lines).collect();
            json!({
                "name": one.test.name, "at": render::spot(&compiled.files, one.test.place), "event": one.test.event,
                "passed": passed, "problems": one.problems, "text": text,
            })
        })
        .collect();
    let failed = ended.iter().filter(|e| !e.problems.is_empty()).count();
    output::json(&json!({ "tests": tests, "failed": failed, "coverage": coverage }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(package: &str, arch: &str) -> RunLine {
        let arguments = vec![("package".into(), package.into()), ("arch".into(), arch.into())];
        RunLine { task: "t".into(), arguments }
    }

    #[test]
    fn what_differs_is_marked_below_both() {
        let (above, below, marks) = aligned(&run("kernel-6.10-1", "src"), &run("kernel-6.8-1", "src"));
        assert_eq!(above, "t(package: \"kernel-6.10-1\", arch: \"src\")");
        assert_eq!(below, "t(package: \"kernel-6.8-1\" , arch: \"src\")");
        assert_eq!(marks, "                     ^^");
        assert_eq!(aligned(&run("a", "b"), &run("a", "b")).2, "");
    }
}
