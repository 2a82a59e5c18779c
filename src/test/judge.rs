//! One test, judged.
//!
//! Comes in: a typed test, the compiled program, a message. Goes out: what differs from what the test expects, as data: each
//! difference with the rule or condition that made it. The matcher is the daemon's; nothing is printed here.

use std::collections::BTreeSet;

use serde::Serialize;
use taskbot_compiler::{Compiled, TypedExpect, TypedExpectKind, TypedTest};
use taskbot_graph::{
    Answer, Explanation, Facts, Graph, Judgement, Parked, RuleReport, Run, TopicFilter, Verdict, explain,
    judge,
};

use super::facts::how_to_set;
use super::message::{Given, TestFacts, given};
use crate::render::{self, Spot};
use crate::why;

/// Something that is not as the test expects it.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum Problem {
    /// There is nothing to judge.
    CannotRun {
        /// Why, and what to do.
        reason: String,
    },
    /// The message is not the test's event.
    NotTheEvent {
        /// The test's event.
        event: String,
        /// What the message is instead, and why it is not the event.
        instead: Vec<String>,
    },
    /// The message is set aside, which the test does not expect.
    Quarantined {
        /// For one rule only, or as a whole.
        rule: Option<String>,
        /// Why.
        reason: String,
    },
    /// The message is not set aside, which the test expects.
    NotQuarantined {
        /// Where that stands.
        at: Spot,
        /// What came of the message.
        runs: Vec<String>,
    },
    /// A rule needs a fact that the test does not set.
    NeedsFact {
        /// `type.name`.
        fact: String,
        /// About what.
        key: String,
        /// The rule.
        rule: String,
        /// The line that sets it.
        write: String,
    },
    /// An expected run that nobody asks for.
    Missing {
        /// Where it is expected.
        at: Spot,
        /// The expected run.
        expected: RunLine,
        /// What is asked for instead: the run of the same task with the most equal arguments.
        closest: Option<RunLine>,
        /// What kept each rule that runs the task from asking for it.
        because: Vec<Because>,
    },
    /// A run that is not expected.
    Unexpected {
        /// Where the expectation stands that it breaks.
        at: Spot,
        /// That expectation.
        expectation: String,
        /// The run.
        run: RunLine,
        /// Rules that ask for it.
        asked_by: Vec<Because>,
    },
}

/// A run to be shown beside another one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RunLine {
    /// The task.
    pub task: String,
    /// Names and texts of the arguments.
    pub arguments: Vec<(String, String)>,
}

/// A rule, with what it has to do with a problem.
#[derive(Clone, Debug, Serialize)]
pub struct Because {
    /// The rule.
    pub rule: String,
    /// Where it stands.
    pub at: Option<Spot>,
    /// The subject, where it reads one.
    pub subject: Option<String>,
    /// Why it did not ask; nothing for one that did.
    pub why: Vec<String>,
}

impl RunLine {
    fn of(run: &Run) -> Self {
        let arguments = run.arguments.iter().map(|a| (a.name.clone(), a.text.clone())).collect();
        Self { task: run.task.clone(), arguments }
    }

    /// Whether it has these arguments, among others.
    fn fits(&self, task: &str, arguments: &[(String, String)]) -> bool {
        self.task == task && arguments.iter().all(|wanted| self.arguments.contains(wanted))
    }
}

/// A test's judgement and message, kept for coverage.
#[derive(Debug)]
pub struct Judged {
    /// Empty: it passed.
    pub problems: Vec<Problem>,
    /// Topic and body, if there was something to judge.
    pub message: Option<(String, Vec<u8>)>,
}

/// Runs one test.
pub fn run(compiled: &Compiled, graph: &Graph, test: &TypedTest, filter: &TopicFilter) -> Judged {
    let quarantine = test.expects.iter().find(|e| matches!(e.kind, TypedExpectKind::Quarantine));
    let (topic, body) = match given(test, &compiled.files, filter) {
        Err(reason) => return Judged { problems: vec![Problem::CannotRun { reason }], message: None },
        Ok(Given::Refused(_)) if quarantine.is_some() => {
            return Judged { problems: Vec::new(), message: None };
        }
        Ok(Given::Refused(reason)) => {
            let problem = Problem::Quarantined { rule: None, reason };
            return Judged { problems: vec![problem], message: None };
        }
        Ok(Given::Message { topic, body }) => (topic, body),
    };
    let facts = TestFacts(&test.facts);
    let seen = Seen {
        compiled,
        graph,
        test,
        topic: &topic,
        judgement: judge(graph, &topic, &body, &facts),
        explanation: explain(graph, &topic, &body, &facts),
    };
    let problems = match quarantine {
        Some(expect) => seen.not_quarantined(expect).into_iter().collect(),
        None => seen.problems(&facts),
    };
    Judged { problems, message: Some((topic, body)) }
}

