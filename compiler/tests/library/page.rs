//! `docs/standard-library.md`: what is declared, and what recorded messages are.

use std::fmt::Write as _;

use taskbot_grammar as tree;

use super::{Count, Counts, Library, Module};

/// Where the part begins that needs recorded messages.
pub const COUNTS: &str = "## Tried on recorded messages\n";

/// What the quarantined messages of an event are, found by reading them.
const READ: &[(&str, &str)] = &[
    ("bodhi.update.commented", "A test suite's: a comment on nothing."),
    ("bodhi.update.edited", "A test suite's: an update without its builds."),
    ("copr.build.started", "A whole envelope stands where the body should."),
    ("distgit.commit.pushed", "A test suite's dummy."),
    ("hotness.bug.filed", "A test suite's dummy."),
    ("koji.repository.done", "A test suite's: a repository without its tag."),
    ("openqa.job.restarted", "A whole envelope stands where the body should."),
    (
        "pagure.commit.pushed",
        "Two are a test suite's; one, of 2015, holds a list of commits, each with its repository.",
    ),
];

const HEAD: &str = "\
# The standard library

Events, records, enums, facts and tasks that every program has, from [stdlib/*.tb](../stdlib), written in
[the language](language/README.md). A declaration of one's own takes the place of the one of the same name. This page
is written by a test of the compiler.

`package` is a build everywhere, an `nvr`; `package-name` is text, where a message tells no version.

A type that ends in `?` may be missing: not every message tells it. *Each* marks what differs from subject to subject.
Topics stand without prefix and environment; `*` is one word, `#` at the end any number.

";

/// The part that the declarations alone decide.
pub fn declared(library: &Library) -> String {
    let mut page = String::from(HEAD);
    contents(&mut page, library);
    for module in &library.modules {
        write!(page, "## {}\n\n", module.name).unwrap();
        for (item, event) in module.events() {
            event_of(&mut page, module, &item.doc, event);
        }
        for item in &module.tree.items {
            other_item(&mut page, module, item);
        }
    }
    page
}

fn contents(page: &mut String, library: &Library) {
    page.push_str("| event | what happened |\n| --- | --- |\n");
    for (item, event) in library.modules.iter().flat_map(Module::events) {
        let name = &event.name.text;
        writeln!(page, "| [{name}](#{}) | {} |", name.replace('.', ""), one_line(&item.doc)).unwrap();
    }
    page.push('\n');
}

fn event_of(page: &mut String, module: &Module, doc: &str, event: &tree::Event) {
    let mut topics: Vec<String> = Vec::new();
    for topic in event.dialects.iter().flat_map(|dialect| &dialect.topics) {
        let topic = format!("`{}`", topic.text);
        if !topics.contains(&topic) {
            topics.push(topic);
        }
    }
    write!(page, "### {}\n\n{doc}\n\n", event.name.text).unwrap();
    write!(page, "Topics: {}.\n\n", topics.join(", ")).unwrap();
    page.push_str("| value | type | |\n| --- | --- | --- |\n");
    for value in &event.values {
        let each = match value.varies {
            tree::Varies::Message => "",
            tree::Varies::Subject => "*Each.* ",
        };
        let ty = value.ty.span.of(module.text);
        writeln!(page, "| `{}` | `{ty}` | {each}{} |", value.name.text, one_line(&value.doc)).unwrap();
    }
    page.push('\n');
}

fn other_item(page: &mut String, module: &Module, item: &tree::Item) {
    match &item.kind {
        tree::ItemKind::Enum(declared) => {
            let values: Vec<String> = declared.values.iter().map(|v| format!("`{}`", v.text)).collect();
            write!(page, "### enum {}\n\n{}\n\n{}\n\n", declared.name.text, item.doc, values.join(", "))
                .unwrap();
        }
        tree::ItemKind::Record(record) => {
            write!(page, "### record {}\n\n{}\n\n", record.name.text, item.doc).unwrap();
            page.push_str("| field | type | |\n| --- | --- | --- |\n");
            for field in &record.fields {
                let ty = field.ty.span.of(module.text);
                writeln!(page, "| `{}` | `{ty}` | {} |", field.name.text, one_line(&field.doc)).unwrap();
            }
            let identity: Vec<String> = record.identity.iter().map(|n| format!("`{}`", n.text)).collect();
            write!(page, "\nIts identity as an argument: {}.\n\n", identity.join(", else ")).unwrap();
        }
        tree::ItemKind::Fact(fact) => {
            let ty = fact.ty.span.of(module.text);
            write!(
                page,
                "### fact {}.{}\n\n{} Its type is `{ty}`.\n\n",
                fact.on.text, fact.name.text, item.doc
            )
            .unwrap();
        }
        tree::ItemKind::Task(task) => {
            let inputs =
                task.params.iter().map(|p| format!("`{}: {}`", p.name.text, p.ty.span.of(module.text)));
            let inputs: Vec<String> = inputs.collect();
            write!(page, "### task {}\n\n{} Inputs: {}.\n\n", task.name.text, item.doc, inputs.join(", "))
                .unwrap();
        }
        _ => {}
    }
}

fn one_line(doc: &str) -> String {
    doc.replace('\n', " ").replace('|', "\\|")
}

/// The part that recorded messages decide.
pub fn counted(library: &Library, counts: &Counts) -> String {
    let mut page = String::from(COUNTS);
    let Counts { messages, covered, typed, .. } = counts;
    write!(
        page,
        "\n{messages} messages of the real buses, of 2012 to today, in all environments; {covered} of them are on a topic \
         of\nthe standard library, {typed} are one of its events. The recordings are not part of the project. Many come \
         from\ntest suites, some of which shorten messages.\n\n\
         *Another* is a message whose topic is the event's and whose content says that it is another event, a failed \
         build\nfor `koji.build.completed`. *Quarantined* is what has not the event's shape. Of a typed message every \
         value can be\nread.\n\n\
         | event | on its topics | typed | another | quarantined |\n| --- | --: | --: | --: | --: |\n"
    )
    .unwrap();
    let none = Count::default();
    let events: Vec<_> = library.modules.iter().flat_map(Module::events).collect();
    for (_, event) in &events {
        let count = counts.events.get(event.name.text.as_str()).unwrap_or(&none);
        let name = &event.name.text;
        let Count { messages, typed, other, .. } = count;
        writeln!(page, "| {name} | {messages} | {typed} | {other} | {} |", count.quarantined()).unwrap();
    }
    page.push_str(
        "\n### Why messages were quarantined\n\n| event | messages | why | what they are |\n\
                   | --- | --: | --- | --- |\n",
    );
    for (_, event) in &events {
        let count = counts.events.get(event.name.text.as_str()).unwrap_or(&none);
        for (reason, number) in &count.reasons {
            let reason = reason.replace("; dialect ", ";<br>dialect ").replace('|', "\\|");
            let name = &event.name.text;
            let read = READ.iter().find(|(event, _)| event == name).map_or("", |(_, what)| what);
            writeln!(page, "| {name} | {number} | {reason} | {read} |").unwrap();
        }
    }
    page
}
