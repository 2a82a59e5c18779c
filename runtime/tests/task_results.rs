//! Results: each format from real tools, hostile files, and artifacts.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod task_run;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use task_run::{Run, find, outcomes};
use taskbot_runtime::executor::Ended;
use taskbot_runtime::task::Manifest;
use taskbot_runtime::task::Outcome::{Failed, Info, NeedsInspection, Passed};
use taskbot_runtime::task::artifacts;
use taskbot_runtime::task::results::Collected;

const PLAIN: &str = "[task]\nname = \"demo\"\nnamespace = \"dist\"\n[run]\ncommand = [\"./run\"]\n";

fn manifest(more: &str) -> Manifest {
    Manifest::parse(&format!("{PLAIN}{more}")).unwrap()
}

fn fixture(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/results").join(name)).unwrap()
}

fn run() -> Run {
    Run::new(Path::new("/checkout"))
}

/// Results of a file `$TASKBOT_RESULTS` with this content.
fn from_file(content: impl AsRef<[u8]>) -> (Collected, Run) {
    let run = run();
    fs::write(&run.dirs.results_file, content).unwrap();
    let collected = run.collect(&manifest(""), Ended::Exit(0));
    (collected, run)
}

/// Results of a file among the artifacts that `from` names.
fn from_artifact(from: &str, name: &str, ended: Ended) -> Collected {
    let run = run();
    fs::write(run.dirs.artifacts.join(name), fixture(name)).unwrap();
    run.collect(&manifest(&format!("[results]\nfrom = [\"{from}\"]\n")), ended)
}

#[test]
fn without_a_file_the_exit_code_is_the_result() {
    for (ended, outcome, note) in [
        (Ended::Exit(0), Passed, ""),
        (Ended::Exit(1), Failed, ""),
        (Ended::Exit(77), Info, "skipped"),
        (Ended::Exit(42), NeedsInspection, "exit code 42 has no meaning in `run.exit`"),
        (Ended::Signal(11), NeedsInspection, "ended by signal 11"),
        (Ended::TimedOut, NeedsInspection, "killed at its timeout"),
    ] {
        let collected = run().collect(&manifest(""), ended);
        assert_eq!(outcomes(&collected.results), [("dist.demo", outcome)]);
        let result = &collected.results[0];
        assert_eq!((result.note.as_str(), result.item.as_str()), (note, "bash-5.2-1.fc40"));
    }
}

#[test]
fn a_declared_test_case_that_never_reports_needs_inspection() {
    let manifest = manifest("[results]\ntestcases = [\"dist.demo\", \"dist.demo.other\"]\n");
    let collected = run().collect(&manifest, Ended::Exit(0));
    assert_eq!(outcomes(&collected.results), [("dist.demo", Passed), ("dist.demo.other", NeedsInspection)]);
    let collected = run().collect(&manifest, Ended::Exit(77));
    assert_eq!(outcomes(&collected.results), [("dist.demo", Info), ("dist.demo.other", Info)]);
}

#[test]
fn taskotron_results_are_read() {
    let (collected, run) = from_file(fixture("resultyaml.yml"));
    let [passed, failed] = collected.results.as_slice() else { panic!("{collected:?}") };
    assert_eq!((passed.testcase.as_str(), passed.outcome), ("dist.upgradepath", Passed));
    assert_eq!((passed.item.as_str(), passed.note.as_str()), ("xchat-0.5-1.fc20", "all good"));
    assert_eq!((failed.item_type.as_str(), failed.outcome), ("bodhi_update", Failed));
    assert_eq!(failed.data["arch"], "x86_64");
    // the artifact that it names is not there: said, and not passed on as if it were
    assert_eq!(passed.artifacts, Vec::<String>::new());
    assert_eq!(collected.problems, ["artifact \"xchat.log\": there is no such file"]);
    drop(run);
}

#[test]
fn results_of_the_standard_test_interface_are_read() {
    let run = run();
    for log in ["str_check_connection.log", "str_check_timeout.log", "journal.log"] {
        fs::write(run.dirs.artifacts.join(log), "x").unwrap();
    }
    fs::write(&run.dirs.results_file, fixture("sti.yml")).unwrap();
    let collected = run.collect(&manifest(""), Ended::Exit(0));
    assert_eq!(collected.problems, Vec::<String>::new());
    assert_eq!(
        outcomes(&collected.results),
        [
            ("dist.demo.check_connection", Passed),
            ("dist.demo.check_timeout", Failed),
            ("dist.demo.check_dns", NeedsInspection)
        ]
    );
    assert_eq!(collected.results[0].data["runtime"], 4.5);
    assert_eq!(collected.results[1].artifacts, ["str_check_timeout.log", "journal.log"]);
}

