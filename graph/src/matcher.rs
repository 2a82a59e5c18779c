//! The matcher: a loaded artifact, ready for messages.
//!
//! Comes in: an artifact's bytes, mapped or in memory, never trusted. Goes out: [`Matcher`], which holds them as they are, beside the
//! few declarations that are decoded. Loading checks every reference once; of the rules it copies nothing. What it finds out
//! later it keeps: the plan of a topic, a compiled regular expression, the memory of the last message.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;
use std::sync::{Arc, OnceLock, RwLock};

use bumpalo::Bump;
use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

use crate::artifact::tables::{RuleHead, Tables};
use crate::artifact::{LoadError, Sections};
use crate::body::{Body, NameId};
use crate::fact::Facts;
use crate::graph::{
    Action, Axis, Clauses, EnumDef, Event, FactDef, Graph, Path, RecordDef, TaskDef, TopicPlan,
};
use crate::judge;
use crate::judgement::{Fired, Judgement};
use crate::limits;
use crate::pattern::Pattern;
use crate::plan::{Plan, Topics};
use crate::value::{Shapes, Value};

/// Everything but expressions and rules.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Declarations {
    pub(crate) enums: Vec<EnumDef>,
    pub(crate) records: Vec<RecordDef>,
    pub(crate) facts: Vec<FactDef>,
    pub(crate) tasks: Vec<TaskDef>,
    pub(crate) paths: Vec<Path>,
    pub(crate) events: Vec<Event>,
    pub(crate) topics: Vec<TopicPlan>,
    /// For each event the paths that its rules read of a body that nobody declares.
    pub(crate) raw_paths: Vec<Vec<u32>>,
    /// How many regular expressions there are.
    pub(crate) patterns: u32,
    /// Rules that have windows, limits or a priority, ordered by name.
    pub(crate) with_clauses: Vec<u32>,
}

/// What of a rule only a message needs that fires it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Details {
    pub(crate) axes: Vec<Axis>,
    pub(crate) except: Vec<Vec<Option<Value>>>,
    pub(crate) actions: Vec<Action>,
    pub(crate) clauses: Clauses,
}

/// A loaded rule set. Judging it needs no memory of its own beyond what [`Matcher`] keeps, so threads may share it.
pub struct Matcher {
    sections: Sections,
    pub(crate) declared: Declarations,
    /// Names of members that some path or record reads.
    pub(crate) names: Names,
    /// The steps of each path.
    pub(crate) steps: Vec<Box<[NameId]>>,
    /// The fields of each record.
    pub(crate) fields: Vec<Box<[NameId]>>,
    /// For each event the places of its values that differ from subject to subject.
    pub(crate) varying: Vec<Box<[u32]>>,
    pub(crate) topics: Topics,
    plans: RwLock<HashMap<Box<str>, Option<Arc<Plan>>>>,
    patterns: Vec<OnceLock<Option<Pattern>>>,
}

impl fmt::Debug for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Matcher").field("rules", &self.tables().rules.len()).finish_non_exhaustive()
    }
}

impl Declarations {
    pub(crate) fn shapes(&self) -> Shapes<'_> {
        Shapes { enums: &self.enums, records: &self.records }
    }
}

impl Matcher {
    /// Reads an artifact and checks all its references.
    pub fn load(artifact: Cow<'_, [u8]>) -> Result<Self, LoadError> {
        Self::of_sections(Sections::copied(artifact)?)
    }

    /// The same of bytes that live elsewhere, a mapped file for one, and stay there.
    pub fn load_in_place(artifact: Arc<dyn AsRef<[u8]> + Send + Sync>) -> Result<Self, LoadError> {
        Self::of_sections(Sections::shared(artifact)?)
    }

    fn of_sections(sections: Sections) -> Result<Self, LoadError> {
        let declared = sections.declarations()?;
        crate::artifact::check(&sections.tables(), &declared)?;
        let mut names = Names::default();
        let steps = declared.paths.iter().map(|path| names.all(path.steps.iter())).collect();
        let fields = declared.records.iter().map(|r| names.all(r.fields.iter().map(|f| &f.name))).collect();
        for dialect in declared.events.iter().flat_map(|event| &event.dialects) {
            names.all(dialect.subjects.iter().flatten());
        }
        let varying = declared.events.iter().map(|event| event.varying().collect()).collect();
        let topics = Topics::new(&declared.topics);
        let patterns = (0..declared.patterns).map(|_| OnceLock::new()).collect();
        Ok(Self {
            sections,
            declared,
            steps,
            fields,
            names,
            varying,
            topics,
            plans: RwLock::default(),
            patterns,
        })
    }

    /// Judges one message: `topic` without prefix and environment (see [`crate::TopicFilter`]). Never fails: what cannot be judged is in
    /// the judgement, with its reason.
    pub fn judge(&self, topic: &str, body: Body<'_>, facts: &dyn Facts) -> Judgement {
        with_memory(|memory| judge::judge(self, topic, body, facts, memory))
    }

    /// Only which rules fire, for which subjects, in the order of rules: what [`Matcher::judge`] finds, without what they run.
    pub fn fired(&self, topic: &str, body: Body<'_>, facts: &dyn Facts) -> Vec<Fired> {
        with_memory(|memory| judge::fired(self, topic, body, facts, memory))
    }

    /// Whether some rule waits for messages of a topic.
    pub fn waits_for(&self, topic: &str) -> bool {
        self.plan(topic).is_some()
    }

