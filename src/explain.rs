//! `taskbot explain`: why each rule fired for a message or did not, why a run exists, and what leads to a
//! rule or task; for a code, the page of a diagnostic.

mod backward;
mod stored;

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::json;
use taskbot_compiler::Compiled;
use taskbot_graph::{
    Answer, Explanation, FactKey, Graph, RuleReport, SourceFile, Unreached, Verdict, explain, unreached,
};
use taskbot_runtime::config::Config;
use taskbot_runtime::intake::{self, IntakeLimits};
use taskbot_runtime::source::Wire;
use taskbot_runtime::store::{Reader, RunRow};

use crate::output::{self, FINDINGS, Failure, Format, Paint, shown};
use crate::site::Site;
use crate::{check, code_page, render, rules, why};

/// Say for each rule that looked at a message why it fired, or which condition did not hold; and the other way round.
///
/// The message is a recorded line (fedmsg envelope, or an object with `topic` and `body`), or one that the store holds. Facts are
/// taken from the store and from --fact; nobody is asked. Without a message, --run says why a stored run exists, and --rule and
/// --task what leads to them. For a code of `taskbot check`, like TB0203, its page is printed.
#[derive(Debug, Args)]
pub struct Explain {
    /// A file with one recorded message, `-` for standard input, or the id of a stored message; or a code, like TB0203.
    #[arg(required_unless_present_any = ["run", "rule", "task"])]
    message: Option<String>,
    /// Say why a stored run exists, by the rule set and the facts that decided it.
    #[arg(long, value_name = "NUMBER", conflicts_with_all = ["message", "rule", "task", "fact", "rules"])]
    run: Option<i64>,
    /// Speak of this rule alone: why the message did not reach it or, without a message, what leads to it.
    #[arg(long, value_name = "NAME")]
    rule: Option<String>,
    /// Say what leads to this task.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["message", "rule"])]
    task: Option<String>,
    /// Rule files instead of the configured ones.
    #[arg(long, value_name = "FILE")]
    rules: Vec<PathBuf>,
    /// A fact to assume, like `nvr.lang:curl=C` or `nvr.arches:kernel=["x86_64"]`.
    #[arg(long, value_name = "FACT:KEY=VALUE")]
    fact: Vec<String>,
    #[command(flatten)]
    site: Site,
    /// Who reads the output.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// What is explained.
struct Subject {
    id: String,
    topic: String,
    body: Vec<u8>,
    /// What admission made of it, if it is stored.
    runs: Vec<RunRow>,
}

impl Explain {
    /// Runs the command.
    pub fn run(self) -> Result<ExitCode, Failure> {
        if let Some(message) = &self.message
            && let Some(code) = code_page::asked(message)?
        {
            code_page::print(code, self.format, Paint::of(&io::stdout()))?;
            return Ok(ExitCode::SUCCESS);
        }
        let config = self.site.config()?;
        let paint = Paint::of(&io::stdout());
        if let Some(run) = self.run {
            let store = Reader::open(&config.state_dir)?;
            stored::run(&store, run, &config.topic_filter()?, self.format, paint)?;
            return Ok(ExitCode::SUCCESS);
        }
        let paths = if self.rules.is_empty() { &config.rules } else { &self.rules };
        let compiled = rules::load(paths)?;
        let Some(graph) = &compiled.graph else {
            check::print_findings(&compiled, Paint::of(&io::stderr())).into_iter().for_each(output::remark);
            return Ok(ExitCode::from(FINDINGS));
        };
        let Some(message) = &self.message else {
            backward::run(&compiled, self.task.as_deref(), self.rule.as_deref(), self.format, paint)?;
            return Ok(ExitCode::SUCCESS);
        };
        let store = Reader::open(&config.state_dir).ok();
        let subject = self.subject(message, &config, store.as_ref())?;
        let facts = self.facts(graph, store.as_ref())?;
        let filter = config.topic_filter()?;
        let Some(topic) = filter.strip(&subject.topic) else {
            return Err(Failure::new(format!(
                "no rule looks at {}: its prefix and environment are not among the accepted ones ({})",
                shown(&subject.topic),
                config.topics.accept.join(", ")
            )));
        };
        let mut explanation = explain(graph, topic, &subject.body, &facts);
        let unreached = match &self.rule {
            Some(rule) => unreached_rule(graph, topic, rule, &mut explanation)?,
            None => None,
        };
        match self.format {
            Format::Json => print_json(&compiled, &subject, &explanation, unreached.as_ref())?,
            Format::Human => print(&compiled, &subject, &explanation, unreached.as_ref(), paint),
        }
        Ok(ExitCode::SUCCESS)
    }

