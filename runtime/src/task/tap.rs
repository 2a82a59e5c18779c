//! TAP 13, the Test Anything Protocol: lines `ok 1 - name # SKIP why` among whatever else a task prints.
//!
//! Comes in: text, a file or a run's whole log. Goes out: one report for each test, and one for each that was
//! planned and never came. A YAML block after a test becomes data. Indented lines (subtests of TAP 14) are left to
//! their summary line.

use serde_json::{Map, Value};

use super::Outcome;
use super::results::Reported;
use crate::limits;

/// Reads TAP; an error where there is none at all.
pub(super) fn read(text: &str) -> Result<Vec<Reported>, String> {
    let mut tap = Tap::default();
    for line in text.lines() {
        tap.line(line.trim_end_matches('\r'));
        if tap.tests.len() > limits::RESULTS_PER_RUN {
            return Err(format!("it has more than {} tests", limits::RESULTS_PER_RUN));
        }
    }
    tap.finish()
}

#[derive(Default)]
struct Tap {
    tests: Vec<Reported>,
    planned: Option<u64>,
    skip_all: Option<String>,
    bailed: Option<String>,
    block: Option<String>,
}

impl Tap {
    fn line(&mut self, line: &str) {
        if let Some(block) = &mut self.block {
            match line.strip_prefix("  ") {
                Some("...") => self.end_of_block(),
                Some(inner) => {
                    block.push_str(inner);
                    block.push('\n');
                }
                None => {
                    self.end_of_block();
                    self.outside(line);
                }
            }
        } else {
            self.outside(line);
        }
    }

    fn outside(&mut self, line: &str) {
        if line == "  ---" && !self.tests.is_empty() {
            self.block = Some(String::new());
        } else if let Some(why) = line.strip_prefix("Bail out!") {
            self.bailed = Some(why.trim().to_owned());
        } else if let Some(rest) = after_word(line, "not ok") {
            self.test(rest, Outcome::Failed);
        } else if let Some(rest) = after_word(line, "ok") {
            self.test(rest, Outcome::Passed);
        } else if let Some((count, rest)) = plan(line) {
            self.planned = Some(count);
            if count == 0 {
                self.skip_all = Some(directive(rest, "skip").unwrap_or_default().to_owned());
            }
        }
    }

    fn test(&mut self, rest: &str, said: Outcome) {
        let rest = rest.trim_start();
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, rest) = rest.split_at(digits);
        let (description, outcome, note) = match (directive(rest, "skip"), directive(rest, "todo")) {
            (Some(why), _) => (before_directive(rest), Outcome::Info, format!("skipped: {why}")),
            (_, Some(why)) => (before_directive(rest), Outcome::Info, format!("to do: {why}")),
            (None, None) => (rest, said, String::new()),
        };
        let description = description.trim().trim_start_matches('-').trim().replace("\\#", "#");
        let number = if number.is_empty() { (self.tests.len() + 1).to_string() } else { number.to_owned() };
        let name = if description.is_empty() { number.clone() } else { description };
        let data = Map::from_iter([("number".to_owned(), Value::String(number))]);
        let note = note.trim_end_matches([':', ' ']).to_owned();
        self.tests.push(Reported { data, note, ..Reported::local(name, outcome) });
    }

    /// A YAML block is kept as it was written: its keys differ from producer to producer.
    fn end_of_block(&mut self) {
        if let (Some(block), Some(test)) = (self.block.take(), self.tests.last_mut()) {
            test.data.insert("diagnostic".into(), Value::String(block));
        }
    }

    fn finish(mut self) -> Result<Vec<Reported>, String> {
        self.end_of_block();
        let seen = u64::try_from(self.tests.len()).unwrap_or(u64::MAX);
        if let Some(why) = self.bailed {
            let note = format!("the tests were given up: {why}");
            self.tests.push(Reported { note, ..Reported::local("bail-out", Outcome::NeedsInspection) });
        }
        match (self.planned, self.skip_all) {
            (Some(0), Some(why)) if self.tests.is_empty() => {
                let note = format!("skipped: {why}");
                self.tests.push(Reported { note, ..Reported::local("", Outcome::Info) });
            }
            (Some(planned), _) if planned != seen => {
                let note = format!("{planned} tests were planned, {seen} reported");
                self.tests.push(Reported { note, ..Reported::local("plan", Outcome::NeedsInspection) });
            }
            (None, _) if seen > 0 => {
                let note = format!("{seen} tests reported, no plan (`1..{seen}`) says that these are all");
                self.tests.push(Reported { note, ..Reported::local("plan", Outcome::NeedsInspection) });
            }
            _ => {}
        }
        if self.tests.is_empty() { Err("it has no line of TAP".into()) } else { Ok(self.tests) }
    }
}

/// What follows a word that ends there.
fn after_word<'a>(line: &'a str, word: &str) -> Option<&'a str> {
    let rest = line.strip_prefix(word)?;
    (rest.is_empty() || rest.starts_with(' ')).then_some(rest)
}

/// `1..4 # skip why`.
fn plan(line: &str) -> Option<(u64, &str)> {
    let rest = line.strip_prefix("1..")?;
    let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (count, rest) = rest.split_at(digits);
    let ends = rest.is_empty() || rest.starts_with([' ', '#']);
    if ends { Some((count.parse().ok()?, rest)) } else { None }
}

fn before_directive(rest: &str) -> &str {
    rest.split_once(" #").map_or("", |(before, _)| before)
}

/// The reason after ` # SKIP` or ` # TODO`; an escaped `\#` is text.
fn directive<'a>(rest: &'a str, word: &str) -> Option<&'a str> {
    let (_, directive) = rest.split_once(" #")?;
    let directive = directive.trim_start();
    let head = directive.get(..word.len())?;
    let reason = directive.get(word.len()..)?;
    // "skipped" and "skip:" are written as well
    head.eq_ignore_ascii_case(word).then(|| reason.trim_start_matches("ped").trim_start_matches(':').trim())
}
