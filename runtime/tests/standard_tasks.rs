//! The standard tasks, run for real on the sample packages.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod task_run;

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;

use task_run::{Run, find, outcomes, stdlib, support};
use taskbot_runtime::class::ErrorClass;
use taskbot_runtime::executor::Ended;
use taskbot_runtime::task::download::DownloadConfig;
use taskbot_runtime::task::results::Collected;
use taskbot_runtime::task::{Manifest, Outcome, artifacts, prepare, prepare_check, results};

/// Whether a tool is there; where `TASKBOT_REQUIRE` names it, it must be.
fn has(tool: &str) -> bool {
    let there =
        Command::new("sh").args(["-c", &format!("command -v {tool}")]).output().unwrap().status.success();
    let required =
        std::env::var("TASKBOT_REQUIRE").is_ok_and(|tools| tools.split([',', ' ']).any(|t| t == tool));
    assert!(there || !required, "TASKBOT_REQUIRE wants {tool}, it is not on this machine");
    if !there {
        // not `eprintln!`, which the test harness swallows
        let mut stderr = std::io::stderr();
        writeln!(stderr, "skipped: needs {tool}").unwrap();
    }
    there
}

/// Makes builds of the samples; without tools on the `PATH` these are tarballs.
fn make_builds(base: &Path, path: &str) {
    let samples = stdlib().join("samples");
    let done = Command::new("/usr/bin/python3")
        .arg(samples.join("make-builds/make-builds"))
        .args([&samples, base])
        .env("PATH", path)
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

/// All steps of a run of a standard task about a package.
fn run(task: &str, package: &str, base: &Path) -> (Collected, Vec<String>) {
    let run = Run::new(&stdlib().join("tasks").join(task));
    let manifest = Manifest::read(&run.dirs.checkout).unwrap();
    assert_eq!(manifest.check_inputs(&[("package".into(), "nvr".into())]), Vec::<String>::new());
    let inputs = [("package".to_owned(), package.to_owned())];
    let plan = manifest.plan(&inputs, &run.dirs, &Run::ids()).unwrap();
    prepare_check(&plan).unwrap();
    for command in &plan.prepare {
        assert_eq!(run.execute(&plan, command), Ended::Exit(0), "{}", run.log());
    }
    let config =
        DownloadConfig { koji: Some(base.to_str().unwrap().to_owned()), ..DownloadConfig::default() };
    for fetch in &plan.fetches {
        assert!(!run.download(fetch, &config).unwrap().is_empty());
    }
    let ended = run.execute(&plan, &plan.run);
    let collected = results::collect(&manifest, &run.dirs, ended, &plan.subject);
    let index = artifacts::index(&manifest, &run.dirs);
    assert_eq!(collected.problems, Vec::<String>::new(), "{}", run.log());
    assert_eq!(index.left_out, Vec::<String>::new());
    (collected, index.kept.into_iter().map(|artifact| artifact.path).collect())
}

/// The analyzers of this machine.
fn analyzers() -> Vec<&'static str> {
    ["clang", "cppcheck", "gcc"].into_iter().filter(|tool| has(tool)).collect()
}

fn assert_the_known_defects(collected: &Collected, kept: &[String]) {
    let summary = find(&collected.results, "dist.static-analysis");
    assert_eq!(summary.outcome, Outcome::Failed);
    assert_eq!(summary.item, "hello-leak-1.0-1.fc40");
    assert_eq!(summary.item_type, "koji_build");
    // what several tools say of one line is one finding
    assert!(summary.note.starts_with("2 findings in 1 C file ("), "{}", summary.note);
    let lines: Vec<_> =
        summary.data["findings"].as_array().unwrap().iter().map(|f| f["line"].clone()).collect();
    assert_eq!(lines, [30, 38]);
    let kinds = [
        ("clang", ["unix.Malloc", "core.NullDereference"]),
        ("cppcheck", ["doubleFree", "nullPointer"]),
        ("gcc", ["double-free", "null-dereference"]),
    ];
    let tools = analyzers();
    for (tool, kinds) in kinds.iter().filter(|(tool, _)| tools.contains(tool)) {
        assert_eq!(
            find(&collected.results, &format!("dist.static-analysis.{tool}")).outcome,
            Outcome::Failed
        );
        for (kind, line) in kinds.iter().zip([30, 38]) {
            let finding = find(&collected.results, &format!("dist.static-analysis.{tool}.{kind}"));
            assert_eq!((finding.outcome, finding.item.as_str()), (Outcome::Failed, "hello-leak-1.0-1.fc40"));
            assert_eq!(finding.data["places"][0]["line"], line);
            assert_eq!(finding.data["places"][0]["file"], "hello-leak-1.0/hello.c");
        }
        assert!(summary.data["findings"][0][tool].is_string(), "{summary:#?}");
    }
    let expected = |end: &str| tools.iter().map(|tool| format!("{tool}{end}")).collect::<Vec<_>>();
    let mut files = [expected("-diagnostics.json"), expected(".firehose.xml")].concat();
    files.sort();
    assert_eq!(kept, files);
    assert_eq!(collected.results.len(), 1 + 3 * tools.len());
}

