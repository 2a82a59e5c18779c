//! The standard library: what it declares, what it makes of the project's own samples, and of recorded messages.
//!
//! `docs/standard-library.md` is written here (`TASKBOT_BLESS=1`), else compared. Its last section counts recorded messages
//! and is written and compared only where they are (`TASKBOT_CORPUS`). The samples stand in `stdlib/messages`, a file for
//! each module; blessing writes the values that they give.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod library;
mod recorded;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use library::{Library, Meaning, page};
use serde_json::{Value as Json, json};
use taskbot_compiler::{Diagnostic, Severity, SourceText, compile};
use taskbot_graph::TopicFilter;

fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn blessing() -> bool {
    std::env::var_os("TASKBOT_BLESS").is_some()
}

/// The topics that work on quality waits for.
const TOPICS: &[&str] = &[
    "anitya.project.version.update",
    "anitya.project.version.update.v2",
    "autocloud.compose.complete",
    "bodhi.buildroot_override.tag",
    "bodhi.compose.complete",
    "bodhi.mashtask.complete",
    "bodhi.repo.done",
    "bodhi.update.comment",
    "bodhi.update.complete.stable",
    "bodhi.update.complete.testing",
    "bodhi.update.edit",
    "bodhi.update.karma.threshold.reach",
    "bodhi.update.request.obsolete",
    "bodhi.update.request.stable",
    "bodhi.update.request.testing",
    "bodhi.update.requirements_met.stable",
    "bodhi.update.status.testing.koji-build-group.build.complete",
    "bodhi.updates.fedora.sync",
    "buildsys.build.state.change",
    "buildsys.package.list.change",
    "buildsys.repo.done",
    "buildsys.rpm.sign",
    "buildsys.tag",
    "buildsys.task.state.change",
    "buildsys.untag",
    "ci.fedora-update.test.complete",
    "ci.pipeline.allpackages-build.package.complete",
    "ci.productmd-compose.test.complete",
    "compose.branched.complete",
    "compose.branched.image.complete",
    "compose.rawhide.complete",
    "copr.build.end",
    "copr.build.start",
    "copr.chroot.start",
    "coreos.build.state.change",
    "fedimg.image.upload",
    "git.branch",
    "git.receive",
    "github.status",
    "greenwave.decision.update",
    "hotness.update.bug.file",
    "kerneltest.upload.new",
    "koschei.package.state.change",
    "logdetective.analysis",
    "mbs.module.state.change",
    "odcs.compose.state-changed",
    "openqa.job.create",
    "openqa.job.done",
    "openqa.job.restart",
    "openscanhub.task.finished",
    "pagure.git.receive",
    "pagure.pull-request.comment.added",
    "pagure.pull-request.new",
    "pungi.compose.createiso.imagedone",
    "pungi.compose.createiso.targets",
    "pungi.compose.ostree",
    "pungi.compose.status.change",
    "resultsdb.result.new",
    "taskbot.result.new",
    "taskbot.run.finished",
    "taskotron.result.new",
    "waiverdb.waiver.new",
];

#[test]
fn every_topic_that_work_on_quality_waits_for_has_an_event() {
    let library = Library::load();
    for topic in TOPICS {
        assert!(!library.events_of(topic).is_empty(), "no event for {topic}");
    }
}

#[test]
fn everything_that_is_declared_is_documented() {
    let library = Library::load();
    let undocumented = library.undocumented();
    assert!(undocumented.is_empty(), "no `##` line: {undocumented:#?}");
}

/// A value named as an item begins could not be read by a rule: the item would end there.
#[test]
fn every_value_can_be_named_by_a_rule() {
    let library = Library::load();
    let mut text = String::from("task look { repository \"https://example.org/look\" }\n");
    for (at, (event, value)) in library.values().into_iter().enumerate() {
        text.push_str(&format!(
            "rule look-{at} on {event} where has {value} run look at most 9 per 1d may loop\n"
        ));
    }
    let compiled = compile(&[SourceText { path: "look.tb".into(), text }], &[]);
    let errors = compiled.diagnostics.iter().filter(|d| d.severity == Severity::Error);
    assert_eq!(errors.collect::<Vec<_>>(), Vec::<&Diagnostic>::new());
}

/// The files of samples, by module.
fn samples() -> BTreeMap<PathBuf, Vec<Json>> {
    let folder = project().join("stdlib/messages");
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        let samples = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        (path, samples)
    };
    paths.map(read).collect()
}

