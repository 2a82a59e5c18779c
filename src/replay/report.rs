//! What a replay found, for people and for programs.

use serde_json::{Value, json};
use taskbot_graph::Run;
use taskbot_runtime::effect::Timestamp;

use super::tally::{Missing, Tally};
use crate::admission::Made;
use crate::output::{self, Failure, Format, Paint, Table, count, shown};

/// Keys of a missing fact that are named to people.
const KEYS_SHOWN: usize = 5;
/// Reasons that are shown to people.
const REASONS_SHOWN: usize = 10;

/// One run, as it would be made.
pub fn list(format: Format, made: &Made) -> Result<(), Failure> {
    let (time, run, id) = (made.at, &made.run, made.told.id.as_str());
    let rules = rules(run);
    match format {
        Format::Human => {
            let time = time.map_or("-".to_owned(), second);
            output::line(format!("{time}  {}  {}  {}", shown(id), rules.join(", "), shown(&run.key())));
        }
        Format::Json => {
            let arguments: serde_json::Map<String, Value> =
                run.arguments.iter().map(|a| (a.name.clone(), a.json.clone())).collect();
            output::json_line(&json!({
                "event": "run", "time": time, "message": id, "topic": made.told.topic, "rules": rules,
                "task": run.task, "arguments": arguments, "run": run.key(),
            }))?;
        }
    }
    Ok(())
}

fn rules(run: &Run) -> Vec<&str> {
    let mut rules: Vec<&str> = run.asks.iter().map(|ask| ask.reason.rule.as_str()).collect();
    rules.dedup();
    rules
}

/// Everything, for people.
pub fn print(tally: &Tally, paint: Paint) {
    print_messages(tally, paint);
    print_rules(tally, paint);
    print_runs(tally, paint);
    print_facts(tally, paint);
    print_aside(tally, paint);
}

fn print_rules(tally: &Tally, paint: Paint) {
    output::line("");
    let mut table = Table::new(&["RULE", "SEEN", "RUNS", "WAITING", "FIRST", "LAST", "BUSIEST HOUR"]);
    for rule in &tally.rules {
        let busiest = rule.busiest().map(|(hour, runs)| format!("{} ({runs})", minute(hour)));
        table.row(&[
            &rule.rule,
            &number(rule.seen),
            &number(rule.runs),
            &number(rule.waiting),
            &rule.first.map_or(String::new(), minute),
            &rule.last.map_or(String::new(), minute),
            &busiest.unwrap_or_default(),
        ]);
    }
    table.print(paint);
}

fn print_runs(tally: &Tally, paint: Paint) {
    if !tally.tasks.is_empty() {
        output::line("");
        let mut table = Table::new(&["TASK", "RUNS"]);
        for (task, runs) in &tally.tasks {
            table.row(&[task, &number(*runs)]);
        }
        table.print(paint);
    }
    let merged = match tally.merged {
        0 => String::new(),
        merged => format!("; asked for again by messages of the same happening: {merged}"),
    };
    output::line(format!("\n{}{merged}", paint.bold(&count(tally.runs, "run"))));
    print_windows(tally, paint);
}

fn print_windows(tally: &Tally, paint: Paint) {
    if !tally.rules.iter().any(|rule| rule.windowed) {
        return;
    }
    output::line("");
    let mut table = Table::new(&[
        "RULE WITH WINDOWS",
        "RUNS",
        "HELD BY QUIET",
        "REPLACED",
        "REFUSED BY ONCE",
        "HELD BY AT MOST",
    ]);
    for rule in tally.rules.iter().filter(|rule| rule.windowed) {
        let kept = rule.kept_back;
        let numbers = [rule.runs, kept.quiet, kept.replaced, kept.once, kept.at_most].map(number);
        let [runs, quiet, replaced, once, at_most] = numbers.each_ref().map(String::as_str);
        table.row(&[&rule.rule, runs, quiet, replaced, once, at_most]);
    }
    table.print(paint);
}

