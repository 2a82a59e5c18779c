//! Diagnostics as plain data, and the one registry of their codes.
//!
//! Comes in: what a stage found wrong, with its place. Goes out: to whoever shows it (`src/` has the formats). A code is
//! never used for another thing and never re-used; its range tells the stage: 01 text, 02 names, 03 types, 04 rules and
//! tasks, 05 declarations, 06 lints, 07 lints that are off by default, 08 tests. Each has a page in `docs/diagnostics`, or
//! the registry does not compile. Which findings are shown is the business of `select`.

use serde::Serialize;
use taskbot_graph::Place;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Nothing is compiled.
    Error,
    /// Compiled, but somebody should look.
    Warning,
}

/// What is done about a code unless somebody chooses otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// It is found, and not shown.
    Off,
    /// A finding is a warning.
    Warning,
    /// A finding is an error.
    Error,
}

/// An entry of the registry.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Code {
    /// `TB0203`
    pub id: &'static str,
    /// `unknown-field`
    pub name: &'static str,
    /// What is done about it by default. An error stays one; the others are lints, which can be chosen and suppressed.
    pub level: Level,
    /// Why it matters, in one sentence.
    pub why: &'static str,
    /// Its page, as Markdown: `docs/diagnostics/TB0203.md`.
    pub page: &'static str,
}

impl Code {
    /// Whether it can be switched on and off, and suppressed by a comment.
    pub fn is_lint(&self) -> bool {
        self.level != Level::Error
    }

    /// How bad a finding is by default; of a code that is off, once it is switched on.
    pub fn severity(&self) -> Severity {
        if self.is_lint() { Severity::Warning } else { Severity::Error }
    }
}

macro_rules! registry {
    ($($id:ident $name:literal $level:ident $why:literal;)*) => {
        $(#[doc = concat!("The code `", $name, "`; its page says more.")]
        pub static $id: Code = Code {
            id: stringify!($id),
            name: $name,
            level: Level::$level,
            why: $why,
            page: include_str!(concat!("../../docs/diagnostics/", stringify!($id), ".md")),
        };)*

        /// Every code, in order.
        pub static CODES: &[&Code] = &[$(&$id),*];
    };
}

