//! depcheck and upgradepath, run for real: their repositories are made of packages that these tests build.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod rpms;
mod task_run;

use std::fs;
use std::process::Command;

use rpms::{Rpm, repository};
use serde_json::json;
use task_run::{Run, find, outcomes, stdlib, support};
use taskbot_runtime::class::ErrorClass;
use taskbot_runtime::executor::Ended;
use taskbot_runtime::task::results::Collected;
use taskbot_runtime::task::{Manifest, Outcome, prepare};

/// Whether packages can be built and repositories read.
fn can_run() -> bool {
    let works = |program: &str, arguments: &[&str]| {
        Command::new(program).args(arguments).output().is_ok_and(|output| output.status.success())
    };
    let needs = [
        ("rpmbuild", works("rpmbuild", &["--version"])),
        ("createrepo_c", works("createrepo_c", &["--version"])),
        ("python3-solv", works("/usr/bin/python3", &["-c", "import solv"])),
    ];
    let missing = needs.into_iter().find(|(_, there)| !there);
    if let Some((need, _)) = missing {
        support::skip(need, "it is not on this machine");
    }
    missing.is_none()
}

/// Repositories by "release/architecture/name"; packages of the update without one as "update".
type Repositories<'a> = &'a [(&'a str, &'a [Rpm])];

/// What the task says of an update of these builds to F40.
fn run(task: &str, builds: &[&str], repositories: Repositories<'_>) -> Collected {
    let run = Run::new(&stdlib().join("tasks").join(task));
    for (path, rpms) in repositories {
        match path.split_once('/') {
            Some(_) => repository(&run.dirs.fetched.join("repositories").join(path), rpms),
            None => rpms::copy(&run.dirs.fetched.join(path), rpms),
        }
    }
    let builds: Vec<_> = builds.iter().map(|nvr| json!({ "nvr": nvr })).collect();
    let update = json!({ "alias": "FEDORA-2024-1", "builds": builds, "release": { "name": "F40" } });
    let event = json!({ "id": "m1", "topic": "bodhi.update.request.testing", "body": { "update": update } });
    fs::write(&run.dirs.event_file, event.to_string()).unwrap();
    let manifest = Manifest::read(&run.dirs.checkout).unwrap();
    let inputs = [("update".to_owned(), "FEDORA-2024-1".to_owned())];
    let plan = manifest.plan(&inputs, &run.dirs, &Run::ids()).unwrap();
    for command in &plan.prepare {
        assert_eq!(run.execute(&plan, command), Ended::Exit(0), "{}", run.log());
    }
    let ended = run.execute(&plan, &plan.run);
    let collected = taskbot_runtime::task::results::collect(&manifest, &run.dirs, ended, &plan.subject);
    assert_eq!((ended, collected.problems.as_slice()), (Ended::Exit(0), [].as_slice()), "{}", run.log());
    let summary = find(&collected.results, &format!("dist.{task}"));
    assert_eq!((summary.item.as_str(), summary.item_type.as_str()), ("FEDORA-2024-1", "bodhi_update"));
    collected
}

const LIBFOO_1: Rpm = ("libfoo-1.0-1.fc40.x86_64", "Provides: libfoo.so.1");
const LIBFOO_2: Rpm = ("libfoo-2.0-1.fc40.x86_64", "Provides: libfoo.so.2");
const APP: Rpm = ("app-1.0-1.fc40.x86_64", "Requires: libfoo.so.1");

fn depcheck(builds: &[&str], base: &[Rpm], testing: &[Rpm]) -> Collected {
    run("depcheck", builds, &[("f40/x86_64/base", base), ("f40/x86_64/updates-testing", testing)])
}

#[test]
fn an_update_that_drops_what_another_package_needs_fails_and_says_which_and_why() {
    if !can_run() {
        return;
    }
    let plugin = ("app-plugin-1.0-1.fc40.noarch", "Requires: app");
    let other = ("other-1.0-1.fc40.noarch", "");
    let collected = depcheck(&["libfoo-2.0-1.fc40"], &[LIBFOO_1, APP, plugin, other], &[LIBFOO_2]);
    let failed = Outcome::Failed;
    assert_eq!(
        outcomes(&collected.results),
        [("dist.depcheck", failed), ("dist.depcheck.app", failed), ("dist.depcheck.app-plugin", failed)]
    );
    let app = find(&collected.results, "dist.depcheck.app");
    assert_eq!((app.item.as_str(), app.item_type.as_str()), ("app-1.0-1.fc40.x86_64", "package"));
    assert_eq!(
        app.note,
        "app-1.0-1.fc40.x86_64 (broken by the update): nothing provides libfoo.so.1 needed by app-1.0-1.fc40.x86_64; \
         libfoo-1.0-1.fc40.x86_64 gave it, libfoo-2.0-1.fc40.x86_64 in its place does not"
    );
    assert_eq!(app.data["requirement"], "libfoo.so.1");
    assert_eq!(app.data["source"], "app-1.0-1.fc40");
    let plugin = find(&collected.results, "dist.depcheck.app-plugin");
    assert_eq!(plugin.data["required_by"], "app-1.0-1.fc40.x86_64");
}