#[test]
fn static_analysis_finds_the_known_defects_in_a_source_package() {
    if !has("rpmbuild") || !has("rpm2cpio") {
        return;
    }
    let base = tempfile::tempdir().unwrap();
    make_builds(base.path(), "/usr/bin:/bin");
    assert!(base.path().join("hello-leak/1.0/1.fc40/src/hello-leak-1.0-1.fc40.src.rpm").exists());
    let (collected, kept) = run("static-analysis", "hello-leak-1.0-1.fc40", base.path());
    assert_the_known_defects(&collected, &kept);
}

#[test]
fn static_analysis_finds_the_known_defects_in_a_tarball() {
    let base = tempfile::tempdir().unwrap();
    make_builds(base.path(), "/nowhere");
    assert!(base.path().join("hello-leak/1.0/1.fc40/src/hello-leak-1.0.tar.gz").exists());
    let (collected, kept) = run("static-analysis", "hello-leak-1.0-1.fc40", base.path());
    assert_the_known_defects(&collected, &kept);
}

#[test]
fn static_analysis_finds_the_known_defects_in_an_unpacked_tree() {
    let base = tempfile::tempdir().unwrap();
    let src = base.path().join("hello-leak/1.0/1.fc40/src/hello-leak-1.0");
    fs::create_dir_all(&src).unwrap();
    for file in ["hello.c", "greeting.h"] {
        fs::copy(stdlib().join("samples/hello-leak/hello-leak-1.0").join(file), src.join(file)).unwrap();
    }
    let (collected, kept) = run("static-analysis", "hello-leak-1.0-1.fc40", base.path());
    assert_the_known_defects(&collected, &kept);
}

#[test]
fn static_analysis_passes_a_clean_package_and_has_nothing_to_say_about_python() {
    let base = tempfile::tempdir().unwrap();
    make_builds(base.path(), "/nowhere");
    let (collected, _) = run("static-analysis", "hello-clean-1.2-1.fc40", base.path());
    assert_eq!(find(&collected.results, "dist.static-analysis").outcome, Outcome::Passed);
    assert_eq!(collected.results.len(), 1 + analyzers().len());
    assert!(collected.results.iter().all(|result| result.outcome == Outcome::Passed), "{collected:#?}");
    let (collected, _) = run("static-analysis", "python-hello-2.1-1.fc40", base.path());
    assert_eq!(outcomes(&collected.results), [("dist.static-analysis", Outcome::Info)]);
    assert_eq!(collected.results[0].note, "no C sources");
}

#[test]
fn static_analysis_does_not_call_good_what_it_could_not_analyse() {
    let base = tempfile::tempdir().unwrap();
    let src = base.path().join("lib/1/1/src/lib");
    fs::create_dir_all(&src).unwrap();
    fs::write(src.join("lib.c"), "#include <no/such/header.h>\nint lib(void) { return 0; }\n").unwrap();
    let (collected, _) = run("static-analysis", "lib-1-1", base.path());
    let summary = find(&collected.results, "dist.static-analysis");
    assert_eq!(summary.outcome, Outcome::NeedsInspection);
    assert_eq!(find(&collected.results, "dist.static-analysis.gcc").outcome, Outcome::NeedsInspection);
    let reason = summary.data["not_analysed"]["lib/lib.c"].as_str().unwrap();
    assert!(reason.contains("no/such/header.h"), "{reason}");
}

