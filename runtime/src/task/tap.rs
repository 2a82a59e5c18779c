//! TAP, the Test Anything Protocol, versions 12 to 14: lines `ok 1 - name # SKIP why` among whatever else is printed.
//!
//! Comes in: text, a file or a run's whole log. Goes out: one report for each test, those of subtests below the name of
//! the test that they belong to; one for each plan that was not kept; nothing where there is no line of TAP. A YAML block
//! after a test becomes its data. A subtest stands four spaces further in, before its own test: `Test::More` and Node
//! write it so under version 13 as well. A log may hold several documents, one behind the other. Of pragmas only `strict`
//! is known: with it, lines that are no TAP are for somebody to look at.

use super::Outcome;
use super::reported::Reported;
use super::tap_document::Document;
use super::tap_line::{Item, item};
use crate::limits;

/// How much further in than its test a subtest stands.
const INDENT: usize = 4;
/// How much further in than its test a YAML block stands.
const BLOCK_INDENT: usize = 2;

/// Reads TAP; no report where there is none at all.
pub(super) fn read(text: &str) -> Result<Vec<Reported>, String> {
    let mut reader = Reader::default();
    for line in text.lines() {
        reader.line(line.trim_end_matches('\r'));
        if reader.tests.max(reader.before.len()) > limits::RESULTS_PER_RUN {
            return Err(format!("it has more than {} tests", limits::RESULTS_PER_RUN));
        }
    }
    Ok(reader.finish())
}

#[derive(Default)]
struct Reader {
    root: Document,
    /// Reports of documents before it.
    before: Vec<Reported>,
    skipped_all: Option<String>,
    block: Option<Block>,
    /// Why the tests were given up.
    bailed: Option<String>,
    tests: usize,
}

/// A YAML block that is open.
struct Block {
    level: usize,
    text: String,
}

impl Reader {
    fn line(&mut self, line: &str) {
        let inner = line.trim_start_matches(' ');
        let indent = line.len() - inner.len();
        if let Some(block) = &mut self.block {
            let own = block.level * INDENT + BLOCK_INDENT;
            match line.get(own..).filter(|_| indent >= own) {
                Some("...") => return self.end_of_block(),
                None if !inner.is_empty() => self.end_of_block(),
                text => {
                    block.text.push_str(text.unwrap_or_default());
                    return block.text.push('\n');
                }
            }
        }
        let level = indent / INDENT;
        if indent % INDENT == BLOCK_INDENT && inner == "---" && self.root.can_have_block(level) {
            self.block = Some(Block { level, text: String::new() });
            return;
        }
        let tap =
            if indent.is_multiple_of(INDENT) && level < limits::RESULTS_DEPTH { item(inner) } else { None };
        match tap {
            Some(Item::BailOut(why)) => {
                self.bailed.get_or_insert(why);
            }
            Some(item) => self.item(level, item),
            None if inner.trim().is_empty() || inner.starts_with('#') => {}
            None => self.root.no_tap(level),
        }
    }

    fn item(&mut self, level: usize, item: Item<'_>) {
        if level == 0 && self.root.is_summed_up_by(&item) {
            return;
        }
        if level == 0 && self.root.ends_before(&item) {
            self.end_of_document();
        }
        self.tests += usize::from(matches!(item, Item::Test(_)));
        self.root.at(level).add(item);
    }

    fn end_of_document(&mut self) {
        let document = std::mem::take(&mut self.root);
        self.skipped_all = self.skipped_all.take().or_else(|| document.skipped_all());
        self.before.extend(document.close());
    }

    fn end_of_block(&mut self) {
        if let Some(block) = self.block.take() {
            self.root.at(block.level).diagnostic(block.text);
        }
    }

