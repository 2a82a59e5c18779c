//! `taskbot explain --run N`: why a run exists, as it was decided.
//!
//! Comes in: a run of the store, the messages that asked for it, and for each the rule set and the facts that judged it. Goes out:
//! the same judgement made again, with values and places, and what admission made of it. Rules and facts of today play no part:
//! a rule set that this version cannot read is said to be one.

use std::collections::BTreeMap;

use serde_json::json;
use taskbot_graph::{
    Answer, Explanation, FactKey, Graph, RuleReport, SourceFile, TopicFilter, Verdict, explain,
};
use taskbot_runtime::store::{Reader, ReasonRow, RequestRow, RunReport, StoredDecision};

use crate::output::{self, Failure, Format, Paint, shown};
use crate::{render, why};

/// A message that asked for the run.
struct Asking<'r> {
    message: &'r str,
    topic: &'r str,
    reasons: Vec<&'r ReasonRow>,
    /// What each rule set that judged the message made of it.
    judged: Vec<Judged>,
    /// What became of its requests, for this run and for others, where a rule has windows.
    requests: Vec<RequestRow>,
}

/// One rule set's judgement, made again.
struct Judged {
    decision: StoredDecision,
    /// The rule set and its explanation, or why there is none.
    outcome: Result<(Graph, Explanation), String>,
}

/// Explains a stored run.
pub fn run(
    store: &Reader,
    id: i64,
    filter: &TopicFilter,
    format: Format,
    paint: Paint,
) -> Result<(), Failure> {
    let run = store
        .run(id)?
        .ok_or_else(|| Failure::new(format!("there is no run #{id}; `taskbot status` lists them")))?;
    let mut askings: Vec<Asking<'_>> = Vec::new();
    for reason in &run.reasons {
        match askings.iter_mut().find(|asking| asking.message == reason.message) {
            Some(known) => known.reasons.push(reason),
            None => askings.push(Asking {
                message: &reason.message,
                topic: &reason.topic,
                reasons: vec![reason],
                judged: judge_again(store, &reason.message, filter)?,
                requests: store.requests_of_message(&reason.message)?,
            }),
        }
    }
    let happening = store.first_of_happening(&run.instance)?;
    match format {
        Format::Json => print_json(&run, &askings, happening.as_ref()),
        Format::Human => {
            print(&run, &askings, happening.as_ref(), paint);
            Ok(())
        }
    }
}

fn judge_again(store: &Reader, message: &str, filter: &TopicFilter) -> Result<Vec<Judged>, Failure> {
    let Some((topic, body)) = store.message(message)? else { return Ok(Vec::new()) };
    let judged = store.decisions(message)?.into_iter().map(|decision| {
        let outcome = graph_of(&decision).map(|graph| {
            let facts = facts_of(&decision, &graph);
            let explanation = explain(&graph, filter.strip(&topic).unwrap_or(&topic), &body, &facts);
            (graph, explanation)
        });
        Judged { decision, outcome }
    });
    Ok(judged.collect())
}

fn graph_of(decision: &StoredDecision) -> Result<Graph, String> {
    let artifact = decision.artifact.as_ref().ok_or("the rule set that judged it is not kept")?;
    Graph::from_bytes(artifact).map_err(|e| format!("the rule set that judged it cannot be read: {e}"))
}

fn facts_of(decision: &StoredDecision, graph: &Graph) -> BTreeMap<FactKey, Answer> {
    let known = decision.facts.iter().map(|fact| {
        let answer = if fact.value.is_null() {
            Answer::NoSuchKey
        } else {
            graph.read_fact(&fact.key.fact, &fact.value).map_or(Answer::NotAsked, Answer::Known)
        };
        (fact.key.clone(), answer)
    });
    known.collect()
}

impl Judged {
    /// What the rules that asked for the run made of the message.
    fn reports<'j>(&'j self, run: &'j RunReport) -> impl Iterator<Item = (&'j [SourceFile], &'j RuleReport)> {
        let judged = self.outcome.iter();
        judged.flat_map(move |(graph, explanation)| {
            let key = &run.run.run;
            let asks =
                |r: &&RuleReport| matches!(&r.verdict, Verdict::Fired { runs, .. } if runs.contains(key));
            explanation.rules.iter().filter(asks).map(|r| (graph.sources.files.as_slice(), r))
        })
    }
}

fn short(hash: &str) -> &str {
    hash.get(..12).unwrap_or(hash)
}