#[test]
fn one_result_alone_and_json_are_read() {
    let (collected, _run) = from_file(r#"{"outcome": "passed", "note": "fine", "deep": {"a": [1, 2]}}"#);
    assert_eq!(outcomes(&collected.results), [("dist.demo", Passed)]);
    assert_eq!(collected.results[0].data["deep"]["a"][1], 2);
    let (collected, _run) = from_file("- {name: a, result: ok}\n- {name: b.c, result: wonderful}\n");
    assert_eq!(outcomes(&collected.results), [("dist.demo.a", Passed), ("b.c", NeedsInspection)]);
    assert!(collected.results[1].note.contains("unknown outcome \"wonderful\""));
}

#[test]
fn several_sources_are_read_together() {
    let run = run();
    fs::write(&run.dirs.results_file, "results: [{name: a, result: pass}]").unwrap();
    fs::create_dir(run.dirs.artifacts.join("sub")).unwrap();
    fs::write(run.dirs.artifacts.join("results.yml"), "results: [{name: b, result: fail}]").unwrap();
    fs::write(run.dirs.artifacts.join("sub/c.tap"), "ok 1 - c\n1..1\n").unwrap();
    fs::write(run.dirs.artifacts.join("sub/d.txt"), "not ok 1 - d\n1..1\n").unwrap();
    let manifest = manifest("[results]\nfrom = [\"results.yml\", \"tap:**/*.tap\", \"tap:-\"]\n");
    let collected = run.collect(&manifest, Ended::Exit(0));
    assert_eq!(
        outcomes(&collected.results),
        [("dist.demo.a", Passed), ("dist.demo.b", Failed), ("dist.demo.c", Passed)]
    );
}

#[test]
fn junit_of_pytest_is_read() {
    let collected = from_artifact("junit:*.xml", "pytest.xml", Ended::Exit(1));
    assert_eq!(collected.problems, Vec::<String>::new());
    assert_eq!(
        outcomes(&collected.results),
        [
            ("dist.demo.test_sample.test_passes", Passed),
            ("dist.demo.test_sample.test_fails", Failed),
            ("dist.demo.test_sample.test_skipped", Info),
            ("dist.demo.test_sample.test_known", Info),
            ("dist.demo.test_sample.test_error", NeedsInspection),
            ("dist.demo.test_sample.TestGroup.test_each[1]", Passed),
            ("dist.demo.test_sample.TestGroup.test_each[2]", Failed),
        ]
    );
    let note = &collected.results[1].note;
    assert!(note.starts_with("AssertionError: not equal: <a> & é assert \"<a> & 'b'\""), "{note}");
    assert_eq!(collected.results[2].note, "skipped: no network here");
    assert_eq!(collected.results[0].data["time"], "0.001");
}

#[test]
fn tap_of_node_with_its_yaml_blocks_is_read() {
    let collected = from_artifact("tap:*.tap", "node.tap", Ended::Exit(1));
    assert_eq!(
        outcomes(&collected.results),
        [
            ("dist.demo.adds", Passed),
            ("dist.demo.fails with detail", Failed),
            ("dist.demo.left out", Info),
            ("dist.demo.later", Info),
            ("dist.demo.group", Passed),
            ("dist.demo.group.inner", Passed),
        ]
    );
    assert_eq!(collected.results[1].data["diagnostic"]["operator"], "strictEqual");
    assert_eq!(collected.results[1].note, "one is not two 1 !== 2");
    assert_eq!(collected.results[2].note, "skipped: no network here");
    assert_eq!(collected.results[3].note, "to do: not written");
}

#[test]
fn tap_of_perl_is_read_from_a_file_and_from_the_log() {
    let expected = [
        ("dist.demo.first", Passed),
        ("dist.demo.second # not a directive?", Failed),
        ("dist.demo.3", Info),
        ("dist.demo.fourth", Info),
    ];
    let collected = from_artifact("tap:*.tap", "perl.tap", Ended::Exit(1));
    assert_eq!(outcomes(&collected.results), expected);

    let run = run();
    let mut log = b"cloning...\nok, let us begin\nnot okay\n1..x\n".to_vec();
    log.extend(fixture("perl.tap"));
    log.extend(b"\xff\xfe done\n");
    fs::write(&run.dirs.log_file, log).unwrap();
    let collected = run.collect(&manifest("[results]\nfrom = [\"tap:-\"]\n"), Ended::Exit(1));
    assert_eq!(outcomes(&collected.results), expected);
}

#[test]
fn tap_that_skips_gives_up_or_ends_early_says_so() {
    let collected = from_artifact("tap:*.tap", "perl-skip-all.tap", Ended::Exit(0));
    assert_eq!(outcomes(&collected.results), [("dist.demo", Info)]);
    assert_eq!(collected.results[0].note, "skipped: no network here");

    let collected = from_artifact("tap:*.tap", "perl-bail-out.tap", Ended::Exit(255));
    assert_eq!(
        outcomes(&collected.results),
        [
            ("dist.demo.a", Passed),
            ("dist.demo.plan", NeedsInspection),
            ("dist.demo.bail-out", NeedsInspection),
            ("dist.demo", NeedsInspection),
        ]
    );
    assert_eq!(collected.results[1].note, "3 tests were planned, 1 reported");
    assert_eq!(collected.results[2].note, "the tests were given up: disk full");
    assert!(collected.results[3].note.contains("exit code 255"));
}

#[test]
fn a_command_that_ends_badly_is_not_hidden_by_its_results() {
    let run = run();
    fs::write(&run.dirs.results_file, "results: [{outcome: PASSED, checkname: dist.demo.a}]").unwrap();
    for (ended, said) in [
        (Ended::Signal(9), "ended by signal 9"),
        (Ended::TimedOut, "timeout"),
        (Ended::Exit(1), "exit code says failed"),
    ] {
        let collected = run.collect(&manifest(""), ended);
        let own = find(&collected.results, "dist.demo");
        assert_eq!(own.outcome, NeedsInspection);
        assert!(own.note.contains(said), "{}", own.note);
    }
    assert_eq!(run.collect(&manifest(""), Ended::Exit(0)).results.len(), 1);
}

fn assert_rejected(content: impl AsRef<[u8]>, why: &str) {
    let content = content.as_ref();
    let (collected, run) = from_file(content);
    assert_eq!(outcomes(&collected.results), [("dist.demo", NeedsInspection)]);
    let result = &collected.results[0];
    assert!(result.note.contains(why), "{why}: {}", result.note);
    assert_eq!(result.artifacts, ["rejected-results"]);
    let kept = artifacts::index(&manifest("[artifacts]\nkeep = [\"*.log\"]\n"), &run.dirs).kept;
    assert_eq!(kept.len(), 1, "kept whatever the patterns say");
    assert_eq!(kept[0].bytes, u64::try_from(content.len()).unwrap());
}

#[test]
fn malformed_results_need_inspection_and_are_kept() {
    assert_rejected("", "it is empty");
    assert_rejected("results: []", "reports no result");
    assert_rejected("results: 7", "`results` is not a list");
    assert_rejected("just words", "neither a list nor a table");
    assert_rejected("[1, 2]", "result 1 is not a table");
    assert_rejected("results: [{note: x}]", "neither `outcome` nor `result`");
    assert_rejected("results: [{outcome: [PASSED]}]", "`outcome` is not text");
    assert_rejected("results: [{outcome: PASSED, outcome: FAILED}]", "duplicate");
    assert_rejected(r#"{"outcome": "PASSED", "outcome": "FAILED"}"#, "duplicate");
    assert_rejected(
        format!("{{\"outcome\": \"PASSED\", \"x\": [{}0]}}", "{\"a\":0},".repeat(200_000)),
        "it is not YAML",
    );
    assert_rejected("a: b: c: [", "it is not YAML");
    assert_rejected(b"\xff\xfe\x00", "not UTF-8");
    assert_rejected("results: [{outcome: PASSED}]\n---\nresults: [{outcome: FAILED}]\n", "not YAML");
}

#[test]
fn hostile_results_are_bounded() {
    assert_rejected(vec![b' '; 5 << 20], "larger than");
    assert_rejected(format!("results: {}", "[".repeat(1 << 20)), "not YAML");
    assert_rejected("[".repeat(1 << 20), "not YAML");
    assert_rejected("- ".repeat(1 << 20), "not YAML");
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for i in 1..12 {
        let before = format!("*a{}", i - 1);
        bomb += &format!("a{i}: &a{i} [{}]\n", vec![before; 9].join(", "));
    }
    assert_rejected(bomb + "results: [{outcome: PASSED}]\n", "not YAML");

    let keys: String = (0..300_000).map(|i| format!("\"k{i}\":1,")).collect();
    let (collected, _run) = from_file(format!("{{\"outcome\":\"PASSED\",{keys}\"z\":1}}"));
    assert_eq!(outcomes(&collected.results), [("dist.demo", NeedsInspection)]);
    assert!(collected.results[0].note.contains("its data is larger than"), "{:?}", collected.results[0].note);
    assert!(collected.results[0].data.is_empty());

    let many = vec![r#"{"outcome":"PASSED"}"#; 20_000].join(",");
    let (collected, _run) = from_file(format!("[{many}]"));
    assert!(collected.results.last().unwrap().note.contains("more than 10000 results"));
    assert_eq!(collected.results.len(), 10_001);

    let (collected, _run) =
        from_file(format!(r#"{{"outcome":"PASSED","checkname":"{}"}}"#, "é".repeat(10_000)));
    assert_eq!(collected.results[0].outcome, NeedsInspection);
    assert!(collected.results[0].testcase.len() <= 512);
}

#[test]
fn text_of_results_is_one_line_without_control_characters() {
    let (collected, _run) =
        from_file(r#"{"outcome":"PASSED","note":"a\u001b[31m\nb\u0000c","name":"x\n\ty"}"#);
    assert_eq!(collected.results[0].note, "a[31m bc");
    assert_eq!(collected.results[0].testcase, "dist.demo.x y");
}

#[test]
fn artifacts_that_a_result_names_must_lie_within_its_directory() {
    let run = run();
    symlink("/etc/passwd", run.dirs.artifacts.join("link")).unwrap();
    symlink("/etc", run.dirs.artifacts.join("folder")).unwrap();
    fs::write(run.dirs.artifacts.join("ok.log"), "fine").unwrap();
    for (path, why) in [
        ("../../../etc/passwd", "leaves its directory"),
        ("/etc/passwd", "leaves its directory"),
        ("link", "symbolic link"),
        ("folder/passwd", "no directory"),
        (".", "leaves its directory"),
    ] {
        fs::write(&run.dirs.results_file, format!("{{outcome: PASSED, artifacts: [{path}, ./ok.log]}}"))
            .unwrap();
        let collected = run.collect(&manifest(""), Ended::Exit(0));
        let result = find(&collected.results, "dist.demo");
        assert_eq!(result.outcome, NeedsInspection, "{path}");
        assert!(result.note.contains(why) && result.note.contains("reported Passed"), "{}", result.note);
        assert_eq!(result.artifacts, ["ok.log"]);
    }
}

#[test]
fn a_results_file_that_is_no_regular_file_is_never_opened() {
    type Make = fn(&Path);
    let makes: [(&str, Make); 5] = [
        ("a symbolic link", |path| symlink("/dev/zero", path).unwrap()),
        ("a symbolic link", |path| symlink("nowhere", path).unwrap()),
        ("a directory", |path| fs::create_dir(path).unwrap()),
        ("a pipe", |path| {
            let mode = rustix::fs::Mode::from_raw_mode(0o600);
            rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        }),
        ("a socket", |path| drop(std::os::unix::net::UnixListener::bind(path).unwrap())),
    ];
    for (kind, make) in makes {
        let run = run();
        make(&run.dirs.results_file);
        let collected = run.collect(&manifest(""), Ended::Exit(0));
        assert_eq!(outcomes(&collected.results), [("dist.demo", NeedsInspection)], "{kind}");
        let note = &collected.results[0].note;
        assert!(note.contains(&format!("it is {kind}, not a regular file")), "{note}");
        assert!(!run.dirs.results_file.exists() && !run.dirs.results_file.is_symlink(), "moved aside");
        let index = artifacts::index(&manifest(""), &run.dirs);
        assert_eq!(index.kept, []);
    }
}

#[test]
fn a_second_name_of_a_file_from_elsewhere_is_not_read() {
    let run = run();
    let secret = run.root.path().join("secret");
    fs::write(&secret, "results: [{outcome: PASSED, note: secret}]").unwrap();
    fs::hard_link(&secret, &run.dirs.results_file).unwrap();
    let collected = run.collect(&manifest(""), Ended::Exit(0));
    assert_eq!(outcomes(&collected.results), [("dist.demo", NeedsInspection)]);
    assert!(collected.results[0].note.contains("hard link"), "{}", collected.results[0].note);
}

#[test]
fn the_directories_themselves_may_have_been_swapped() {
    let run = run();
    fs::remove_dir(&run.dirs.artifacts).unwrap();
    symlink("/etc", &run.dirs.artifacts).unwrap();
    fs::remove_dir(run.dirs.results_file.parent().unwrap()).unwrap();
    symlink("/etc", run.dirs.results_file.parent().unwrap()).unwrap();
    let collected = run.collect(&manifest("[results]\nfrom = [\"tap:*\"]\n"), Ended::Exit(0));
    assert_eq!(outcomes(&collected.results), [("dist.demo", NeedsInspection)]);
    let index = artifacts::index(&manifest(""), &run.dirs);
    assert_eq!((index.kept.len(), index.left_out.len()), (0, 1));
}

#[test]
fn hostile_junit_and_tap_are_bounded() {
    let cases = [
        (
            "junit",
            "<!DOCTYPE x [<!ENTITY a \"aaaa\">]><testsuite><testcase name=\"&a;\"/></testsuite>",
            "document type",
        ),
        ("junit", "<testsuite><testcase name=\"a\">", "ends in the middle"),
        ("junit", "<html><body/></html>", "its root is <html>"),
        ("junit", "<testsuite/>", "no test case"),
        ("junit", "<testsuite><testcase name=\"&undefined;\"/></testsuite>", "attribute name"),
        ("junit", "not xml", "text outside of its root"),
        ("tap", "nothing of the kind", "no line of TAP"),
        ("tap", "1..99999999999999999999999", "no line of TAP"),
    ];
    for (format, content, why) in cases {
        let run = run();
        fs::write(run.dirs.artifacts.join("r.txt"), content).unwrap();
        let manifest = manifest(&format!("[results]\nfrom = [\"{format}:*.txt\"]\n"));
        let collected = run.collect(&manifest, Ended::Exit(0));
        assert_eq!(outcomes(&collected.results), [("dist.demo", NeedsInspection)], "{content}");
        let result = &collected.results[0];
        assert!(result.note.contains(why), "{content}: {}", result.note);
        assert_eq!(result.artifacts, ["r.txt"]);
    }
    for (format, content) in [("junit", "<testsuite>".repeat(100_000)), ("tap", "ok\n".repeat(1 << 20))] {
        let run = run();
        fs::write(run.dirs.artifacts.join("r.txt"), content).unwrap();
        let manifest = manifest(&format!("[results]\nfrom = [\"{format}:*.txt\"]\n"));
        assert_eq!(
            outcomes(&run.collect(&manifest, Ended::Exit(0)).results),
            [("dist.demo", NeedsInspection)]
        );
    }
}

#[test]
fn files_of_results_are_bounded_together() {
    let run = run();
    let padded = format!("ok 1 - x\n1..1\n{}", "# filler\n".repeat(400_000));
    for i in 0..8 {
        fs::write(run.dirs.artifacts.join(format!("{i}.tap")), &padded).unwrap();
    }
    let collected = run.collect(&manifest("[results]\nfrom = [\"tap:*.tap\"]\n"), Ended::Exit(0));
    let passed = collected.results.iter().filter(|result| result.outcome == Passed).count();
    assert_eq!((passed, collected.results.len()), (4, 8), "16 MiB hold four of these files");
    assert!(collected.results[7].note.contains("larger than"), "{}", collected.results[7].note);
}

#[test]
fn artifacts_are_indexed_within_patterns_and_size() {
    let run = run();
    let put = |name: &str, content: &[u8]| {
        let path = run.dirs.artifacts.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    };
    put("a.log", b"abc");
    put("b.log", &[0; 2048]);
    put("c.log", b"");
    put("sub/d.log", b"deep");
    put("core", b"unwanted");
    symlink("/etc/passwd", run.dirs.artifacts.join("e.log")).unwrap();
    let index = artifacts::index(
        &manifest("[artifacts]\nkeep = [\"*.log\", \"sub/*\"]\nmax_size = \"1K\"\n"),
        &run.dirs,
    );
    let kept: Vec<_> = index.kept.iter().map(|a| (a.path.as_str(), a.bytes)).collect();
    assert_eq!(kept, [("a.log", 3), ("c.log", 0), ("sub/d.log", 4)]);
    assert_eq!(index.kept[0].sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_eq!(
        index.left_out,
        [
            "b.log: does not fit into `artifacts.max_size` of 1024 bytes",
            "e.log: it is a symbolic link, not a regular file"
        ]
    );
}

#[test]
fn a_sparse_giant_and_deep_folders_do_not_hold_up_the_index() {
    let run = run();
    fs::File::create(run.dirs.artifacts.join("giant")).unwrap().set_len(1 << 43).unwrap();
    let mut deep = run.dirs.artifacts.clone();
    for _ in 0..100 {
        deep.push("d");
    }
    fs::create_dir_all(&deep).unwrap();
    let index = artifacts::index(&manifest(""), &run.dirs);
    assert_eq!(index.kept, []);
    assert_eq!(index.left_out.len(), 2, "{:?}", index.left_out);
    assert!(index.left_out[0].contains("nested too deep") && index.left_out[1].starts_with("giant: "));
}