    /// Lower-case hex SHA-256 of all that the matcher reads: what decisions are recorded under. It was worked out when the artifact
    /// was written.
    pub fn hash(&self) -> String {
        self.sections.hash()
    }

    /// Facts that rules read.
    pub fn facts(&self) -> &[FactDef] {
        &self.declared.facts
    }

    /// Reads a fact provider's JSON answer as the fact's declared type; the error says what was expected and found.
    pub fn read_fact(&self, fact: &str, json: &serde_json::Value) -> Result<Value, String> {
        self.declared.shapes().read_fact(&self.declared.facts, fact, json)
    }

    /// Tasks that rules run.
    pub fn tasks(&self) -> &[TaskDef] {
        &self.declared.tasks
    }

    /// How many rules there are.
    pub fn rule_count(&self) -> usize {
        self.tables().rules.len()
    }

    /// The name of the rule at a place in [`Graph::rules`]; empty if there is none.
    pub fn rule_name(&self, place: u32) -> &str {
        let tables = self.tables();
        tables.rule(place).map_or("", |rule| tables.text(rule.name))
    }

    /// The windows, limits and priority of a rule; none: it has none, or there is no such rule.
    pub fn clauses(&self, rule: &str) -> Option<Clauses> {
        let tables = self.tables();
        let named = &self.declared.with_clauses;
        let head = |place: &u32| tables.rule(*place);
        let at =
            named.binary_search_by(|place| head(place).map_or("", |r| tables.text(r.name)).cmp(rule)).ok()?;
        Some(self.details(&head(named.get(at)?)?).clauses)
    }

    /// The whole graph with its sources, decoded anew: for tools and people.
    pub fn graph(&self) -> Result<Graph, LoadError> {
        self.sections.graph()
    }

    /// Bytes of the artifact that the matcher reads: without what is for people.
    pub fn matching_bytes(&self) -> usize {
        self.sections.matching_bytes()
    }

    pub(crate) fn tables(&self) -> Tables<'_> {
        self.sections.tables()
    }

    /// What a rule does once it fires. Bytes that are no details give a rule that does nothing.
    pub(crate) fn details(&self, rule: &RuleHead) -> Details {
        postcard::from_bytes(self.tables().details(rule.details)).unwrap_or_default()
    }

    /// A regular expression; none if its text is none, which only a forged artifact holds.
    pub(crate) fn pattern(&self, place: u32, text: &str) -> Option<&Pattern> {
        self.patterns.get(place as usize)?.get_or_init(|| Pattern::new(text).ok()).as_ref()
    }

    /// The plan of a topic; none if no rule waits for it.
    pub(crate) fn plan(&self, topic: &str) -> Option<Arc<Plan>> {
        let known = self.plans.read().ok().and_then(|plans| plans.get(topic).cloned());
        if let Some(plan) = known {
            return plan;
        }
        let plan = Plan::new(self, topic).map(Arc::new);
        if let Ok(mut plans) = self.plans.write() {
            // Topics come from messages: what is kept of them is bounded.
            if plans.len() >= limits::KEPT_PLANS {
                plans.clear();
            }
            plans.insert(topic.into(), plan.clone());
        }
        plan
    }
}

/// A [`Matcher`] made when first needed. It is no part of a graph's identity, and a copy of a graph makes its own.
#[derive(Debug, Default)]
pub struct LazyMatcher(OnceLock<Matcher>);

impl Clone for LazyMatcher {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl PartialEq for LazyMatcher {
    fn eq(&self, _other: &Self) -> bool {
        true
    }
}

impl Graph {
    /// What judges messages by these rules: the graph as an artifact, loaded.
    pub fn matcher(&self) -> &Matcher {
        #[expect(clippy::expect_used, reason = "what was just written can be read")]
        self.matcher
            .0
            .get_or_init(|| Matcher::load(self.to_bytes().into()).expect("a graph makes an artifact"))
    }

    /// The same without the matcher that it may have made of itself: for whoever goes on to change it.
    #[must_use]
    pub fn without_matcher(self) -> Self {
        Self { matcher: LazyMatcher::default(), ..self }
    }

    pub(crate) fn with_matcher(self, matcher: Matcher) -> Self {
        Self { matcher: LazyMatcher(matcher.into()), ..self }
    }
}

/// Names of members, each with its place.
#[derive(Default)]
pub(crate) struct Names {
    pub(crate) all: Vec<Box<str>>,
    places: HashMap<Box<str>, NameId>,
}

impl Names {
    pub(crate) fn place(&self, name: &str) -> Option<NameId> {
        self.places.get(name).copied()
    }

    fn all<'n>(&mut self, names: impl Iterator<Item = &'n String>) -> Box<[NameId]> {
        names
            .map(|name| {
                if let Some(place) = self.places.get(name.as_str()) {
                    return *place;
                }
                let place = crate::artifact::place(self.all.len());
                self.all.push(name.as_str().into());
                self.places.insert(name.as_str().into(), place);
                place
            })
            .collect()
    }
}

thread_local! {
    /// The last message's memory, for the next one.
    static MEMORY: Cell<Option<Bump>> = const { Cell::new(None) };
}

/// Lends a message its memory.
pub(crate) fn with_memory<T>(judge: impl FnOnce(&Bump) -> T) -> T {
    let mut memory = MEMORY.take().unwrap_or_default();
    let result = judge(&memory);
    // One huge message must not be remembered for ever.
    if memory.allocated_bytes() <= limits::KEPT_MEMORY_BYTES {
        memory.reset();
        MEMORY.set(Some(memory));
    }
    result
}