registry! {
    TB0101 "unreadable-text" Error "These characters begin nothing in the language.";
    TB0102 "open-string" Error "A string ends on the line where it begins, or it would swallow the rest of the file.";
    TB0103 "nested-too-deep" Error "Nesting is bounded so that no file can exhaust the compiler.";
    TB0104 "wrong-bracket" Error "Brackets pair by kind; a wrong one would move the end of an item.";
    TB0105 "unclosed-bracket" Error "Without its end, the item would swallow what follows.";
    TB0106 "not-an-item" Error "A file is rules and declarations; text between them means nothing.";
    TB0108 "unexpected-text" Error "The item cannot be read from here on.";
    TB0109 "number-too-large" Error "Whole numbers are 64 bits wide.";
    TB0110 "bad-escape" Error "In a string, a backslash stands before a quote, a backslash, n or t.";
    TB0111 "item-too-large" Error "The parser's work for one item is bounded; this one exceeds it.";
    TB0201 "unknown-event" Error "A rule that waits for an event that nobody declared would never fire.";
    TB0202 "unknown-task" Error "A rule can only run a task that is declared.";
    TB0203 "unknown-field" Error "A misspelt field would be absent in every message.";
    TB0204 "unknown-type" Error "Types are built in, or declared as record or enum.";
    TB0205 "unknown-enum-value" Error "No message ever holds this value, so the comparison would never be true.";
    TB0206 "unknown-name" Error "The name is no value of the event.";
    TB0207 "unknown-argument" Error "The task has no input of this name.";
    TB0208 "duplicate-declaration" Error "Two declarations of one name leave open which one is meant.";
    TB0209 "duplicate-rule" Error "Results and decisions are recorded under a rule's name, so it must be its own.";
    TB0210 "unknown-function" Error "Only nvr(name: ..., version: ..., release: ...) can be called.";
    TB0211 "ambiguous-name" Error "The word names a value of the event and a value of the enum at once.";
    TB0212 "shadowed-name" Error "Two things of one name in one place leave open which one a guard speaks of.";
    TB0213 "let-cycle" Error "A name that stands for itself stands for nothing.";
    TB0214 "duplicate-test" Error "A report names a test by what it shows, so that must be its own.";
    TB0215 "unknown-file" Error "What the file would declare is missing.";
    TB0216 "import-cycle" Error "Two files that need each other are one file.";
    TB0301 "type-mismatch" Error "Values of different types are never equal, so the comparison would never be true.";
    TB0302 "no-order" Error "Compared as text, f9 comes after f10; only numbers and versions have an order.";
    TB0303 "unguarded-optional" Error "The value may be missing, and then the rule would silently not fire.";
    TB0304 "bad-literal" Error "The text can never be a value of this type.";
    TB0305 "bad-glob" Error "The pattern can match nothing as it stands.";
    TB0306 "not-a-condition" Error "A condition is true or false.";
    TB0307 "not-a-list" Error "Only a list has elements.";
    TB0308 "bad-pattern" Error "A regular expression is compiled with the rules; one that cannot be would match nothing.";
    TB0309 "message-text-as-code" Error "What is executed is static: a message must not choose the task, its repository or its commit.";
    TB0310 "untyped-raw-value" Error "No event declares this topic, so a value has the type of what it is compared with.";
    TB0401 "missing-argument" Error "The task could not run without this input.";
    TB0402 "unused-axis" Error "An axis that no task takes would run the same thing again and again.";
    TB0403 "bad-except" Error "A combination names one value for each axis.";
    TB0404 "manifest-differs" Error "The task's own manifest takes other inputs than its declaration says.";
    TB0405 "no-repository" Error "A task is cloned from its repository when it runs.";
    TB0406 "no-identity" Error "A record is an argument by its identity; this one declares none.";
    TB0407 "depends-on-axis" Error "An axis is a list or a path, never a value computed from another axis.";
    TB0408 "bad-repository" Error "A task whose repository cannot be cloned would never run.";
    TB0409 "bad-clause" Error "A window or limit that cannot be kept would be none.";
    TB0410 "trigger-loop" Error "A task that causes the event that starts it runs for ever.";
    TB0411 "group-limits-differ" Error "A group has one limit; two leave open which one holds.";
    TB0501 "endless-record" Error "A record that holds itself would have no end.";
    TB0502 "bad-topic" Error "A topic is words joined by dots, without prefix and environment.";
    TB0503 "missing-definition" Error "A value that is not optional must be given by every dialect.";
    TB0504 "optional-definition" Error "A value that is not optional needs a definition that is always there.";
    TB0505 "bad-subject" Error "The subjects of an event are the elements of one list of the body.";
    TB0506 "varies-without-each" Error "A value that differs from subject to subject is declared with `each`.";
    TB0507 "shape-outside-body" Error "Only a dialect's body is described by a shape; declare a record instead.";
    TB0508 "no-topic" Error "A dialect without a topic is never told.";
    TB0601 "never-true" Warning "What is never true is a rule that never fires, or an alternative that is none.";
    TB0602 "always-true" Warning "A condition that excludes nothing was meant to exclude something, or is to be left out.";
    TB0603 "contradicts-enum" Warning "Every value that the enum lists is excluded, so the rule waits for one that upstream has yet to invent.";
    TB0604 "shadowed-rule" Warning "A rule that adds no run is a copy, or its condition is not what was meant.";
    TB0605 "same-run" Warning "Two rules for one run have to be read together to know when it happens.";
    TB0606 "separator-in-element" Warning "Several names in one string are one name, which nothing has: the list silently names nothing.";
    TB0607 "pattern-gap" Warning "Digits are judged one by one: [3-9][3-9] never matches 40, whatever comes after 39 is lost.";
    TB0608 "regex-over-serialised-text" Warning "A value is compared, never a message's text; over text such a pattern matches by accident.";
    TB0609 "hard-coded-release" Warning "At every branching somebody must find and edit it, or the rule stops firing without a sound.";
    TB0610 "only-negations" Warning "On a topic with a wildcard, whatever is not excluded matches: also what nobody has thought of yet.";
    TB0611 "unanchored-regex" Warning "A regular expression matches anywhere in the text: `kernel` also matches in `perl-kernel-doc`.";
    TB0612 "needless-regex" Warning "What is no pattern is easier to read, and to check against what exists, without one.";
    TB0613 "unknown-package" Warning "A comparison with a name that no package has is never true, and nothing tells.";
    TB0614 "unused-let" Warning "A name that nothing reads is a rule's part that got lost, or is to be removed.";
    TB0615 "unused-import" Warning "A file that nothing is read of is a part of the program that readers look into in vain.";
    TB0616 "deprecated" Warning "What is deprecated will not be told for ever, and then the rule stops firing without a sound.";
    TB0617 "declared-topic" Warning "An event has types, all its dialects and a shape to be judged by; a raw topic has none of them.";
    TB0618 "vacuous-quantifier" Warning "`all` and `none` are true for a list without elements: the rule also fires where there is nothing.";
    TB0619 "empty-list" Warning "Nothing is in an empty list: the rule never fires, or its exclusion excludes nothing.";
    TB0620 "duplicate-element" Warning "An element named twice adds nothing; most likely another one was meant.";
    TB0621 "duplicate-operand" Warning "A condition named twice adds nothing; most likely another one was meant.";
    TB0690 "bad-suppression" Warning "A suppression that cannot be read suppresses nothing.";
    TB0691 "suppression-without-reason" Warning "Whoever reads the rule next must be able to judge whether it still holds.";
    TB0692 "unknown-code" Warning "A suppression of a code that does not exist suppresses nothing.";
    TB0693 "suppressed-error" Warning "Only lints can be suppressed; an error must be mended.";
    TB0694 "unused-suppression" Warning "It would hide the next mistake of this kind, which nobody has looked at.";
    TB0701 "broad-rule" Off "A mass rebuild tells of tens of thousands of packages in a day; each would be a run.";
    TB0702 "task-not-pinned" Off "A branch or tag moves: what runs would change without anybody reviewing the rules.";
    TB0703 "undocumented" Off "Reports and reviews show the documentation; without it nobody knows what the rule is for.";
    TB0704 "untested" Off "A rule that no test shows firing may never fire, and the next edit may break it unseen.";
    TB0801 "bad-test" Error "A test that cannot be set up shows nothing.";
}

