//! `taskbot test --record MESSAGE`: a recorded message becomes a test of what the rules make of it today.
//!
//! Comes in: a whole message, rules, and the facts of a table file. Goes out: a `test` block, printed or added to the rules file;
//! a long body goes to a file beside it. What a message holds chooses no path: its file is named by a number.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use taskbot_compiler::Compiled;
use taskbot_graph::{Answer, FactKey, Facts, Graph, Judgement, TopicFilter, judge};
use taskbot_runtime::intake::IntakeLimits;

use super::facts::{literal, path_of};
use crate::known_facts::KnownFacts;
use crate::output::{self, FINDINGS, Failure, shown};
use crate::recorded::{self, Recorded};

/// Longest body that stands in a test itself.
const INLINE_BYTES: usize = 600;

/// How a test is recorded.
#[derive(Debug, Args)]
#[command(next_help_heading = "Recording a test")]
pub struct Record {
    /// Print a test of what the rules make of this message: a file, or `-` for standard input.
    #[arg(long = "record", value_name = "MESSAGE")]
    message: Option<PathBuf>,
    /// Rule files, as an alternative to naming them without an option.
    #[arg(long, value_name = "FILE", requires = "message")]
    rules: Vec<PathBuf>,
    /// The event that the test speaks of, where the message is several.
    #[arg(long, value_name = "EVENT", requires = "message")]
    event: Option<String>,
    /// What the test shows.
    #[arg(long, value_name = "TEXT", requires = "message")]
    name: Option<String>,
    /// Facts: a TOML or JSON file, fact -> key -> value.
    #[arg(long, value_name = "FILE", requires = "message")]
    facts: Option<PathBuf>,
    /// Write the message to this file, and let the test read it there.
    #[arg(long, value_name = "FILE", requires = "message")]
    to: Option<PathBuf>,
    /// Add the test to the first of the rule files.
    #[arg(long, requires = "message")]
    append: bool,
}

/// Remembers which facts were asked.
struct Asked<'f> {
    facts: &'f dyn Facts,
    keys: RefCell<BTreeSet<FactKey>>,
}

impl Facts for Asked<'_> {
    fn answer(&self, key: &FactKey) -> Answer {
        self.keys.borrow_mut().insert(key.clone());
        self.facts.answer(key)
    }
}

/// The text of a test, and how much of it somebody still has to fill in.
struct Written {
    text: String,
    open_facts: usize,
}

impl Record {
    /// Rule files named by option.
    pub fn rules(&self) -> &[PathBuf] {
        &self.rules
    }

    /// Whether a test is to be recorded, not run.
    pub fn is_wanted(&self) -> bool {
        self.message.is_some()
    }

    /// Prints or adds the test.
    pub fn run(
        &self,
        compiled: &Compiled,
        graph: &Graph,
        filter: &TopicFilter,
        files: &[PathBuf],
    ) -> Result<ExitCode, Failure> {
        let bytes = read(self.message.as_deref().unwrap_or(Path::new("-")))?;
        let message = recorded::whole(&bytes, &IntakeLimits::default()).map_err(|reason| {
            Failure::new(format!("a test is recorded from a whole message with topic and body: {reason}"))
        })?;
        let topic = filter.strip(&message.topic).ok_or_else(|| {
            Failure::new(format!("{} has no accepted prefix and environment", shown(&message.topic)))
        })?;
        let known = match &self.facts {
            Some(path) => KnownFacts::default().with_table(path, &[graph])?,
            None => KnownFacts::default(),
        };
        let rules_file = files.iter().find(|f| f.is_file()).cloned();
        let written = {
            let facts = known.of(graph);
            let asked = Asked { facts: &facts, keys: RefCell::default() };
            let given = self.given(&message, &bytes, rules_file.as_deref())?;
            self.block(compiled, graph, topic, &message, &given, &asked)?
        };
        if !self.append {
            output::line(written.text.trim_end());
            return Ok(ExitCode::SUCCESS);
        }
        if written.open_facts > 0 {
            output::line(written.text.trim_end());
            let open = output::count(written.open_facts, "fact");
            output::remark(format!(
                "not added: {open} are not known; fill them in, or name a table with --facts"
            ));
            return Ok(ExitCode::from(FINDINGS));
        }
        let file = rules_file.ok_or_else(|| Failure::new("--append needs a rule file, not a directory"))?;
        append(&file, &written.text)?;
        output::line(format!("added a test to {}", file.display()));
        Ok(ExitCode::SUCCESS)
    }

