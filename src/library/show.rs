//! The catalogue for people.

use super::catalogue::{Catalogue, Dialect, Event, Fact, Input, Task, Type};
use crate::output::{self, Paint, Table, count, shown};
use crate::render::Spot;

/// Enum values that are shown.
const VALUES_SHOWN: usize = 30;

/// What values of a built-in type have behind a dot.
fn parts(ty: &str) -> &'static str {
    match ty {
        "nvr" => ".name, .version, .release: string, .evr: evr",
        "evr" => ".version, .release: string",
        _ => "",
    }
}

/// A table of events.
pub fn events(events: &[&Event], paint: Paint) {
    let mut table = Table::new(&["EVENT", "WHAT"]);
    for event in events {
        table.row(&[&event.name, &summary(&event.doc, event.deprecated.as_deref())]);
    }
    table.print(paint);
    output::line(
        paint.dim(&format!("{}; `taskbot events NAME` tells all about one", count(events.len(), "event"))),
    );
}

/// A table of tasks.
pub fn tasks(tasks: &[&Task], paint: Paint) {
    let mut table = Table::new(&["TASK", "INPUTS", "WHAT"]);
    for task in tasks {
        let inputs: Vec<String> =
            task.inputs.iter().map(|input| format!("{}: {}", input.name, input.ty)).collect();
        table.row(&[&task.name, &inputs.join(", "), &summary(&task.doc, None)]);
    }
    table.print(paint);
    output::line(
        paint.dim(&format!("{}; `taskbot tasks NAME` tells all about one", count(tasks.len(), "task"))),
    );
}

/// A table of facts.
pub fn facts(facts: &[&Fact], paint: Paint) {
    let mut table = Table::new(&["FACT", "TYPE", "WHAT"]);
    for fact in facts {
        table.row(&[&fact.name, &fact.ty, &summary(&fact.doc, None)]);
    }
    table.print(paint);
    output::line(
        paint.dim(&format!("{}; `taskbot facts NAME` tells all about one", count(facts.len(), "fact"))),
    );
}

/// All about an event.
pub fn event(event: &Event, catalogue: &Catalogue, paint: Paint) {
    head("event", &event.name, &event.at, &event.doc, event.deprecated.as_deref(), paint);
    if !event.values.is_empty() {
        output::line("");
        let mut table = Table::new(&["VALUE", "TYPE", "GIVEN BY", "WHAT"]);
        for value in &event.values {
            let given = if value.dialects.len() == event.dialects.len() {
                "every dialect".to_owned()
            } else {
                value.dialects.join(", ")
            };
            let each = if value.each { " (each)" } else { "" };
            table.row(&[&format!("{}{each}", value.name), &value.ty, &given, &flat(&value.doc)]);
        }
        table.print(paint);
    }
    types(&event.types, catalogue, paint);
    for told in &event.dialects {
        output::line("");
        dialect(told, paint);
    }
    let fitting: Vec<&str> =
        catalogue.tasks.iter().filter(|task| takes(task, event)).map(|t| t.name.as_str()).collect();
    if let Some(first) = fitting.first() {
        output::line(format!("\ntasks that take its values: {}", shown(&fitting.join(", "))));
        output::line(format!("  on {} run {}", shown(&event.name), shown(first)));
    }
}

/// Whether each needed input of a task is a value of the event, of the same name and type.
fn takes(task: &Task, event: &Event) -> bool {
    let given =
        |input: &Input| event.values.iter().any(|value| value.name == input.name && value.ty == input.ty);
    !task.inputs.is_empty() && task.inputs.iter().all(|input| input.optional || given(input))
}

fn dialect(told: &Dialect, paint: Paint) {
    output::line(format!("{} {}", paint.dim("dialect"), paint.bold(&shown(&told.name))));
    doc(&told.doc, told.deprecated.as_deref(), paint);
    for topic in &told.topics {
        output::line(format!("  topic {}", shown(topic)));
    }
    for condition in &told.conditions {
        output::line(format!("  where {}", shown(condition)));
    }
    if let Some(list) = &told.subjects {
        output::line(format!("  each element of {} is a subject", shown(list)));
    }
    if let Some(happening) = &told.happening {
        output::line(format!("  the same happening if equal: {}", shown(happening)));
    }
}

