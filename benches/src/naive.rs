//! The naive reference: what must come out.
//!
//! Comes in: the generator's rules and the bytes of messages. Goes out: which rule fires on which message, for which subject. Each
//! message is parsed to a tree, each rule of its topic walked as it was drawn. It uses nothing of taskbot, nor anything clever.

use std::collections::BTreeMap;

use regex::Regex;
use serde_json::Value;

use crate::program::covered;
use crate::rule::{Condition, Literal, Rule, SubjectTest, Test};
use crate::shape::{Kind, Topics, shape_of};

/// One firing: message, rule, and the subject if the rule reads it.
pub type Firing = (usize, usize, Option<usize>);

/// Rules by the topics that they cover.
pub struct Naive<'r> {
    by_topic: BTreeMap<&'r str, (usize, Vec<&'r Rule>)>,
    regexes: BTreeMap<&'r str, Regex>,
}

impl<'r> Naive<'r> {
    /// Sorts rules by topic.
    pub fn new(topics: &'r Topics, rules: &'r [Rule]) -> Self {
        let mut by_topic: BTreeMap<&str, (usize, Vec<&Rule>)> =
            topics.names.iter().enumerate().map(|(at, name)| (name.as_str(), (at, Vec::new()))).collect();
        let mut regexes = BTreeMap::new();
        for rule in rules {
            for topic in covered(topics, rule.on) {
                let of = topics.names.get(topic).and_then(|name| by_topic.get_mut(name.as_str()));
                if let Some((_, of)) = of {
                    of.push(rule);
                }
            }
            rule.conditions.iter().for_each(|c| compile_regexes(c, &mut regexes));
        }
        Self { by_topic, regexes }
    }

    /// What fires on a message, in the order of rules.
    pub fn judge(&self, message: usize, envelope: &[u8]) -> Vec<Firing> {
        let Ok(envelope) = serde_json::from_slice::<Value>(envelope) else { return Vec::new() };
        let topic = envelope.get("topic").and_then(Value::as_str).unwrap_or_default();
        // `org.example.prod.` and `org.example.stg.`
        let topic = topic.splitn(4, '.').nth(3).unwrap_or_default();
        let Some((place, rules)) = self.by_topic.get(topic) else { return Vec::new() };
        let body = envelope.get("msg").unwrap_or(&Value::Null);
        let builds = shape_of(*place).iter().find(|slot| slot.kind == Kind::Builds);
        let subjects: Vec<&str> = builds
            .and_then(|slot| value_at(body, slot.path))
            .and_then(Value::as_array)
            .map_or(Vec::new(), |builds| builds.iter().filter_map(Value::as_str).collect());
        let mut fired = Vec::new();
        for rule in rules {
            if !rule.reads_subject() {
                if rule.conditions.iter().all(|c| self.holds(c, body, "")) {
                    fired.push((message, rule.number, None));
                }
                continue;
            }
            for (at, subject) in subjects.iter().enumerate() {
                if rule.conditions.iter().all(|c| self.holds(c, body, subject)) {
                    fired.push((message, rule.number, Some(at)));
                }
            }
        }
        fired
    }

    fn holds(&self, condition: &Condition, body: &Value, subject: &str) -> bool {
        match condition {
            Condition::Value(slot, test) => value_at(body, slot.path).is_some_and(|v| self.passes(test, v)),
            Condition::Any(list, tests) => {
                let items = value_at(body, list.path).and_then(Value::as_array);
                items.is_some_and(|items| {
                    items.iter().any(|item| {
                        tests.iter().all(|(slot, test)| {
                            let value = slot.map_or(Some(item), |slot| value_at(item, slot.path));
                            value.is_some_and(|value| self.passes(test, value))
                        })
                    })
                })
            }
            Condition::Or(parts) => parts.iter().any(|part| self.holds(part, body, subject)),
            Condition::Subject(test) => self.subject_passes(test, subject),
        }
    }