    /// The message as the test names it: ` { ... }` or ` from "samples/x.json"`.
    fn given(&self, message: &Recorded, bytes: &[u8], rules: Option<&Path>) -> Result<String, Failure> {
        let body: serde_json::Value = serde_json::from_slice(&message.body)?;
        let short = message.body.len() <= INLINE_BYTES && !has_exponent(&body);
        let dir = rules.and_then(Path::parent).unwrap_or(Path::new(""));
        let file = match &self.to {
            Some(file) => file.clone(),
            None if short || !self.append => {
                if !short {
                    output::remark(
                        "the body is long: --to FILE puts it into a file, and --append chooses one",
                    );
                }
                return Ok(format!(" {}", indented(&body)));
            }
            None => free_name(&dir.join("samples"), "message"),
        };
        let name = file.strip_prefix(dir).map_err(|_| {
            Failure::new(format!("{} is not below {}, beside the rules", file.display(), dir.display()))
        })?;
        let fail = |e: std::io::Error| Failure::new(format!("cannot write {}: {e}", file.display()));
        if file.exists() {
            return Err(Failure::new(format!("{} is there already; choose another name", file.display())));
        }
        file.parent().map_or(Ok(()), std::fs::create_dir_all).map_err(fail)?;
        let mut whole = bytes.trim_ascii().to_vec();
        whole.push(b'\n');
        std::fs::write(&file, whole).map_err(fail)?;
        Ok(format!(" from {}", quoted(&name.display().to_string())))
    }

    fn block(
        &self,
        compiled: &Compiled,
        graph: &Graph,
        topic: &str,
        message: &Recorded,
        given: &str,
        facts: &Asked<'_>,
    ) -> Result<Written, Failure> {
        let judgement = judge(graph, topic, &message.body, facts);
        let refused = judgement.refused.iter().find(|r| !r.event.is_empty()).map(|r| &r.event);
        let event = match &self.event {
            Some(event) if judgement.events.contains(event) || refused == Some(event) => event,
            Some(event) => return Err(Failure::new(format!("the message is not {event}"))),
            None => judgement.events.first().or(refused).ok_or_else(|| {
                Failure::new(format!("no rule waits for this message; its topic is {}", shown(topic)))
            })?,
        };
        let from_file = given.starts_with(" from");
        let told = if from_file || first_topic(compiled, event) == Some(topic) {
            String::new()
        } else {
            format!(" topic {}", quoted(topic))
        };
        let mut lines = vec![
            format!("test {}", quoted(&self.test_name(compiled, event, &judgement))),
            format!("  given {event}{told}{given}"),
        ];
        let open_facts = fact_lines(graph, event, facts, &mut lines);
        let waiting: BTreeSet<&str> = judgement.parked.iter().map(|p| p.reason.rule.as_str()).collect();
        if open_facts > 0 {
            let rules = Vec::from_iter(waiting).join(", ");
            lines.push(format!("  # waiting for these facts, and not among what follows: {rules}"));
        }
        expectations(graph, event, &judgement, &mut lines);
        let text = format!("{}\n", lines.join("\n"));
        // With places to fill in it cannot be read yet.
        let text = taskbot_grammar::format(&text).unwrap_or(text);
        Ok(Written { text, open_facts })
    }

    /// What the test is called: as told, else after the event and what came of it, a name that no other test has.
    fn test_name(&self, compiled: &Compiled, event: &str, judgement: &Judgement) -> String {
        let first = judgement.runs.first().map(|run| {
            let text = run.arguments.first().map_or("", |a| a.text.as_str());
            format!("{event} runs {} of {}", run.task, shown(text))
        });
        let name =
            self.name.clone().unwrap_or_else(|| first.unwrap_or_else(|| format!("{event} runs nothing")));
        let taken = |name: &str| compiled.program.tests.iter().any(|test| test.name == name);
        if !taken(&name) {
            return name;
        }
        let mut numbered = (2u32..).map(|number| format!("{name} ({number})"));
        numbered.find(|name| !taken(name)).unwrap_or(name)
    }
}