/// A test beside what came of its message.
struct Seen<'s> {
    compiled: &'s Compiled,
    graph: &'s Graph,
    test: &'s TypedTest,
    topic: &'s str,
    judgement: Judgement,
    explanation: Explanation,
}

impl Seen<'_> {
    fn problems(&self, facts: &TestFacts<'_>) -> Vec<Problem> {
        let refused =
            self.judgement.refused.iter().filter(|r| r.event.is_empty() || r.event == self.test.event);
        let mut problems: Vec<Problem> = refused
            .map(|r| Problem::Quarantined { rule: r.rule.clone(), reason: r.reason.clone() })
            .collect();
        if !problems.is_empty() {
            return problems;
        }
        if !self.judgement.events.contains(&self.test.event) {
            return vec![self.not_the_event()];
        }
        // A fact that is absent by the word of the test leaves a rule undecided: no run, and nothing to set.
        let unset = |parked: &&Parked| parked.needs.iter().any(|need| facts.answer(need) == Answer::NotAsked);
        let waiting: Vec<&Parked> = self.judgement.parked.iter().filter(unset).collect();
        for parked in &waiting {
            for need in parked.needs.iter().filter(|need| facts.answer(need) == Answer::NotAsked) {
                let write = how_to_set(self.graph, &self.test.event, need);
                if !problems.iter().any(|p| matches!(p, Problem::NeedsFact { write: w, .. } if *w == write)) {
                    let (fact, key) = (need.fact.clone(), need.key.clone());
                    problems.push(Problem::NeedsFact { fact, key, rule: parked.reason.rule.clone(), write });
                }
            }
        }
        let runs: Vec<RunLine> = self.judgement.runs.iter().map(RunLine::of).collect();
        for expect in &self.test.expects {
            problems.extend(self.against(expect, &runs, &waiting));
        }
        problems
    }

    /// What one expectation finds wrong.
    fn against(&self, expect: &TypedExpect, runs: &[RunLine], waiting: &[&Parked]) -> Vec<Problem> {
        match &expect.kind {
            TypedExpectKind::Run { task, arguments } => {
                let found = runs.iter().any(|run| run.fits(task, arguments));
                // Whoever waits for a fact is told so already.
                let open = waiting.iter().any(|parked| self.runs_task(&parked.reason.rule, task));
                if found || open { Vec::new() } else { vec![self.missing(expect, task, arguments, runs)] }
            }
            TypedExpectKind::NoRun { task, arguments } => {
                self.unexpected(expect, runs, |run| run.fits(task, arguments))
            }
            TypedExpectKind::Nothing => self.unexpected(expect, runs, |_| true),
            TypedExpectKind::NothingElse => self.unexpected(expect, runs, |run| {
                !self.test.expects.iter().any(|other| match &other.kind {
                    TypedExpectKind::Run { task, arguments } => run.fits(task, arguments),
                    _ => false,
                })
            }),
            TypedExpectKind::Quarantine => Vec::new(),
        }
    }

    fn spot(&self, expect: &TypedExpect) -> Spot {
        render::spot(&self.compiled.files, expect.place)
    }

    fn unexpected(
        &self,
        expect: &TypedExpect,
        runs: &[RunLine],
        wrong: impl Fn(&RunLine) -> bool,
    ) -> Vec<Problem> {
        let mut problems = Vec::new();
        for (run, line) in self.judgement.runs.iter().zip(runs).filter(|(_, line)| wrong(line)) {
            let mut asked_by: Vec<Because> = Vec::new();
            for ask in &run.asks {
                if !asked_by.iter().any(|known| known.rule == ask.reason.rule) {
                    asked_by.push(self.because(&ask.reason.rule, None, Vec::new()));
                }
            }
            let expectation = why::source_text(&self.compiled.files, expect.place);
            problems.push(Problem::Unexpected {
                at: self.spot(expect),
                expectation,
                run: line.clone(),
                asked_by,
            });
        }
        problems
    }

    fn missing(
        &self,
        expect: &TypedExpect,
        task: &str,
        arguments: &[(String, String)],
        runs: &[RunLine],
    ) -> Problem {
        let equal = |run: &&RunLine| arguments.iter().filter(|wanted| run.arguments.contains(wanted)).count();
        let mut same_task: Vec<&RunLine> = runs.iter().filter(|run| run.task == task).collect();
        // Stable, so that of equally close ones the first is shown.
        same_task.sort_by_key(|run| std::cmp::Reverse(equal(run)));
        let mut because = Vec::new();
        for report in self.explanation.rules.iter().filter(|r| self.runs_task(&r.rule, task)) {
            if !matches!(report.verdict, Verdict::Fired { .. }) {
                let subject = report.subject.as_ref().map(|(_, text)| text.clone());
                because.push(self.because(&report.rule, subject, self.why_not(report)));
            }
        }
        if because.is_empty() && same_task.is_empty() {
            because = self.waiting_elsewhere(task);
        }
        Problem::Missing {
            at: self.spot(expect),
            expected: RunLine { task: task.to_owned(), arguments: arguments.to_vec() },
            closest: same_task.first().map(|run| (*run).clone()),
            because,
        }
    }

    /// What a rule waits for is absent by the word of the test: one that the test does not set is told of on its own.
    fn why_not(&self, report: &RuleReport) -> Vec<String> {
        match &report.verdict {
            Verdict::Waiting { needs } => needs
                .iter()
                .map(|need| {
                    format!("it stays undecided, for the test sets {} of {} absent", need.fact, need.key)
                })
                .collect(),
            _ => why::lines(&self.compiled.files, report),
        }
    }

    /// Rules that run the task and never looked at the message.
    fn waiting_elsewhere(&self, task: &str) -> Vec<Because> {
        let rules = self.graph.rules.iter().enumerate().filter(|(_, r)| self.runs_task(&r.name, task));
        rules
            .map(|(at, rule)| {
                let event = self.graph.events.get(rule.event as usize).map_or("", |e| e.name.as_str());
                let why = taskbot_graph::unreached(self.graph, self.topic, &self.explanation, at);
                let why = why.map_or(Vec::new(), |why| why::unreached(self.topic, event, &why));
                self.because(&rule.name, None, why)
            })
            .collect()
    }

    fn because(&self, rule: &str, subject: Option<String>, why: Vec<String>) -> Because {
        let place = why::rule_place(self.graph, rule);
        let at = place.map(|place| render::spot(&self.compiled.files, place));
        Because { rule: rule.to_owned(), at, subject, why }
    }

    fn runs_task(&self, rule: &str, task: &str) -> bool {
        let rule = self.graph.rules.iter().find(|r| r.name == rule);
        let mut tasks =
            rule.iter().flat_map(|r| &r.actions).filter_map(|a| self.graph.tasks.get(a.task as usize));
        tasks.any(|t| t.name == task)
    }

    fn not_the_event(&self) -> Problem {
        let event = self.test.event.clone();
        if !self.graph.events.iter().any(|e| e.name == event) {
            let reason = format!(
                "no rule here waits for {event}, so the test would show nothing; name the file of its rules, or `use` it"
            );
            return Problem::CannotRun { reason };
        }
        let mut instead: Vec<String> =
            self.judgement.events.iter().map(|event| format!("it is {event}")).collect();
        let others = self.explanation.other_events.iter().filter(|other| other.event == event);
        instead.extend(others.map(|other| other.reason.clone()));
        let declared = self.compiled.program.events.iter().find(|e| e.name == event);
        let topics = declared.iter().flat_map(|e| &e.dialects).flat_map(|d| &d.topics);
        let topics: BTreeSet<&str> = topics.map(String::as_str).collect();
        if !topics.iter().any(|t| *t == self.topic || taskbot_graph::topic_matches(t, self.topic)) {
            instead.push(format!("its topic is {}", self.topic));
            instead.push(format!("{event} is told on {}", Vec::from_iter(topics.iter().copied()).join(", ")));
            let close = why::closest_topic(self.topic, topics.into_iter());
            instead.extend(close.map(|close| format!("the closest of these is {close}")));
        }
        Problem::NotTheEvent { event, instead }
    }

    fn not_quarantined(&self, expect: &TypedExpect) -> Option<Problem> {
        let refused = |event: &str| event.is_empty() || event == self.test.event;
        if self.judgement.refused.iter().any(|r| refused(&r.event)) {
            return None;
        }
        if !self.judgement.events.contains(&self.test.event) {
            return Some(self.not_the_event());
        }
        let runs = self.judgement.runs.iter().map(Run::key).collect();
        Some(Problem::NotQuarantined { at: self.spot(expect), runs })
    }
}