    fn passes(&self, test: &Test, value: &Value) -> bool {
        let text = value.as_str();
        let number = value.as_i64();
        match test {
            Test::Has => true,
            Test::Is(literal) => equals(value, literal),
            Test::IsNot(literal) => !equals(value, literal),
            Test::In(texts) => text.is_some_and(|text| texts.iter().any(|one| one == text)),
            Test::Within(low, high) => number.is_some_and(|n| *low <= n && n < *high),
            Test::AtLeast(low) => number.is_some_and(|n| *low <= n),
            Test::Below(high) => number.is_some_and(|n| n < *high),
            Test::Prefix(head) => text.is_some_and(|text| text.starts_with(head.as_str())),
            Test::Suffix(tail) => text.is_some_and(|text| text.ends_with(tail.as_str())),
            Test::Glob(glob) => text.is_some_and(|text| glob_matches(glob.as_bytes(), text.as_bytes())),
            Test::Matches(pattern) => {
                text.is_some_and(|text| self.regexes.get(pattern.as_str()).is_some_and(|r| r.is_match(text)))
            }
            Test::Not(test) => !self.passes(test, value),
        }
    }

    fn subject_passes(&self, test: &SubjectTest, build: &str) -> bool {
        let mut parts = build.rsplitn(3, '-');
        let (release, version, name) = (parts.next(), parts.next(), parts.next());
        match test {
            SubjectTest::Name(test) => self.passes(test, &Value::from(name.unwrap_or_default())),
            SubjectTest::Older(than, _) => {
                // Versions are drawn as three numbers, releases begin with one.
                let numbers = version
                    .unwrap_or_default()
                    .split('.')
                    .chain(release.unwrap_or_default().split('.').take(1));
                let own: Vec<u64> = numbers.filter_map(|n| n.parse().ok()).collect();
                own.as_slice() < than.as_slice()
            }
            // Nobody answers facts here: such a rule waits.
            SubjectTest::Dependants(_) => false,
        }
    }
}

/// What stands at a path; nothing where it is null.
fn value_at<'v>(body: &'v Value, path: &[&str]) -> Option<&'v Value> {
    let found = path.iter().try_fold(body, |at, step| at.get(step));
    found.filter(|value| !value.is_null())
}

fn equals(value: &Value, literal: &Literal) -> bool {
    match literal {
        Literal::Text(text) => value.as_str() == Some(text),
        Literal::Number(number) => value.as_i64() == Some(*number),
        Literal::Flag(flag) => value.as_bool() == Some(*flag),
    }
}

/// `*`, `?` and ranges like `[a-m]`; names are ASCII.
fn glob_matches(glob: &[u8], text: &[u8]) -> bool {
    match (glob, text) {
        ([], []) => true,
        ([b'*', rest @ ..], _) => {
            glob_matches(rest, text) || text.split_first().is_some_and(|(_, tail)| glob_matches(glob, tail))
        }
        ([b'[', low, b'-', high, b']', rest @ ..], [c, tail @ ..]) => {
            (low..=high).contains(&c) && glob_matches(rest, tail)
        }
        ([b'?', rest @ ..], [_, tail @ ..]) => glob_matches(rest, tail),
        ([g, rest @ ..], [c, tail @ ..]) => g == c && glob_matches(rest, tail),
        _ => false,
    }
}

fn compile_regexes<'r>(condition: &'r Condition, regexes: &mut BTreeMap<&'r str, Regex>) {
    match condition {
        Condition::Value(_, test) | Condition::Subject(SubjectTest::Name(test)) => {
            compile_regex(test, regexes)
        }
        Condition::Any(_, tests) => tests.iter().for_each(|(_, test)| compile_regex(test, regexes)),
        Condition::Or(parts) => parts.iter().for_each(|part| compile_regexes(part, regexes)),
        Condition::Subject(_) => {}
    }
}

fn compile_regex<'r>(test: &'r Test, regexes: &mut BTreeMap<&'r str, Regex>) {
    match test {
        Test::Not(test) => compile_regex(test, regexes),
        Test::Matches(text) => {
            if let Ok(regex) = Regex::new(text) {
                regexes.insert(text, regex);
            }
        }
        _ => {}
    }
}