/// The facts that were asked, as a test sets them; gives the number of those that nobody knows.
fn fact_lines(graph: &Graph, event: &str, facts: &Asked<'_>, lines: &mut Vec<String>) -> usize {
    let asked = facts.keys.borrow();
    let mut open_facts = 0usize;
    for key in asked.iter() {
        let path = path_of(graph, event, &key.fact);
        let several = asked.iter().filter(|other| other.fact == key.fact).count() > 1;
        let for_key = if several { format!(" for {}", quoted(&key.key)) } else { String::new() };
        let ty = graph.facts.iter().find(|f| f.name == key.fact).map(|f| &f.ty);
        let value = match (facts.facts.answer(key), ty) {
            (Answer::Known(value), Some(ty)) => literal(ty, &value),
            (Answer::NoSuchKey, _) => "absent".to_owned(),
            _ => {
                open_facts = open_facts.saturating_add(1);
                format!("# fill in {} of {}", key.fact, shown(&key.key))
            }
        };
        lines.push(format!("  with {path}{for_key} = {value}"));
    }
    open_facts
}

/// What the rules make of the message, as a test expects it.
fn expectations(graph: &Graph, event: &str, judgement: &Judgement, lines: &mut Vec<String>) {
    if judgement.refused.iter().any(|r| r.event == *event) {
        lines.push("  expect quarantine".into());
        return;
    }
    for run in &judgement.runs {
        let arguments =
            run.arguments.iter().map(|a| format!("{}: {}", a.name, argument(graph, &run.task, a)));
        lines.push(format!("  expect run {}({})", run.task, Vec::from_iter(arguments).join(", ")));
    }
    let last = if judgement.runs.is_empty() { "nothing" } else { "nothing else" };
    lines.push(format!("  expect {last}"));
}

/// The topic of a body of which a test says no topic.
fn first_topic<'c>(compiled: &'c Compiled, event: &str) -> Option<&'c str> {
    let event = compiled.program.events.iter().find(|e| e.name == event)?;
    let mut topics = event.dialects.iter().flat_map(|d| &d.topics);
    topics.find(|t| !t.contains(['*', '#'])).map(String::as_str)
}

/// An argument's value as a test writes it; a record by its identity.
fn argument(graph: &Graph, task: &str, argument: &taskbot_graph::Argument) -> String {
    use taskbot_graph::{Type, Value};
    let task = graph.tasks.iter().find(|t| t.name == task);
    let ty = task.and_then(|t| t.params.iter().find(|p| p.name == argument.name)).map(|p| &p.ty);
    match ty {
        Some(Type::Bool | Type::Int | Type::Float) => argument.text.clone(),
        Some(ty @ Type::Enum(_)) => literal(ty, &Value::Text(argument.text.as_str().into())),
        Some(ty @ Type::List(item)) if matches!(**item, Type::Enum(_) | Type::String | Type::Nvr) => {
            let texts: Vec<String> = serde_json::from_str(&argument.text).unwrap_or_default();
            literal(ty, &Value::List(texts.into_iter().map(|t| Value::Text(t.into())).collect()))
        }
        _ => quoted(&argument.text),
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// JSON over several lines, below a test's `given`.
fn indented(body: &serde_json::Value) -> String {
    serde_json::to_string_pretty(body).unwrap_or_default().replace('\n', "\n  ")
}

/// Numbers such as 1e99 have no form in the language.
fn has_exponent(json: &serde_json::Value) -> bool {
    match json {
        serde_json::Value::Number(number) => number.to_string().contains('e'),
        serde_json::Value::Array(items) => items.iter().any(has_exponent),
        serde_json::Value::Object(members) => members.values().any(has_exponent),
        _ => false,
    }
}

fn free_name(dir: &Path, stem: &str) -> PathBuf {
    let mut names = (1u32..).map(|number| dir.join(format!("{stem}-{number}.json")));
    names.find(|path| !path.exists()).unwrap_or_else(|| dir.join(format!("{stem}.json")))
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    if path == Path::new("-") {
        let mut bytes = Vec::new();
        std::io::stdin().read_to_end(&mut bytes)?;
        return Ok(bytes);
    }
    std::fs::read(path).map_err(|e| Failure::new(format!("cannot read {}: {e}", path.display())))
}

/// Adds a test below everything else.
fn append(file: &Path, text: &str) -> Result<(), Failure> {
    let fail = |e: std::io::Error| Failure::new(format!("cannot write {}: {e}", file.display()));
    let mut whole = std::fs::read_to_string(file).map_err(fail)?;
    while whole.ends_with('\n') {
        whole.pop();
    }
    whole.push_str("\n\n");
    whole.push_str(text);
    std::fs::write(file, whole).map_err(fail)
}