#[test]
fn an_update_with_all_that_depends_on_it_passes() {
    if !can_run() {
        return;
    }
    let rebuilt = ("app-1.0-2.fc40.x86_64", "Requires: libfoo.so.2");
    let builds = ["libfoo-2.0-1.fc40", "app-1.0-2.fc40"];
    let collected = depcheck(&builds, &[LIBFOO_1, APP], &[LIBFOO_2, rebuilt]);
    assert_eq!(outcomes(&collected.results), [("dist.depcheck", Outcome::Passed)]);
    let note = &collected.results[0].note;
    assert_eq!(note, "2 packages of the update; 2 packages on x86_64 can be installed");
    // the same rebuild does not help as long as it is somebody else's update
    let collected = depcheck(&["libfoo-2.0-1.fc40"], &[LIBFOO_1, APP], &[LIBFOO_2, rebuilt]);
    assert_eq!(find(&collected.results, "dist.depcheck.app").outcome, Outcome::Failed);
}

#[test]
fn packages_of_an_update_may_lie_beside_the_repositories() {
    if !can_run() {
        return;
    }
    let world: Repositories<'_> = &[("f40/x86_64/base", &[LIBFOO_1, APP]), ("update", &[LIBFOO_2])];
    let collected = run("depcheck", &[], world);
    assert_eq!(find(&collected.results, "dist.depcheck.app").data["requirement"], "libfoo.so.1");
    let world: Repositories<'_> =
        &[("f40/x86_64/base", &[LIBFOO_1]), ("f41/x86_64/base", &[LIBFOO_1]), ("update", &[LIBFOO_2])];
    let collected = run("upgradepath", &[], world);
    let note = &find(&collected.results, "dist.upgradepath.libfoo").note;
    assert_eq!(note, "libfoo goes from 2.0-1.fc40 in f40 back to 1.0-1.fc40 in f41");
}

#[test]
fn a_package_of_the_update_that_cannot_be_installed_fails() {
    if !can_run() {
        return;
    }
    let update = [("new-2-1.fc40.noarch", "Requires: python3.13dist(nowhere) >= 2")];
    let collected = depcheck(&["new-2-1.fc40"], &[("new-1-1.fc40.noarch", "")], &update);
    let new = find(&collected.results, "dist.depcheck.new");
    assert_eq!(new.data["of_the_update"], true);
    assert_eq!(new.data["requirement"], "python3.13dist(nowhere) >= 2");
    assert!(
        new.note.starts_with("new-2-1.fc40.noarch (of the update): nothing provides python3.13dist"),
        "{}",
        new.note
    );
}

#[test]
fn what_was_broken_before_is_not_the_update_s_fault() {
    if !can_run() {
        return;
    }
    let broken = ("broken-1-1.fc40.noarch", "Requires: nowhere\nRequires: libfoo");
    let collected = depcheck(&["libfoo-2.0-1.fc40"], &[LIBFOO_1, broken], &[LIBFOO_2]);
    assert_eq!(outcomes(&collected.results), [("dist.depcheck", Outcome::Passed)]);
}

#[test]
fn conflicts_and_obsoletes_break_what_needs_both() {
    if !can_run() {
        return;
    }
    let (mta, both) =
        (("mta-1-1.fc40.noarch", ""), ("suite-1-1.fc40.noarch", "Requires: mta\nRequires: mailer"));
    let mailer = ("mailer-1-1.fc40.noarch", "");
    let conflicting = ("mailer-2-1.fc40.noarch", "Conflicts: mta");
    let collected = depcheck(&["mailer-2-1.fc40"], &[mta, both, mailer], &[conflicting]);
    let suite = find(&collected.results, "dist.depcheck.suite");
    assert!(suite.note.contains("mailer-2-1.fc40.noarch conflicts with mta"), "{}", suite.note);
    // obsoleted, and nothing takes over its name
    let obsoleting = ("mailer-3-1.fc40.noarch", "Obsoletes: mta < 2");
    let collected = depcheck(&["mailer-3-1.fc40"], &[mta, both, mailer], &[obsoleting]);
    let suite = find(&collected.results, "dist.depcheck.suite");
    assert!(
        suite.note.contains("mta-1-1.fc40.noarch gave it, mailer-3-1.fc40.noarch in its place"),
        "{}",
        suite.note
    );
    // with its name all is well, and a version that is not meant stays
    let heir = ("mailer-4-1.fc40.noarch", "Obsoletes: mta < 2\nProvides: mta = 2");
    let collected = depcheck(&["mailer-4-1.fc40"], &[mta, both, mailer], &[heir]);
    assert_eq!(outcomes(&collected.results), [("dist.depcheck", Outcome::Passed)]);
    let old_only = ("mailer-5-1.fc40.noarch", "Obsoletes: mta < 1");
    let collected = depcheck(&["mailer-5-1.fc40"], &[mta, both, mailer], &[old_only]);
    assert_eq!(outcomes(&collected.results), [("dist.depcheck", Outcome::Passed)]);
}