/// A place with a remark.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Label {
    /// Where.
    pub place: Place,
    /// What to see there.
    pub text: String,
}

/// Whether a suggestion may be taken without a look at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Safety {
    /// The program means the same afterwards.
    Safe,
    /// The program means something else afterwards, or it meant nothing before: somebody has to look.
    Unsafe,
}

/// A replacement that mends the mistake.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Suggestion {
    /// What to replace.
    pub place: Place,
    /// With what.
    pub text: String,
    /// Whether `--fix` takes it unasked.
    pub safety: Safety,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// Entry of the registry.
    #[serde(flatten)]
    pub code: &'static Code,
    /// How bad it is: the code's, unless `select` was told otherwise.
    pub severity: Severity,
    /// What is wrong, in one sentence.
    pub message: String,
    /// Where it is wrong.
    pub primary: Label,
    /// Other places that matter.
    pub others: Vec<Label>,
    /// What to do.
    pub help: Option<String>,
    /// A replacement, where one is close.
    pub suggestion: Option<Suggestion>,
    /// The reason of the comment that suppresses it.
    pub suppressed: Option<String>,
}

impl Diagnostic {
    /// A diagnostic at one place.
    pub(crate) fn new(
        code: &'static Code,
        place: Place,
        message: impl Into<String>,
        label: impl Into<String>,
    ) -> Self {
        let primary = Label { place, text: short(label.into()) };
        Self {
            code,
            severity: code.severity(),
            message: short(message.into()),
            primary,
            others: Vec::new(),
            help: None,
            suggestion: None,
            suppressed: None,
        }
    }