#[test]
fn every_sample_is_its_events_and_gives_their_values() {
    let library = Library::load();
    let mut given: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (path, samples) in samples() {
        let mut found = String::new();
        for mut sample in samples.iter().cloned() {
            let meant = library
                .mean(sample["topic"].as_str().unwrap(), &serde_json::to_vec(&sample["body"]).unwrap());
            let mut events = serde_json::Map::new();
            for (event, meaning) in meant {
                let subjects = match meaning {
                    Meaning::Typed { subjects, unreadable } if unreadable.is_empty() => subjects,
                    Meaning::Typed { unreadable, .. } => json!({ "unreadable": unreadable }),
                    Meaning::Other => continue,
                    Meaning::Quarantined(reason) => json!({ "quarantined": reason }),
                };
                for value in subjects.as_array().into_iter().flatten().filter_map(Json::as_object) {
                    given.entry(event.clone()).or_default().extend(value.keys().cloned());
                }
                events.insert(event, subjects);
            }
            sample["events"] = events.into();
            found.push_str(&format!("{sample}\n"));
        }
        if blessing() {
            fs::write(&path, &found).unwrap();
        }
        let wanted = fs::read_to_string(&path).unwrap();
        for (found, wanted) in found.lines().zip(wanted.lines()) {
            assert_eq!(found, wanted, "{}: what it means is not what it says", path.display());
        }
    }
    let lacking = library
        .values()
        .into_iter()
        .filter(|(event, value)| !given.get(event).is_some_and(|values| values.contains(value)));
    let lacking: Vec<(String, String)> = lacking.collect();
    assert!(lacking.is_empty(), "no sample gives {lacking:#?}");
}

#[test]
fn the_page_of_the_standard_library_says_what_it_declares() {
    let library = Library::load();
    let path = project().join("docs/standard-library.md");
    let before = fs::read_to_string(&path).unwrap_or_default();
    let declared = page::declared(&library);
    let counted = recorded::corpus().map(|corpus| page::counted(&library, &count(&library, &corpus)));
    let counts_before = before.find(page::COUNTS).map_or("", |at| &before[at..]);
    let wanted = format!("{declared}{}", counted.as_deref().unwrap_or(counts_before));
    if blessing() {
        fs::write(&path, &wanted).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    let differs = found.lines().zip(wanted.lines()).find(|(found, wanted)| found != wanted);
    assert_eq!(differs, None, "docs/standard-library.md is old: run this test with TASKBOT_BLESS=1");
    assert_eq!(
        found.len(),
        wanted.len(),
        "docs/standard-library.md is old: run this test with TASKBOT_BLESS=1"
    );
}

/// Every recorded message: its topic as sent, and its body.
fn messages(corpus: &Path) -> Vec<(String, Vec<u8>)> {
    let mut messages = Vec::new();
    for file in ["fedmsg.jsonl.gz", "fedora-messaging.jsonl.gz"] {
        let mut text = String::new();
        let file = fs::File::open(corpus.join(file)).unwrap();
        flate2::read::GzDecoder::new(file).read_to_string(&mut text).unwrap();
        for line in text.lines() {
            let message: Json = serde_json::from_str(line).unwrap();
            let Some(topic) = message["topic"].as_str() else { continue };
            let Some(body) = recorded::body(&message) else { continue };
            messages.push((topic.to_owned(), body));
        }
    }
    messages
}

/// What recorded messages are, of every site and environment.
fn count(library: &Library, corpus: &Path) -> library::Counts {
    let everywhere = TopicFilter::new(&["*.*.*"]).unwrap();
    let mut counts = library::Counts::default();
    for (topic, body) in messages(corpus) {
        counts.add(library, everywhere.strip(&topic).unwrap_or(&topic), &body);
    }
    counts
}

#[test]
fn every_message_on_a_covered_topic_is_typed_or_refused_with_a_reason() {
    let Some(corpus) = recorded::corpus() else { return };
    let library = Library::load();
    let counts = count(&library, &corpus);
    assert_eq!(counts.unlisted, BTreeSet::new(), "the enums list what the buses say");
    let (mut typed, mut quarantined) = (0, 0);
    for (event, count) in &counts.events {
        assert_eq!(count.messages, count.typed + count.other + count.quarantined(), "{event}");
        for reason in count.reasons.keys() {
            assert!(reason.contains('`'), "{event}: no path in the reason {reason:?}");
        }
        assert_eq!(count.unreadable, BTreeMap::new(), "{event}: typed, but not every value can be read");
        typed += count.typed;
        quarantined += count.quarantined();
    }
    assert!(typed > 400, "only {typed} typed");
    assert!(quarantined * 10 < typed, "{quarantined} quarantined, {typed} typed");
}