#[test]
fn rich_dependencies_and_files_are_understood() {
    if !can_run() {
        return;
    }
    let tool = ("tool-1-1.fc40.noarch", "File: /usr/share/tool/data");
    let reader = ("reader-1-1.fc40.noarch", "Requires: /usr/share/tool/data");
    let rich = ("rich-1-1.fc40.noarch", "Requires: (tool-extra if tool >= 2)\nRequires: tool");
    let update = ("tool-2-1.fc40.noarch", "File: /usr/share/tool/other");
    let collected = depcheck(&["tool-2-1.fc40"], &[tool, reader, rich], &[update]);
    let names: Vec<_> = collected.results.iter().map(|result| result.testcase.as_str()).collect();
    assert_eq!(names, ["dist.depcheck", "dist.depcheck.reader", "dist.depcheck.rich"]);
    assert_eq!(find(&collected.results, "dist.depcheck.reader").data["requirement"], "/usr/share/tool/data");
    let note = &find(&collected.results, "dist.depcheck.rich").note;
    assert!(note.contains("tool-extra"), "{collected:#?}");
    let good = ("tool-3-1.fc40.noarch", "File: /usr/share/tool/data");
    let extra = ("tool-extra-3-1.fc40.noarch", "");
    let collected =
        depcheck(&["tool-3-1.fc40", "tool-extra-3-1.fc40"], &[tool, reader, rich], &[good, extra]);
    assert_eq!(outcomes(&collected.results), [("dist.depcheck", Outcome::Passed)]);
}

#[test]
fn each_architecture_is_a_world_of_its_own_and_multilib_is_part_of_one() {
    if !can_run() {
        return;
    }
    let lib_32 = ("libfoo-1.0-1.fc40.i686", "Provides: libfoo.so.1\nProvides: libfoo-gl(x86-32) = 1.0");
    let wine = ("wine-1-1.fc40.i686", "Requires: libfoo-gl(x86-32) >= 1.0");
    let new_32 = ("libfoo-2.0-1.fc40.i686", "Provides: libfoo.so.2");
    let builds = ["libfoo-2.0-1.fc40"];
    let world: Repositories<'_> = &[
        ("f40/x86_64/base", &[LIBFOO_1, lib_32, wine]),
        ("f40/x86_64/updates-testing", &[LIBFOO_2, new_32]),
        ("f40/aarch64/base", &[("libfoo-1.0-1.fc40.aarch64", "Provides: libfoo.so.1")]),
        ("f40/aarch64/updates-testing", &[("libfoo-2.0-1.fc40.aarch64", "Provides: libfoo.so.2")]),
    ];
    let collected = run("depcheck", &builds, world);
    let names: Vec<_> = collected.results.iter().map(|result| result.testcase.as_str()).collect();
    assert_eq!(names, ["dist.depcheck", "dist.depcheck.wine"], "{collected:#?}");
    let wine = find(&collected.results, "dist.depcheck.wine");
    assert_eq!((wine.item.as_str(), wine.data["arch"].as_str()), ("wine-1-1.fc40.i686", Some("x86_64")));
}

#[test]
fn depcheck_does_not_call_good_what_it_did_not_see() {
    if !can_run() {
        return;
    }
    let collected = depcheck(&["elsewhere-1-1.fc40"], &[LIBFOO_1], &[LIBFOO_2]);
    assert_eq!(outcomes(&collected.results), [("dist.depcheck", Outcome::NeedsInspection)]);
    assert!(collected.results[0].note.contains("elsewhere-1-1.fc40"), "{}", collected.results[0].note);
    // an update that is older than what is out already
    let collected = depcheck(&["libfoo-1.0-1.fc40"], &[LIBFOO_2], &[LIBFOO_1]);
    let old = find(&collected.results, "dist.depcheck.libfoo");
    assert_eq!(old.outcome, Outcome::NeedsInspection);
    assert!(old.note.contains("libfoo-2.0-1.fc40.x86_64 in f40/base takes its place"), "{}", old.note);
}