    fn subject(&self, message: &str, config: &Config, store: Option<&Reader>) -> Result<Subject, Failure> {
        let mut text = Vec::new();
        let path = PathBuf::from(message);
        if message == "-" {
            io::stdin().read_to_end(&mut text)?;
        } else if path.is_file() {
            text = std::fs::read(&path)
                .map_err(|e| Failure::new(format!("cannot read {}: {e}", path.display())))?;
        } else {
            let stored = store.map(|s| s.message(message)).transpose()?.flatten();
            let (topic, body) = stored.ok_or_else(|| {
                Failure::new(format!("{} is neither a file nor the id of a stored message", shown(message)))
            })?;
            let runs = self.admitted(store, message)?;
            return Ok(Subject { id: message.to_owned(), topic, body, runs });
        }
        let limits = IntakeLimits { message_bytes: config.limits.message_bytes };
        let line = text.trim_ascii().to_vec();
        let accepted = intake::accept(Wire::Record { line }, "explain", &limits)
            .map_err(|q| Failure::new(format!("the daemon would quarantine this message: {}", q.reason)))?;
        let id = accepted.id.expose().to_owned();
        let runs = self.admitted(store, &id)?;
        Ok(Subject { id, topic: accepted.topic.expose().to_owned(), body: accepted.body, runs })
    }

    /// The runs that admission made of a message; with other rules or facts than the site's they would only mislead.
    fn admitted(&self, store: Option<&Reader>, id: &str) -> Result<Vec<RunRow>, Failure> {
        let site_alone = self.rules.is_empty() && self.fact.is_empty();
        let runs = store.filter(|_| site_alone).map(|s| s.runs_of_message(id)).transpose()?;
        Ok(runs.unwrap_or_default())
    }