    /// Adds what to do.
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds another place.
    pub(crate) fn other(mut self, place: Place, text: impl Into<String>) -> Self {
        self.others.push(Label { place, text: text.into() });
        self
    }

    /// Adds a replacement.
    pub(crate) fn suggest(mut self, place: Place, text: impl Into<String>, safety: Safety) -> Self {
        self.suggestion = Some(Suggestion { place, text: text.into(), safety });
        self
    }

    /// Adds the closest of some names as an unsafe suggestion for what stands at the place; else, if few, lists them.
    pub(crate) fn did_you_mean<'n>(
        mut self,
        written: &str,
        names: impl IntoIterator<Item = &'n str>,
    ) -> Self {
        let names: Vec<&str> = names.into_iter().collect();
        if let Some(close) = closest(written, &names) {
            self.help = Some(format!("did you mean `{close}`?"));
            let place = self.primary.place;
            return self.suggest(place, close, Safety::Unsafe);
        } else if !names.is_empty() && names.len() <= 12 && self.help.is_none() {
            self.help = Some(format!(
                "there are {}",
                names.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ")
            ));
        }
        self
    }
}

/// Longest message or remark; the source is quoted beside it.
const TEXT_CHARS: usize = 400;
/// Longest word that a suggestion is looked for.
const SUGGEST_CHARS: usize = 80;

/// The text, cut where a hostile file would make it endless.
fn short(text: String) -> String {
    match text.char_indices().nth(TEXT_CHARS) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
        None => text,
    }
}

/// The name that differs least, if it differs by at most a third of its letters (transpositions count once).
pub fn closest<'n>(written: &str, names: &[&'n str]) -> Option<&'n str> {
    if written.len() > SUGGEST_CHARS {
        return None;
    }
    let lower = written.to_lowercase();
    let distance = |name: &str| strsim::damerau_levenshtein(&lower, &name.to_lowercase());
    let best = names.iter().map(|name| (distance(name), *name)).min()?;
    let limit = written.chars().count().max(best.1.chars().count()).div_ceil(3).min(4);
    let last_word = |name: &str| name.rsplit('.').next() == written.rsplit('.').next();
    if best.0 <= limit {
        Some(best.1)
    } else {
        names.iter().copied().find(|n| n.contains('.') && last_word(n))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn codes_are_unique_and_in_order() {
        assert!(CODES.is_sorted_by(|a, b| a.id < b.id));
        let mut names: Vec<&str> = CODES.iter().map(|c| c.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), CODES.len());
    }

    #[test]
    fn the_range_of_a_code_tells_its_level() {
        for code in CODES {
            let level = match code.id.get(..4).unwrap() {
                "TB06" => Level::Warning,
                "TB07" => Level::Off,
                _ => Level::Error,
            };
            assert_eq!(code.level, level, "{}", code.id);
        }
    }

    #[test]
    fn suggestions_are_close_or_none() {
        assert_eq!(closest("rmplint", &["rpmlint", "depcheck"]), Some("rpmlint"));
        assert_eq!(closest("nme", &["name", "version"]), Some("name"));
        assert_eq!(closest("zebra", &["name", "version"]), None);
        assert_eq!(
            closest("update.testing", &["bodhi.update.testing", "koji.build.completed"]),
            Some("bodhi.update.testing")
        );
    }
}