/// All about a task.
pub fn task(task: &Task, catalogue: &Catalogue, paint: Paint) {
    head("task", &task.name, &task.at, &task.doc, None, paint);
    let reference = task.reference.as_ref().map_or(String::new(), |at| format!(" at {at}"));
    output::line(format!("  repository {}{}", shown(&task.repository), shown(&reference)));
    for emitted in &task.emits {
        output::line(format!("  emits {}", shown(emitted)));
    }
    if !task.inputs.is_empty() {
        output::line("");
        let mut table = Table::new(&["INPUT", "TYPE", "DEFAULT", "WHAT"]);
        for input in &task.inputs {
            table.row(&[&input.name, &input.ty, input.default.as_deref().unwrap_or(""), &flat(&input.doc)]);
        }
        table.print(paint);
    }
    types(&task.types, catalogue, paint);
    let fitting: Vec<&str> =
        catalogue.events.iter().filter(|event| takes(task, event)).map(|e| e.name.as_str()).collect();
    if let Some(first) = fitting.first() {
        output::line(format!("\nevents that give its inputs: {}", shown(&fitting.join(", "))));
        output::line(format!("  on {} run {}", shown(first), shown(&task.name)));
    }
}

/// All about a fact.
pub fn fact(fact: &Fact, catalogue: &Catalogue, paint: Paint) {
    head("fact", &fact.name, &fact.at, &fact.doc, None, paint);
    output::line(format!("  type {}", shown(&fact.ty)));
    let short = fact.name.rsplit('.').next().unwrap_or_default();
    output::line(format!("  of values of type {}, read as VALUE.{}", shown(&fact.on), shown(short)));
    output::line(format!("  a provider is asked with the key VALUE.{}", shown(&fact.key)));
    types(&fact.types, catalogue, paint);
    let value = |event: &Event| event.values.iter().find(|v| v.ty == fact.on).map(|v| v.name.clone());
    let named = catalogue.events.iter().find_map(|event| Some((event, value(event)?)));
    if let Some((event, value)) = named {
        let read = format!("{value}.{short}");
        let rule = match catalogue.types.get(&fact.ty) {
            Some(Type::Enum(values)) => {
                format!("where {read} == {}", values.first().map_or("...", String::as_str))
            }
            _ if fact.ty.starts_with('[') => format!("run ... for one in {read}"),
            _ => format!("where ... {read} ..."),
        };
        output::line(format!("\n  on {} {}", shown(&event.name), shown(&rule)));
        output::line(format!("  in taskbot.toml: [facts.\"{}\"] table = \"facts.toml\"", shown(&fact.name)));
    }
}

fn head(kind: &str, name: &str, at: &Spot, text: &str, deprecated: Option<&str>, paint: Paint) {
    output::line(format!(
        "{} {}  {}",
        paint.dim(kind),
        paint.bold(&shown(name)),
        paint.dim(&shown(&at.short()))
    ));
    doc(text, deprecated, paint);
}

fn doc(text: &str, deprecated: Option<&str>, paint: Paint) {
    text.lines().for_each(|line| output::line(format!("  {}", shown(line.trim()))));
    if let Some(instead) = deprecated {
        output::line(format!("  {} {}", paint.yellow("deprecated:"), shown(instead)));
    }
}

/// The types that are spoken of: fields, values, and the facts that belong to them.
fn types(names: &[String], catalogue: &Catalogue, paint: Paint) {
    for name in names {
        let facts: Vec<String> = catalogue
            .facts_on(name)
            .map(|fact| format!(".{}: {}", fact.name.rsplit('.').next().unwrap_or_default(), fact.ty))
            .collect();
        let declared = catalogue.types.get(name);
        if declared.is_none() && parts(name).is_empty() && facts.is_empty() {
            continue;
        }
        output::line("");
        match declared {
            Some(Type::Record(fields)) => {
                output::line(format!("{} {}", paint.dim("record"), paint.bold(&shown(name))));
                for (field, ty, what) in fields {
                    let what = flat(what);
                    let what = if what.is_empty() {
                        String::new()
                    } else {
                        format!("  {}", paint.dim(&shown(&what)))
                    };
                    output::line(format!("  .{}: {}{what}", shown(field), shown(ty)));
                }
            }
            Some(Type::Enum(values)) => {
                let some: Vec<String> = values.iter().take(VALUES_SHOWN).map(|value| shown(value)).collect();
                let more = values.len().saturating_sub(VALUES_SHOWN);
                let more = if more == 0 { String::new() } else { format!(" and {more} more") };
                output::line(format!("{} {}", paint.dim("enum"), paint.bold(&shown(name))));
                output::line(format!("  {}{more}", some.join(", ")));
            }
            None => {
                output::line(format!("{} {}", paint.dim("type"), paint.bold(&shown(name))));
                if !parts(name).is_empty() {
                    output::line(format!("  {}", parts(name)));
                }
            }
        }
        if !facts.is_empty() {
            output::line(format!("  facts {}", shown(&facts.join(", "))));
        }
    }
}

/// The first line of a documentation.
fn summary(text: &str, deprecated: Option<&str>) -> String {
    let first = text.lines().next().unwrap_or_default().trim().to_owned();
    deprecated.map_or(first.clone(), |instead| format!("deprecated, {instead}: {first}"))
}

/// A documentation in one line.
fn flat(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