fn print(run: &RunReport, askings: &[Asking<'_>], happening: Option<&(String, String)>, paint: Paint) {
    let row = &run.run;
    output::line(format!("run #{} {} {}", row.id, paint.verdict(&row.state), paint.bold(&shown(&row.run))));
    for asking in askings {
        output::line("");
        output::line(format!("message {} on {}", shown(asking.message), paint.bold(&shown(asking.topic))));
        for judged in &asking.judged {
            let decision = &judged.decision;
            output::line(format!(
                "  judged {} by rule set {}",
                decision.judged_at,
                short(&decision.generation)
            ));
            for fact in &decision.facts {
                let value = if fact.value.is_null() { "no such key".into() } else { fact.value.to_string() };
                output::line(format!(
                    "  {} of {} was {}",
                    fact.key.fact,
                    shown(&fact.key.key),
                    shown(&value)
                ));
            }
            if let Err(reason) = &judged.outcome {
                output::line(format!("  {}", paint.yellow(&shown(reason))));
            }
            for (files, report) in judged.reports(run) {
                super::print_rule(files, report, paint);
                conditions(judged, report, paint);
            }
        }
    }
    output::line("");
    admission(run, askings, happening).into_iter().for_each(output::line);
}

/// The parts of a fired rule's condition, and what they saw.
fn conditions(judged: &Judged, report: &RuleReport, paint: Paint) {
    let Ok((graph, _)) = &judged.outcome else { return };
    let files = &graph.sources.files;
    for part in graph.sources.rules.get(report.index).map_or(&[][..], |s| s.conjuncts.as_slice()) {
        let spot = paint.dim(&why::spot(files, part.place));
        output::line(format!("          {} holds  {spot}", why::source_text(files, part.place)));
    }
    if let Verdict::Fired { seen, .. } = &report.verdict {
        seen.iter().for_each(|s| output::line(format!("          {} is {}", s.text, shown(&s.value))));
    }
}

/// What admission made of the requests: who made the run, who found it there already.
fn admission(run: &RunReport, askings: &[Asking<'_>], happening: Option<&(String, String)>) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some((key, first)) = happening {
        lines.push(format!("admission: messages of one happening share the run: {}", shown(key)));
        lines.push(format!("  told first by message {}", shown(first)));
    }
    for (at, asking) in askings.iter().enumerate() {
        for (nth, reason) in asking.reasons.iter().enumerate() {
            let word = if at == 0 && nth == 0 { "created" } else { "merged " };
            let subject = reason.subject.map_or(String::new(), |s| format!(" (subject {s})"));
            let about = reason.about_run.map_or(String::new(), |cause| format!(", about run #{cause}"));
            lines.push(format!(
                "admission: {word} #{} for rule {}{subject} of message {}{about}",
                run.run.id,
                reason.rule,
                shown(asking.message)
            ));
        }
    }
    lines.extend(kept_back(run, askings).map(window));
    lines
}

/// Requests that a window held or refused: those of the messages that made the run, then those of others for the run.
fn kept_back<'r>(run: &'r RunReport, askings: &'r [Asking<'_>]) -> impl Iterator<Item = &'r RequestRow> {
    let of_others = run.requests.iter().filter(|r| askings.iter().all(|asking| asking.message != r.message));
    let requests = askings.iter().flat_map(|asking| &asking.requests).chain(of_others);
    requests.filter(|request| request.state != "through")
}

/// What a window made of a request, in one line.
fn window(request: &RequestRow) -> String {
    let word = match request.state.as_str() {
        held @ ("quiet" | "at-most") => format!("held by {held}"),
        "once" => "refused by once".to_owned(),
        gone => gone.to_owned(),
    };
    let subject = request.subject.map_or(String::new(), |s| format!(" (subject {s})"));
    let until = request.until.map_or(String::new(), |at| format!(", until {at}"));
    let instead = request.instead.as_ref().map_or(String::new(), |id| format!(", for message {}", shown(id)));
    format!(
        "admission: {word}: {} for rule {}{subject} of message {}{until}{instead}",
        shown(&request.run),
        request.rule,
        shown(&request.message)
    )
}

fn print_json(
    run: &RunReport,
    askings: &[Asking<'_>],
    happening: Option<&(String, String)>,
) -> Result<(), Failure> {
    let messages: Vec<serde_json::Value> = askings
        .iter()
        .map(|asking| {
            let judged: Vec<serde_json::Value> = asking
                .judged
                .iter()
                .map(|judged| {
                    let rules: Vec<serde_json::Value> = judged
                        .reports(run)
                        .map(|(files, report)| {
                            let at = report.place.map(|place| render::spot(files, place));
                            let subject = report.subject.as_ref().map(|(at, text)| json!({ "index": at, "text": text }));
                            json!({ "rule": report.rule, "event": report.event, "at": at, "subject": subject, "verdict": report.verdict })
                        })
                        .collect();
                    let decision = &judged.decision;
                    json!({
                        "rule_set": decision.generation, "judged_at": decision.judged_at, "facts": decision.facts,
                        "rules": rules, "unreadable": judged.outcome.as_ref().err(),
                    })
                })
                .collect();
            json!({
                "message": asking.message, "topic": asking.topic, "reasons": asking.reasons, "judged": judged,
                "requests": asking.requests,
            })
        })
        .collect();
    let happening = happening.map(|(key, first)| json!({ "key": key, "first_message": first }));
    let requests = &run.requests;
    output::json(
        &json!({ "run": run.run, "happening": happening, "messages": messages, "requests": requests }),
    )
}