fn print_facts(tally: &Tally, paint: Paint) {
    for (fact, missing) in &tally.missing {
        let what = format!("{} for {fact}, which no table gives:", waiting(missing));
        output::line(format!("{} {what} {}", paint.yellow("waiting:"), keys(missing)));
    }
    if !tally.missing.is_empty() {
        output::line("         write them into a table, fact -> key -> value, and give it with --facts");
    }
    for (fact, missing) in &tally.undecided {
        let what = format!("{} for {fact}, the table has no such key:", waiting(missing));
        output::line(format!("{} {what} {}", paint.yellow("undecided:"), keys(missing)));
    }
}

fn print_messages(tally: &Tally, paint: Paint) {
    let messages = &tally.messages;
    let span = match (messages.first, messages.last) {
        (Some(first), Some(last)) => format!(", judged ones from {} to {} UTC", minute(first), minute(last)),
        _ => String::new(),
    };
    output::line(format!("{}{span}", paint.bold(&count(messages.read, "message"))));
    let fates = [
        ("judged", messages.judged),
        ("duplicate", messages.duplicate),
        ("no event", messages.no_event),
        ("other environment", messages.other_environment),
        ("quarantined", messages.quarantined),
        ("outside of the time", messages.outside),
    ];
    let fates: Vec<String> =
        fates.iter().filter(|(_, n)| *n > 0).map(|(fate, n)| format!("{fate} {n}")).collect();
    if !fates.is_empty() {
        output::line(format!("  {}", fates.join(", ")));
    }
}

fn print_aside(tally: &Tally, paint: Paint) {
    for aside in tally.aside.iter().take(REASONS_SHOWN) {
        let topic = aside.topic.as_deref().unwrap_or("a line");
        let whose = match (&aside.event, &aside.rule) {
            (Some(event), Some(rule)) => format!("{event} for rule {rule}: "),
            (Some(event), None) if !event.is_empty() => format!("{event}: "),
            _ => String::new(),
        };
        let place = paint.dim(&format!("{}:{}", shown(&aside.file), aside.line));
        let times = if aside.times > 1 { format!("{} times ", aside.times) } else { String::new() };
        let reason = shown(&aside.reason);
        output::line(format!(
            "{} {times}{}: {whose}{reason}  {place}",
            paint.yellow("quarantined:"),
            shown(topic)
        ));
    }
    let more = tally.aside.len().saturating_sub(REASONS_SHOWN).saturating_add(tally.more_reasons);
    if more > 0 {
        output::line(format!("... and for {} (--format json tells more)", count(more, "other reason")));
    }
}

fn waiting(missing: &Missing) -> String {
    let wait = if missing.waiting == 1 { "waits" } else { "wait" };
    format!("{} {wait}", count(missing.waiting, "decision"))
}

fn keys(missing: &Missing) -> String {
    let named: Vec<String> = missing.keys.iter().take(KEYS_SHOWN).map(|key| shown(key)).collect();
    let more = missing.keys.len().saturating_sub(KEYS_SHOWN);
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    format!("{}{more}", named.join(", "))
}

fn number(number: usize) -> String {
    number.to_string()
}

/// `2024-05-01 12:00:00`
fn second(at: Timestamp) -> String {
    let text = at.to_string();
    text.get(..19).map_or(text.clone(), |short| short.replace('T', " "))
}

/// `2024-05-01 12:00`
fn minute(at: Timestamp) -> String {
    let text = at.to_string();
    text.get(..16).map_or(text.clone(), |short| short.replace('T', " "))
}

/// Everything, for programs.
pub fn json(tally: &Tally) -> Value {
    let rules: Vec<Value> = tally
        .rules
        .iter()
        .map(|rule| {
            let mut value = json!(rule);
            if let (Some(members), Some((hour, runs))) = (value.as_object_mut(), rule.busiest()) {
                members.insert("busiest_hour".into(), json!({ "from": hour, "runs": runs }));
            }
            value
        })
        .collect();
    let facts = |told: &std::collections::BTreeMap<String, Missing>| -> Vec<Value> {
        told.iter().map(|(fact, m)| json!({ "fact": fact, "waiting": m.waiting, "keys": m.keys })).collect()
    };
    json!({
        "event": "summary",
        "messages": tally.messages,
        "rules": rules,
        "tasks": tally.tasks,
        "runs": tally.runs,
        "merged": tally.merged,
        "missing_facts": facts(&tally.missing),
        "undecided": facts(&tally.undecided),
        "quarantined": tally.aside,
        "more_reasons": tally.more_reasons,
    })
}