#[test]
fn static_analysis_of_a_hostile_tarball_writes_nowhere_else() {
    let base = tempfile::tempdir().unwrap();
    let src = base.path().join("evil/1/1/src");
    fs::create_dir_all(&src).unwrap();
    let outside = base.path().join("outside.c");
    let make = "import io, sys, tarfile\n\
        archive = tarfile.open(sys.argv[1], 'w')\n\
        member = tarfile.TarInfo(sys.argv[2])\n\
        member.size = 6\n\
        archive.addfile(member, io.BytesIO(b'int x;'))\n\
        archive.close()\n";
    let climbing = format!("{}/{}", "../".repeat(20), outside.display());
    // an absolute name is unpacked below the tree like any other, one that climbs out of it is refused
    let names = [(outside.to_str().unwrap(), Outcome::Passed), (&climbing, Outcome::NeedsInspection)];
    for (name, outcome) in names {
        let tarball = src.join("evil.tar");
        let made =
            Command::new("/usr/bin/python3").args(["-c", make]).arg(&tarball).arg(name).status().unwrap();
        assert!(made.success());
        let (collected, _) = run("static-analysis", "evil-1-1", base.path());
        assert!(!outside.exists());
        assert_eq!(find(&collected.results, "dist.static-analysis").outcome, outcome);
    }
}

#[test]
fn tasks_that_analyse_sources_unpack_them_in_the_same_way() {
    let file = |task: &str| fs::read(stdlib().join("tasks").join(task).join("sources.py")).unwrap();
    assert_eq!(file("static-analysis"), file("python-c-extensions"));
}

/// Two functions of an extension: a list of numbers, and a dictionary. `after_append` and `after_dict` come right after.
fn extension(after_append: &str, after_dict: &str) -> String {
    format!(
        "#include <Python.h>\n\
         PyObject *numbers(void)\n{{\n    PyObject *list = PyList_New(0);\n    if (!list) return NULL;\n\
         \x20   PyObject *item = PyLong_FromLong(1);\n    if (!item) {{ Py_DECREF(list); return NULL; }}\n\
         \x20   int ended = PyList_Append(list, item);\n    {after_append}\n\
         \x20   if (ended < 0) {{ Py_DECREF(list); return NULL; }}\n    return list;\n}}\n\
         PyObject *about(PyObject *self)\n{{\n    PyObject *dict = PyDict_New();\n    {after_dict}\n\
         \x20   if (PyDict_SetItemString(dict, \"self\", self) < 0) {{ Py_DECREF(dict); return NULL; }}\n    return dict;\n}}\n"
    )
}

#[test]
fn references_that_get_lost_and_objects_used_unchecked_are_found_in_extensions() {
    let headers = Command::new("/usr/bin/python3")
        .args([
            "-c",
            "import sysconfig, os; assert os.path.exists(sysconfig.get_paths()['include'] + '/Python.h')",
        ])
        .output()
        .unwrap();
    if !headers.status.success() {
        support::skip("python3-dev", "the headers of Python are not on this machine");
        return;
    }
    let base = tempfile::tempdir().unwrap();
    let src = base.path().join("ext/1/1/src/ext");
    fs::create_dir_all(&src).unwrap();
    let said = |text: &str| {
        fs::write(src.join("ext.c"), text).unwrap();
        run("python-c-extensions", "ext-1-1", base.path()).0
    };
    let seeded = said(&extension("", ""));
    let leak = find(&seeded.results, "dist.python-c-extensions.reference-leak");
    assert_eq!(leak.data["places"].as_array().unwrap().len(), 1, "{leak:#?}");
    assert_eq!((&leak.data["places"][0]["function"], leak.outcome), (&"numbers".into(), Outcome::Failed));
    assert!(leak.note.contains("leak of ‘item’"), "{}", leak.note);
    let unchecked = find(&seeded.results, "dist.python-c-extensions.unchecked-null");
    assert_eq!(
        (&unchecked.data["places"][0]["line"], &unchecked.data["places"][0]["file"]),
        (&17.into(), &"ext/ext.c".into())
    );
    assert_eq!(seeded.results.len(), 3);

    let right = said(&extension("Py_DECREF(item);", "if (!dict) return NULL;"));
    assert_eq!(outcomes(&right.results), [("dist.python-c-extensions", Outcome::Info)], "{right:#?}");
    let twice = said(&extension("Py_DECREF(item); Py_DECREF(item);", "if (!dict) return NULL;"));
    find(&twice.results, "dist.python-c-extensions.released-twice");
    let counted =
        said(&extension("Py_INCREF(item); Py_DECREF(item); Py_DECREF(item);", "if (!dict) return NULL;"));
    assert_eq!(outcomes(&counted.results), [("dist.python-c-extensions", Outcome::Info)], "{counted:#?}");
    let alone = said("#include <Python.h>\n#include <no/such/header.h>\n");
    assert_eq!(outcomes(&alone.results), [("dist.python-c-extensions", Outcome::NeedsInspection)]);
    let none = said("int main(void) { return 0; }\n");
    assert_eq!(outcomes(&none.results), [("dist.python-c-extensions", Outcome::Info)]);
}