#[test]
fn without_repositories_of_the_release_there_is_no_verdict() {
    if !can_run() {
        return;
    }
    for task in ["depcheck", "upgradepath"] {
        let run = Run::new(&stdlib().join("tasks").join(task));
        fs::write(&run.dirs.event_file, r#"{"body":{"update":{"release":{"name":"F40"}}}}"#).unwrap();
        repository(&run.dirs.fetched.join("repositories/f39/x86_64/base"), &[LIBFOO_1]);
        let manifest = Manifest::read(&run.dirs.checkout).unwrap();
        let inputs = [("update".to_owned(), "libfoo-2.0-1.fc40".to_owned())];
        let plan = manifest.plan(&inputs, &run.dirs, &Run::ids()).unwrap();
        let ended = run.execute(&plan, &plan.run);
        let failure = prepare::unavailable(&plan.exit, ended, &run.dirs.log_file).unwrap();
        assert_eq!(failure.class, ErrorClass::Permanent);
        assert!(failure.message.contains("release 'F40'; there are: f39"), "{}", failure.message);
    }
}

#[test]
fn the_way_up_holds_where_each_release_is_at_least_as_new() {
    if !can_run() {
        return;
    }
    let world: Repositories<'_> = &[
        ("f39/x86_64/updates", &[("tool-2.0~rc1-1.fc39.noarch", "")]),
        ("f40/x86_64/base", &[("tool-1.0-1.fc40.noarch", "")]),
        ("f40/x86_64/updates-testing", &[("tool-2.0-1.fc40.noarch", "")]),
        ("f41/x86_64/base", &[("tool-2.0-1.fc41.noarch", "")]),
        ("rawhide/x86_64/base", &[("tool-1:0.5-1.fc42.noarch", "")]),
    ];
    let collected = run("upgradepath", &["tool-2.0-1.fc40"], world);
    assert_eq!(outcomes(&collected.results), [("dist.upgradepath", Outcome::Passed)]);
    assert_eq!(collected.results[0].note, "1 package: f39 <= [f40] <= f41 <= rawhide");
}

#[test]
fn the_package_that_goes_backwards_is_named_with_from_where_to_where() {
    if !can_run() {
        return;
    }
    let world: Repositories<'_> = &[
        ("f39/x86_64/updates", &[("tool-2.1-1.fc39.noarch", "")]),
        ("f40/x86_64/base", &[("tool-1.0-1.fc40.noarch", "")]),
        ("f40/x86_64/updates-testing", &[("tool-2.0-1.fc40.noarch", "")]),
        ("f41/x86_64/base", &[("tool-1.9-9.fc41.noarch", "")]),
        ("f41/x86_64/updates-testing", &[("tool-2.0-1.fc41.noarch", "")]),
        ("rawhide/x86_64/base", &[("tool-2.0~beta-1.fc42.noarch", "")]),
    ];
    let collected = run("upgradepath", &["tool-2.0-1.fc40"], world);
    assert_eq!(collected.results[0].outcome, Outcome::Failed);
    let found: Vec<_> = collected.results[1..].iter().map(|r| (r.outcome, r.note.as_str())).collect();
    assert_eq!(
        found,
        [
            (Outcome::Failed, "tool goes from 2.1-1.fc39 in f39 back to 2.0-1.fc40 in f40"),
            (
                Outcome::NeedsInspection,
                "tool goes from 2.0-1.fc40 in f40 back to 1.9-9.fc41 in f41; 2.0-1.fc41 waits in f41/updates-testing: \
                 it has to be there first"
            ),
            (Outcome::Failed, "tool goes from 2.0-1.fc40 in f40 back to 2.0~beta-1.fc42 in rawhide"),
        ]
    );
}

#[test]
fn a_package_that_a_newer_release_dropped_stands_in_no_way() {
    if !can_run() {
        return;
    }
    let world: Repositories<'_> = &[
        ("f40/x86_64/updates-testing", &[("tool-2.0-1.fc40.noarch", "")]),
        ("f41/x86_64/base", &[("heir-1.0-1.fc41.noarch", "Obsoletes: tool")]),
    ];
    let collected = run("upgradepath", &["tool-2.0-1.fc40"], world);
    assert_eq!(outcomes(&collected.results), [("dist.upgradepath", Outcome::Passed)]);
    let alone: Repositories<'_> = &[("f40/x86_64/updates", &[("tool-2.0-1.fc40.noarch", "")])];
    let collected = run("upgradepath", &["tool-2.0-1.fc40"], alone);
    assert_eq!(outcomes(&collected.results), [("dist.upgradepath", Outcome::Info)]);
}

#[test]
fn both_tasks_read_repositories_in_the_same_way() {
    let file = |task: &str| fs::read(stdlib().join("tasks").join(task).join("repositories.py")).unwrap();
    assert_eq!(file("depcheck"), file("upgradepath"));
}