    fn finish(mut self) -> Vec<Reported> {
        self.end_of_block();
        self.end_of_document();
        let mut reported = self.before;
        if let Some(why) = self.bailed {
            let note = format!("the tests were given up: {why}").trim_end_matches([':', ' ']).to_owned();
            reported.push(Reported { note, ..Reported::local("bail-out", Outcome::NeedsInspection) });
        }
        if let Some(why) = self.skipped_all.filter(|_| reported.is_empty()) {
            let note = format!("skipped: {why}").trim_end_matches([':', ' ']).to_owned();
            reported.push(Reported { note, ..Reported::local("", Outcome::Info) });
        }
        reported
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

    use proptest::prelude::*;

    use super::super::Outcome::{Failed, Info, NeedsInspection, Passed};
    use super::*;

    fn told(text: &str) -> Vec<(String, Outcome, String)> {
        let reported = read(text).unwrap();
        reported.into_iter().map(|one| (one.name, one.outcome, one.note)).collect()
    }

    fn names(text: &str) -> Vec<(String, Outcome)> {
        told(text).into_iter().map(|(name, outcome, _)| (name, outcome)).collect()
    }

    fn is(names: &[(String, Outcome)], expected: &[(&str, Outcome)]) {
        let names: Vec<_> = names.iter().map(|(name, outcome)| (name.as_str(), *outcome)).collect();
        assert_eq!(names, expected);
    }

    #[test]
    fn subtests_stand_below_their_test() {
        let text = "TAP version 14\n1..3\nok 1 - alone\n# Subtest: outer\n    1..2\n    ok 1 - a\n    # Subtest: inner\n\
                    \x20       ok 1 - deep\n        not ok 2 - deeper\n        1..2\n    not ok 2 - inner\n\
                    not ok 2 - outer\n    ok 1 - bare\n    1..1\nok 3\n";
        is(
            &names(text),
            &[
                ("alone", Passed),
                ("outer", Failed),
                ("outer.a", Passed),
                ("outer.inner", Failed),
                ("outer.inner.deep", Passed),
                ("outer.inner.deeper", Failed),
                ("3", Passed),
                ("3.bare", Passed),
            ],
        );
    }

    #[test]
    fn what_fails_within_a_test_to_do_does_not_fail() {
        let text = "    not ok 1 - a\n    1..2\nnot ok 1 - later # TODO not written\n1..1\n";
        is(&names(text), &[("later", Info), ("later.a", Info), ("later.plan", Info)]);
    }

    #[test]
    fn a_subtest_without_its_test_is_not_lost() {
        let text = "ok 1 - a\n# Subtest: torn\n    not ok 1 - b\n    1..1\nok 2 - other\n1..2\n";
        let told = told(text);
        let names: Vec<_> = told.iter().map(|(name, outcome, _)| (name.as_str(), *outcome)).collect();
        assert_eq!(names, [("a", Passed), ("other", Passed), ("torn", NeedsInspection), ("torn.b", Failed)]);
        assert_eq!(told[2].2, "a subtest that no test of its own follows");
        is(&self::names("    ok 1 - b\n    1..1\n"), &[("subtest", NeedsInspection), ("subtest.b", Passed)]);
    }

    #[test]
    fn plans_are_held_against_the_tests() {
        for (text, why) in [
            ("1..3\nok 1\nok 2\n", "3 tests were planned, 2 reported"),
            ("1..1\nok 1\nok 2\n", "1 tests were planned, 2 reported"),
            ("ok\n", "1 tests reported, no plan (`1..1`) says that these are all"),
            ("1..3\nok 2\nok 4\nok 1\n", "test 4 is beyond the plan of 3"),
            ("1..1\nok 1\n1..1\n", "1 tests were planned, 0 reported"),
        ] {
            let told = told(text);
            let (name, outcome, note) = told.last().unwrap();
            assert_eq!((name.as_str(), *outcome, note.as_str()), ("plan", NeedsInspection, why), "{text}");
        }
        is(
            &names("ok 1 - a\n    1..2\n    ok 1 - c\nok 2 - b\n1..2\n"),
            &[("a", Passed), ("b", Passed), ("b.c", Passed), ("b.plan", NeedsInspection)],
        );
        assert_eq!(
            told("1..0 # no network here\n"),
            [(String::new(), Info, "skipped: no network here".into())]
        );
        assert_eq!(told("1..0 # SKIP no network\n"), [(String::new(), Info, "skipped: no network".into())]);
        assert!(names("nothing\n  of the kind\n").is_empty());
    }

    #[test]
    fn documents_stand_one_behind_the_other() {
        let all = [
            "ok 1 - a\n1..1\n",
            "1..2\nok 1 - b\nok 2 - c\n",
            "TAP version 13\n1..0 # skip\n",
            "1..1\nok 1 - d\n",
        ];
        let all = all.join("words\n");
        is(&names(&all), &[("a", Passed), ("b", Passed), ("c", Passed), ("d", Passed)]);
        // one that is torn is told as such when the next begins
        for next in ["TAP version 13\n1..1\nok 1 - b\n", "1..1\nok 1 - b\n"] {
            let torn = format!("1..2\nok 1 - a\n{next}");
            is(&names(&torn), &[("a", Passed), ("plan", NeedsInspection), ("b", Passed)]);
        }
        // what prove says behind each file
        is(&names("1..1\nok 1 - a\nok\n1..1\nok 1 - b\nok\n"), &[("a", Passed), ("b", Passed)]);
        is(&names("1..2\nok\nok\n"), &[("1", Passed), ("2", Passed)]);
    }

    #[test]
    fn giving_up_in_a_subtest_is_giving_up() {
        let told = told("1..2\nok 1 - a\n    Bail out! disk \\# full\nBail out! again\n");
        assert_eq!(
            told[2],
            ("bail-out".into(), NeedsInspection, "the tests were given up: disk # full".into())
        );
        assert_eq!(told.len(), 3, "{told:?}");
    }

    #[test]
    fn blocks_are_data_of_the_test_before_them() {
        let text = "TAP version 14\n1..2\nnot ok 1 - a\n  ---\n  message: one is not two\n  at:\n    line: 4\n\n  ...\n\
                    \x20   ok 1 - c\n      ---\n      just: text\n      ...\n    1..1\nok 2 - b\n  ---\n  a: b: c\n  ...\n";
        let reported = read(text).unwrap();
        let find = |name: &str| reported.iter().find(|one| one.name == name).unwrap();
        assert_eq!(find("a").note, "one is not two");
        assert_eq!(find("a").data["diagnostic"]["at"]["line"], 4);
        assert_eq!(find("b.c").data["diagnostic"]["just"], "text");
        assert_eq!(find("b").data["diagnostic"], "a: b: c\n", "what is no YAML is kept as text");
        is(&names("  ---\n  ok 1 - no\n  ...\nok 1 - a\n1..1\n"), &[("a", Passed)]);
        // a block that does not end takes no test with it
        is(&names("1..2\nok 1 - a\n  ---\n  x: 1\nok 2 - b\n"), &[("a", Passed), ("b", Passed)]);
    }

    #[test]
    fn strict_is_what_the_producer_asks_for_and_for_one_document() {
        is(&names("1..1\nwords\nok 1 - a\n"), &[("a", Passed)]);
        is(
            &names("pragma +strict\n1..1\nwords\n# a comment\n\nok 1 - a\n"),
            &[("a", Passed), ("strict", NeedsInspection)],
        );
        is(&names("pragma +strict\npragma -strict\n1..1\nwords\nok 1 - a\n"), &[("a", Passed)]);
        let text = "1..1\n    pragma +strict\n    ok 1 - b\n    1..1\nok 1 - a\nwords\n";
        is(&names(text), &[("a", Passed), ("a.b", Passed)]);
    }

    #[test]
    fn tests_and_depth_are_bounded() {
        for line in ["ok\n", "1..1\n"] {
            assert!(
                read(&line.repeat(limits::RESULTS_PER_RUN + 2)).unwrap_err().contains("more than"),
                "{line}"
            );
        }
        let nested = |level: usize| format!("{}ok 1 - x\n", " ".repeat(level * INDENT));
        assert_eq!(read(&nested(limits::RESULTS_DEPTH)).unwrap().len(), 0);
        let deep: String = (0..limits::RESULTS_DEPTH).rev().map(nested).collect();
        assert!(read(&deep).unwrap().iter().all(|one| one.name.len() < 2 * limits::RESULT_NAME_BYTES + 10));
    }

    proptest! {
        /// However lines follow each other: each test is one report, and none that failed is called better, unless it stands
        /// within one that is skipped or to do.
        #[test]
        fn no_test_is_lost(lines in prop::collection::vec((0..4_usize, 0..8_usize), 0..30)) {
            const LINES: [&str; 8] =
                ["ok 1 - a", "not ok 2 - b", "ok 2 - c # TODO", "1..2", "# Subtest: b", "words", "pragma +strict", "TAP version 14"];
            let text: String = lines.iter().map(|(level, line)| format!("{}{}\n", "    ".repeat(*level), LINES[*line])).collect();
            let reported = read(&text).unwrap();
            let tests = lines.iter().filter(|(_, line)| *line < 3).count();
            prop_assert_eq!(reported.iter().filter(|one| one.data.contains_key("number")).count(), tests);
            let outermost = lines.iter().filter(|(level, line)| *level == 0 && *line == 1).count();
            prop_assert!(reported.iter().filter(|one| one.outcome == Failed).count() >= outermost);
            let within_todo = lines.iter().any(|(_, line)| *line == 2);
            let failed = lines.iter().filter(|(_, line)| *line == 1).count();
            prop_assert!(within_todo || reported.iter().filter(|one| one.outcome == Failed).count() == failed);
        }
    }
}