#[test]
fn a_task_that_breaks_gives_no_verdict() {
    if !has("rpmlint") {
        return;
    }
    let base = tempfile::tempdir().unwrap();
    fs::create_dir_all(base.path().join("empty/1/1/x86_64")).unwrap();
    fs::write(base.path().join("empty/1/1/x86_64/readme"), "no package here").unwrap();
    let (collected, _) = run("rpmlint", "empty-1-1", base.path());
    assert_eq!(outcomes(&collected.results), [("dist.rpmlint", Outcome::NeedsInspection)]);
}

#[test]
fn rpmlint_reports_errors_of_real_packages() {
    if !has("rpmbuild") || !has("rpmlint") {
        return;
    }
    let base = tempfile::tempdir().unwrap();
    make_builds(base.path(), "/usr/bin:/bin");
    let (collected, kept) = run("rpmlint", "hello-leak-1.0-1.fc40", base.path());
    let result = find(&collected.results, "dist.rpmlint");
    assert_eq!((result.outcome, result.item.as_str()), (Outcome::Failed, "hello-leak-1.0-1.fc40"));
    assert!(result.note.starts_with("2 errors, "), "{}", result.note);
    assert_eq!(result.data["errors"], 2);
    assert_eq!(kept, ["rpmlint.log"]);
    let findings = result.data["findings"].as_array().unwrap();
    let no_changelog = findings.iter().filter(|finding| finding["tag"] == "no-changelogname-tag");
    assert_eq!(no_changelog.map(|finding| finding["severity"].clone()).collect::<Vec<_>>(), ["E", "E"]);

    let (collected, _) = run("rpmlint", "python-hello-2.1-1.fc40", base.path());
    let result = find(&collected.results, "dist.rpmlint");
    assert_eq!(result.outcome, Outcome::Passed, "{result:#?}");
    assert!(result.note.starts_with("0 errors, "), "{}", result.note);
}

#[test]
fn rpmlint_reads_a_spec_where_there_is_no_package() {
    if !has("rpmlint") {
        return;
    }
    let base = tempfile::tempdir().unwrap();
    make_builds(base.path(), "/nowhere");
    let (collected, _) = run("rpmlint", "hello-clean-1.2-1.fc40", base.path());
    assert_eq!(outcomes(&collected.results), [("dist.rpmlint", Outcome::Passed)]);
}

#[test]
fn tasks_that_are_only_declared_end_as_permanent_infrastructure_errors() {
    type Inputs = &'static [(&'static str, &'static str)];
    let declared: [(&str, Inputs, &str); 4] = [
        ("kernel-tests", &[("package", "nvr"), ("arch", "arch")], "virtual machine"),
        ("build-test-iso", &[("package", "nvr")], "lorax"),
        ("install-tests", &[("iso", "iso")], "blank disk"),
        ("upgrade-tests", &[("package", "nvr"), ("config", "upgrade-config")], "base image"),
    ];
    for (task, inputs, needs) in declared {
        let run = Run::new(&stdlib().join("tasks").join(task));
        let manifest = Manifest::read(&run.dirs.checkout).unwrap();
        let types: Vec<_> = inputs.iter().map(|(n, t)| ((*n).to_owned(), (*t).to_owned())).collect();
        assert_eq!(manifest.check_inputs(&types), Vec::<String>::new(), "{task}");
        let value = |kind: &str| if kind == "arch" { "x86_64" } else { "kernel-6.9.5-200.fc40" };
        let values: Vec<_> = inputs.iter().map(|(n, t)| ((*n).to_owned(), value(t).to_owned())).collect();
        let plan = manifest.plan(&values, &run.dirs, &Run::ids()).unwrap();
        let ended = run.execute(&plan, &plan.prepare[0]);
        let failure = prepare::failure(ended, &run.dirs.log_file).unwrap();
        assert_eq!(failure.class, ErrorClass::Permanent, "{task}");
        assert!(failure.message.starts_with("not available on this machine: needs "), "{}", failure.message);
        assert!(failure.message.contains(needs), "{}", failure.message);
    }
}

#[test]
fn every_standard_task_has_a_sound_manifest() {
    let mut names = Vec::new();
    for entry in fs::read_dir(stdlib().join("tasks")).unwrap() {
        let path = entry.unwrap().path();
        let manifest = Manifest::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        assert_eq!(manifest.name, path.file_name().unwrap().to_str().unwrap());
        assert!(manifest.testcases.contains(&manifest.full_name()), "{}", manifest.name);
        names.push(manifest.name);
    }
    assert_eq!(names.len(), 10);
}
