//! One document of TAP: the whole, or a subtest within it.
//!
//! Comes in: its items in their order. Goes out: its reports, with those of its subtests below the tests that they belong
//! to, and what is wrong with its plan. Nothing that was reported is lost: a subtest that no test follows stands for
//! itself, with a report that says so.

use serde_json::{Map, Value};

use super::reported::{Reported, below};
use super::tap_line::{Item, Plan, Test};
use super::{Outcome, result_yaml};

/// A document that is open.
#[derive(Default)]
pub(super) struct Document {
    reported: Vec<Reported>,
    /// The last of `reported` that is a test of this document.
    last_test: Option<usize>,
    tests: u64,
    highest_number: u64,
    planned: Option<u64>,
    skip_all: Option<String>,
    strict: bool,
    not_tap: usize,
    /// The name that `# Subtest: name` told for the next test.
    announced: Option<String>,
    subtest: Option<Box<Document>>,
}

impl Document {
    /// The document that many levels further in; it is opened where there is none.
    pub(super) fn at(&mut self, levels: usize) -> &mut Self {
        let mut document = self;
        for _ in 0..levels {
            document = document.subtest.get_or_insert_default();
        }
        document
    }

    /// Whether a test of the document that many levels further in has just come, without a subtest since.
    pub(super) fn can_have_block(&self, levels: usize) -> bool {
        let mut document = self;
        for _ in 0..levels {
            let Some(subtest) = &document.subtest else { return false };
            document = subtest;
        }
        document.subtest.is_none() && document.last_test.is_some()
    }

    /// Whether the item begins another document: a plan or version stands once in each.
    pub(super) fn ends_before(&self, item: &Item<'_>) -> bool {
        let is_complete = self.planned == Some(self.tests) && self.subtest.is_none();
        match item {
            Item::Test(test) => is_complete && test.number == Some(1),
            Item::Plan(_) => self.planned.is_some(),
            Item::Version => self.planned.is_some() || self.tests > 0,
            _ => false,
        }
    }

    /// Whether a bare `ok` is not a test more but a runner's word that the file it ran is fine, as `prove -v` writes it.
    pub(super) fn is_summed_up_by(&self, item: &Item<'_>) -> bool {
        let Item::Test(test) = item else { return false };
        let is_bare = test.number.is_none() && test.description.is_empty() && test.note.is_empty();
        is_bare && test.outcome == Outcome::Passed && self.tests > 0 && self.planned == Some(self.tests)
    }

    /// Takes an item in.
    pub(super) fn add(&mut self, item: Item<'_>) {
        match item {
            Item::Test(test) => self.test(test),
            Item::Plan(Plan { count, reason }) => {
                self.planned = Some(count);
                self.skip_all = (count == 0).then_some(reason);
            }
            Item::Pragma { name: "strict", on } => self.strict = on,
            Item::Subtest(name) => self.announced = Some(name).filter(|name| !name.is_empty()),
            Item::Pragma { .. } | Item::Version | Item::BailOut(_) => {}
        }
    }

    /// Takes a line in that is no TAP.
    pub(super) fn no_tap(&mut self, levels: usize) {
        match &mut self.subtest {
            Some(subtest) if levels > 0 => subtest.no_tap(levels - 1),
            _ => self.not_tap += usize::from(self.strict),
        }
    }

    /// Takes the YAML block of the last test in: what it holds, or where it cannot be read, as it was written.
    pub(super) fn diagnostic(&mut self, block: String) {
        let Some(test) = self.last_test.and_then(|at| self.reported.get_mut(at)) else { return };
        let value = match result_yaml::parse(&block) {
            Ok(value @ (Value::Object(_) | Value::Array(_))) => value,
            _ => Value::String(block),
        };
        let said = ["message", "error"].iter().find_map(|key| value.get(key)?.as_str());
        if test.note.is_empty()
            && let Some(said) = said
        {
            test.note = said.trim().to_owned();
        }
        test.data.insert("diagnostic".into(), value);
    }

    fn test(&mut self, test: Test) {
        self.tests += 1;
        self.highest_number = self.highest_number.max(test.number.unwrap_or(self.tests));
        let number = test.number.unwrap_or(self.tests).to_string();
        let announced = self.announced.take();
        let described = Some(test.description).filter(|description| !description.is_empty());
        let name = described.or_else(|| announced.clone()).unwrap_or_else(|| number.clone());
        let mut data = Map::from_iter([("number".to_owned(), Value::String(number))]);
        data.extend(test.time.map(|time| ("time".to_owned(), Value::String(time))));
        self.last_test = Some(self.reported.len());
        self.reported.push(Reported { note: test.note, data, ..Reported::local(name.clone(), test.outcome) });
        let Some(subtest) = self.subtest.take() else { return };
        match announced {
            Some(announced) if announced != name => self.orphan(*subtest, announced),
            _ => self.subtests(&name, test.outcome, *subtest),
        }
    }

    /// Reports of a subtest below its test. Within a test that is to do or skipped nothing fails.
    fn subtests(&mut self, name: &str, of: Outcome, subtest: Self) {
        for mut one in subtest.close() {
            one.name = below(name, &one.name);
            if of == Outcome::Info && one.outcome != Outcome::Passed {
                one.outcome = Outcome::Info;
            }
            self.reported.push(one);
        }
    }

    fn orphan(&mut self, subtest: Self, name: String) {
        let note = "a subtest that no test of its own follows".to_owned();
        self.reported.push(Reported { note, ..Reported::local(name.clone(), Outcome::NeedsInspection) });
        self.subtests(&name, Outcome::NeedsInspection, subtest);
    }

    /// Why nothing was tested, where the plan says that there is nothing to test.
    pub(super) fn skipped_all(&self) -> Option<String> {
        self.skip_all.clone()
    }

    /// All reports of the document.
    pub(super) fn close(mut self) -> Vec<Reported> {
        if let Some(subtest) = self.subtest.take()
            && !subtest.is_empty()
        {
            let name = self.announced.take().unwrap_or_else(|| "subtest".to_owned());
            self.orphan(*subtest, name);
        }
        if let Some(note) = self.plan_not_kept() {
            self.reported.push(Reported { note, ..Reported::local("plan", Outcome::NeedsInspection) });
        }
        if self.not_tap > 0 {
            let note = format!("`pragma +strict`, but {} lines are not TAP", self.not_tap);
            self.reported.push(Reported { note, ..Reported::local("strict", Outcome::NeedsInspection) });
        }
        self.reported
    }

    fn is_empty(&self) -> bool {
        self.reported.is_empty()
            && self.planned.is_none()
            && self.not_tap == 0
            && self.subtest.as_ref().is_none_or(|subtest| subtest.is_empty())
    }

    fn plan_not_kept(&self) -> Option<String> {
        let (tests, highest) = (self.tests, self.highest_number);
        match self.planned {
            None if tests == 0 => None,
            None => Some(format!("{tests} tests reported, no plan (`1..{tests}`) says that these are all")),
            Some(planned) if planned != tests => {
                Some(format!("{planned} tests were planned, {tests} reported"))
            }
            Some(planned) if highest > planned => {
                Some(format!("test {highest} is beyond the plan of {planned}"))
            }
            Some(_) => None,
        }
    }
}