    /// Recorded facts, and those to assume, which count more.
    fn facts(&self, graph: &Graph, store: Option<&Reader>) -> Result<BTreeMap<FactKey, Answer>, Failure> {
        let mut facts = BTreeMap::new();
        for (key, answer) in store.map(Reader::answers).transpose()?.unwrap_or_default() {
            let answer = match answer {
                None => Some(Answer::NoSuchKey),
                Some(json) => graph.read_fact(&key.fact, &json).ok().map(Answer::Known),
            };
            facts.extend(answer.map(|answer| (key, answer)));
        }
        for assumed in &self.fact {
            let parts = assumed.split_once(':').and_then(|(fact, rest)| Some((fact, rest.split_once('=')?)));
            let (fact, (key, value)) = parts.ok_or_else(|| {
                Failure::new(format!("--fact {assumed}: write FACT:KEY=VALUE, like nvr.lang:curl=C"))
            })?;
            let json = serde_json::from_str(value).unwrap_or_else(|_| json!(value));
            let value = graph
                .read_fact(fact, &json)
                .map_err(|why| Failure::new(format!("--fact {assumed}: {why}")))?;
            facts.insert(FactKey { fact: fact.to_owned(), key: key.to_owned() }, Answer::Known(value));
        }
        Ok(facts)
    }
}

/// A rule that a message did not reach.
#[derive(Debug, serde::Serialize)]
struct UnreachedRule {
    rule: String,
    event: String,
    at: Option<render::Spot>,
    why: Vec<String>,
    #[serde(flatten)]
    reason: Unreached,
}

/// Leaves one rule in an explanation; if the message did not reach it, why.
fn unreached_rule(
    graph: &Graph,
    topic: &str,
    name: &str,
    explanation: &mut Explanation,
) -> Result<Option<UnreachedRule>, Failure> {
    let Some(at) = graph.rules.iter().position(|r| r.name == name) else {
        let names: Vec<&str> = graph.rules.iter().map(|r| r.name.as_str()).collect();
        return Err(Failure::new(format!("there is no rule {name}; there are {}", names.join(", "))));
    };
    let reason = unreached(graph, topic, explanation, at);
    explanation.rules.retain(|report| report.index == at);
    explanation.rules_on_other_topics = 0;
    let event = graph.rules.get(at).and_then(|r| graph.events.get(r.event as usize));
    let event = event.map_or(String::new(), |e| e.name.clone());
    let place = graph.sources.rules.get(at).map(|source| source.place);
    Ok(reason.map(|reason| UnreachedRule {
        rule: name.to_owned(),
        at: place.map(|place| render::spot(&graph.sources.files, place)),
        why: why::unreached(topic, &event, &reason),
        event,
        reason,
    }))
}

fn print(
    compiled: &Compiled,
    subject: &Subject,
    explanation: &Explanation,
    unreached: Option<&UnreachedRule>,
    paint: Paint,
) {
    output::line(format!("message {} on {}", shown(&subject.id), paint.bold(&shown(&subject.topic))));
    for event in &explanation.events {
        output::line(format!("  is {}", paint.green(event)));
    }
    for other in &explanation.other_events {
        let (word, event) = if other.quarantined {
            (paint.yellow("is quarantined as"), other.event.as_str())
        } else {
            ("is not".into(), other.event.as_str())
        };
        output::line(format!("  {word} {event}: {}", shown(&other.reason)));
    }
    if explanation.events.is_empty() && explanation.other_events.is_empty() {
        output::line("  is no event that a rule waits for");
    }
    for report in &explanation.rules {
        output::line("");
        print_rule(&compiled.files, report, paint);
    }
    if let Some(rule) = unreached {
        let spot = rule.at.as_ref().map_or(String::new(), |at| format!("  {}", paint.dim(&at.short())));
        output::line(format!("\nnot reached {}{spot}", paint.bold(&rule.rule)));
        rule.why.iter().for_each(|line| output::line(format!("          {line}")));
    }
    if explanation.rules_on_other_topics > 0 {
        let rules = output::count(explanation.rules_on_other_topics, "rule");
        output::line(format!("\n{}", paint.dim(&format!("not looked at by {rules} of other events"))));
    }
    for run in &subject.runs {
        output::line(format!("admitted: run #{} {} {}", run.id, paint.verdict(&run.state), shown(&run.run)));
    }
}

fn print_rule(files: &[SourceFile], report: &RuleReport, paint: Paint) {
    let of = report
        .subject
        .as_ref()
        .map_or(String::new(), |(at, text)| format!(" for {} (subject {at})", shown(text)));
    let spot =
        report.place.map_or(String::new(), |p| format!("  {}", paint.dim(&render::spot(files, p).short())));
    let head = |word: String| output::line(format!("{word} {}{of}{spot}", paint.bold(&report.rule)));
    match &report.verdict {
        Verdict::Fired { runs, .. } => {
            head(paint.green("fired    "));
            runs.iter().for_each(|run| output::line(format!("          runs {}", shown(run))));
        }
        Verdict::ConditionFailed { place, seen } => {
            head("not fired".into());
            if let Some(place) = place {
                let text = render::quoted(files, *place).split_whitespace().collect::<Vec<_>>().join(" ");
                let spot = render::spot(files, *place).short();
                output::line(format!(
                    "          {} does not hold  {}",
                    paint.red(&shown(&text)),
                    paint.dim(&spot)
                ));
            }
            seen.iter().for_each(|s| output::line(format!("          {} is {}", s.text, shown(&s.value))));
        }
        Verdict::Waiting { needs } => {
            head(paint.yellow("waiting  "));
            for need in needs {
                output::line(format!(
                    "          {} of {} is not known; assume it with --fact {}:{}=...",
                    need.fact,
                    shown(&need.key),
                    need.fact,
                    shown(&need.key)
                ));
            }
        }
        Verdict::Refused { reason } => {
            head(paint.yellow("refused  "));
            output::line(format!("          {}", shown(reason)));
        }
        Verdict::NoSubject => {
            head("not fired".into());
            output::line("          the list of subjects is empty");
        }
    }
}

fn print_json(
    compiled: &Compiled,
    subject: &Subject,
    explanation: &Explanation,
    unreached: Option<&UnreachedRule>,
) -> Result<(), Failure> {
    let rules: Vec<serde_json::Value> = explanation
        .rules
        .iter()
        .map(|report| {
            let spot = report.place.map(|p| render::spot(&compiled.files, p));
            let condition = match &report.verdict {
                Verdict::ConditionFailed { place: Some(place), .. } => {
                    let text = render::quoted(&compiled.files, *place);
                    Some(json!({ "text": text, "at": render::spot(&compiled.files, *place) }))
                }
                _ => None,
            };
            let subject = report.subject.as_ref().map(|(at, text)| json!({ "index": at, "text": text }));
            let (rule, event, verdict) = (&report.rule, &report.event, &report.verdict);
            json!({ "rule": rule, "event": event, "at": spot, "subject": subject, "verdict": verdict, "condition": condition })
        })
        .collect();
    output::json(&json!({
        "message": subject.id,
        "topic": subject.topic,
        "events": explanation.events,
        "other_events": explanation.other_events,
        "rules": rules,
        "unreached": unreached,
        "rules_on_other_topics": explanation.rules_on_other_topics,
        "runs": subject.runs,
    }))
}
