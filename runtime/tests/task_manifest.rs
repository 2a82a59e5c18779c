//! `task.toml`: what is accepted, what is refused and how that is said, and what a plan makes of it.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod task_run;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use task_run::Run;
use taskbot_runtime::class::ErrorClass;
use taskbot_runtime::task::manifest::{Destructive, EnvironmentKind, Network};
use taskbot_runtime::task::plan::FetchWhat;
use taskbot_runtime::task::{Manifest, ManifestError, Plan, prepare_check};

const WHOLE: &str = r#"
contract = 1
[task]
name = "demo"
namespace = "dist"
summary = "A demonstration"
owner = "qa@example.org"
[inputs]
package = { type = "nvr" }
arch = { type = "arch", default = "noarch" }
with-docs = { type = "bool", default = true }
arches = { type = "[arch]", default = ["x86_64", "s390x"] }
[subject]
type = "koji_build"
item = "{package} on {arch}"
[prepare]
packages = ["rpmlint", { name = "gcc-c++", tool = "g++", apt = "g++" }]
run = ["./prepare", "{literal}"]
timeout = "90s"
[[fetch]]
koji = "{package}"
arches = ["{arch}", "noarch"]
into = "rpms"
[run]
command = ["./run", "--all"]
timeout = "20m"
exit = { pass = [0, 3], fail = [1], skip = [77] }
[environment]
kind = "vm"
image = "fedora-40"
memory = "2G"
cpus = 2
disk = "10G"
network = true
destructive = true
[results]
from = ["results.yml", "junit:*.xml", "tap:-"]
testcases = ["dist.demo"]
[artifacts]
keep = ["*.log", "**/*.iso"]
max_size = "512M"
[events]
emits = ["compose.test-iso.built"]
[cleanup]
run = ["./clean"]
[retry]
infrastructure = 5
"#;

fn problems(text: &str) -> Vec<String> {
    match Manifest::parse(text) {
        Err(error @ ManifestError::Invalid(_)) => error.to_string().lines().map(str::to_owned).collect(),
        Err(other) => panic!("{other}"),
        Ok(_) => Vec::new(),
    }
}

fn plan(text: &str, inputs: &[(&str, &str)]) -> Result<(Plan, Run), ManifestError> {
    let run = Run::new(Path::new("/checkout"));
    let inputs: Vec<_> = inputs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
    Manifest::parse(text)?.plan(&inputs, &run.dirs, &Run::ids()).map(|plan| (plan, run))
}

#[test]
fn everything_but_the_command_is_optional() {
    let manifest = Manifest::parse("[run]\ncommand = [\"./run\"]\n").unwrap();
    assert_eq!(manifest.full_name(), "task");
    assert_eq!(manifest.run.timeout, Duration::from_secs(3600));
    assert_eq!((manifest.exit.pass, manifest.exit.fail, manifest.exit.skip), (vec![0], vec![1], vec![77]));
    assert_eq!(manifest.environment.kind, EnvironmentKind::Sandbox);
    assert_eq!(manifest.infrastructure_retries, 2);
    assert!(manifest.keep.is_match("deep/folder/any.file"));
}

#[test]
fn every_key_is_read() {
    let manifest = Manifest::parse(WHOLE).unwrap();
    assert_eq!(manifest.full_name(), "dist.demo");
    let inputs: Vec<_> = manifest.inputs.iter().map(|input| input.name.as_str()).collect();
    assert_eq!(inputs, ["package", "arch", "with-docs", "arches"], "in the order of the file");
    assert_eq!(manifest.packages[1].tool, "g++");
    assert_eq!(manifest.exit.pass, [0, 3]);
    let environment = &manifest.environment;
    assert_eq!((environment.kind, environment.destructive), (EnvironmentKind::Vm, Destructive::Yes));
    assert_eq!((environment.memory_bytes, environment.cpus), (Some(2 << 30), Some(2)));
    assert_eq!(environment.network, Network::Granted);
    assert_eq!(manifest.results_from.len(), 3);
    assert!(manifest.keep.is_match("a.log") && manifest.keep.is_match("x/y.iso"));
    assert!(!manifest.keep.is_match("x/a.log"), "`*` stays within a folder");
    assert_eq!(manifest.artifacts_max_bytes, 512 << 20);
    assert_eq!(manifest.emits, ["compose.test-iso.built"]);
    assert_eq!(manifest.infrastructure_retries, 5);
}

#[test]
fn an_unknown_key_is_refused_with_its_line_and_the_closest_known_one() {
    let text = "[run]\ncomand = [\"./run\"]\n\n[artefacts]\nkeep = []\n\n[inputs]\np = { typ = \"nvr\" }\n";
    assert_eq!(
        problems(text),
        [
            "task.toml:1: `run.command` is missing: say what to run, `[run]` `command = [\"./run\"]`",
            "task.toml:2: unknown key `run.comand`; did you mean `command`?",
            "task.toml:4: unknown key `artefacts`; did you mean `artifacts`?",
            "task.toml:8: unknown key `inputs.*.typ`; did you mean `type`?",
            "task.toml:8: input `p` has no `type`, such as \"nvr\" or \"string\"",
        ]
    );
    let far = problems("[run]\ncommand = [\"./run\"]\n[retry]\nwholly-other = 1\n");
    assert_eq!(far, ["task.toml:4: unknown key `retry.wholly-other`; known: infrastructure"]);
}

#[test]
fn each_mistake_is_said_at_its_place() {
    let run = "[run]\ncommand = [\"./run\"]\n";
    let cases = [
        ("contract = 2\n", "contract 2 is not known here, this taskbot reads contract 1"),
        ("[task]\nname = \"../x\"\n", "must be letters, digits"),
        ("[inputs]\n\"a b\" = { type = \"nvr\" }\n", "a name is a letter"),
        ("[inputs]\na-b = { type = \"nvr\" }\na_b = { type = \"nvr\" }\n", "also becomes TASKBOT_INPUT_A_B"),
        ("[inputs]\na = { type = \"int\", default = \"x\" }\n", "\"x\" is not of type int"),
        ("[inputs]\na = { type = \"n v r\" }\n", "not the name of a type"),
        (
            "[subject]\ntype = \"x\"\nitem = \"{pakage}\"\n[inputs]\npackage = { type = \"nvr\" }\n",
            "`package`?",
        ),
        ("[prepare]\npackages = [\"-oops\"]\n", "not the name of a package"),
        ("[prepare]\ntimeout = \"5 minutes\"\n", "must be a duration"),
        ("[cleanup]\ntimeout = \"0s\"\n", "must be a duration"),
        ("[cleanup]\ntimeout = \"8d\"\n", "must be a duration"),
        ("[[fetch]]\nkoji = \"x-1-1\"\ninto = \"../up\"\n", "no `..`"),
        ("[[fetch]]\nkoji = \"x-1-1\"\nurl = \"https://example.org\"\n", "exactly one of"),
        ("[[fetch]]\nkoji = \"x-1-1\"\nsha256 = \"00\"\n", "`fetch.sha256` does not go with `fetch.koji`"),
        ("[[fetch]]\nurl = \"https://example.org/x\"\n", "needs `sha256`"),
        ("[fetch]\nkoji = \"x-1-1\"\n", "write `[[fetch]]`"),
        ("[environment]\nkind = \"sandbx\"\n", "did you mean `sandbox`?"),
        ("[environment]\ndestructive = true\n", "needs a machine of its own"),
        ("[environment]\nnetwork = \"yes\"\n", "must be true or false"),
        ("[environment]\nmemory = \"2 GB\"\n", "must be a size"),
        ("[results]\nfrom = [\"junit:../x.xml\"]\n", "no `..`"),
        ("[results]\nfrom = [\"juint:*.xml\"]\n", "did you mean `junit`?"),
        ("[results]\nfrom = [\"xunit:*.xml\"]\n", "unknown format \"xunit\""),
        ("[artifacts]\nkeep = [\"/etc/*\"]\n", "below the artifact directory"),
        ("[artifacts]\nmax_size = \"99999999999999T\"\n", "must be a size"),
        ("[retry]\ninfrastructure = 11\n", "of at most 10"),
        ("[retry]\ninfrastructure = -1\n", "must be a whole number"),
    ];
    for (text, said) in cases {
        let problems = problems(&format!("{text}{run}"));
        assert!(problems.iter().any(|problem| problem.contains(said)), "{text}: {problems:?}");
    }
    let codes = problems("[run]\ncommand = [\"./run\"]\nexit = { pass = [0, 1], fail = [1] }\n");
    assert!(codes[0].contains("1 cannot mean two things"), "{codes:?}");
    let codes = problems("[run]\ncommand = [\"./run\"]\nexit = { pass = [256] }\n");
    assert!(codes[0].contains("0 to 255"), "{codes:?}");
    assert!(problems("[run]\ncommand = []\n")[0].contains("must name a program"));
    assert!(problems("[run\n")[0].starts_with("task.toml:1: "));
}

#[test]
fn values_never_reach_a_command_line() {
    let text = "[inputs]\npackage = { type = \"nvr\" }\n[run]\ncommand = [\"./run\", \"--nvr={package}\"]\n";
    let said = problems(text);
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains("read $TASKBOT_INPUT_PACKAGE from the environment"), "{said:?}");

    let (plan, _run) = plan(WHOLE, &[("package", "bash-5.2-1.fc40"), ("arch", "x86_64")]).unwrap();
    assert_eq!(plan.run.argv, ["./run", "--all"]);
    assert_eq!(plan.prepare[0].argv, ["./prepare", "{literal}"]);
}

#[test]
fn a_plan_has_the_environment_the_subject_and_the_downloads() {
    let (plan, run) = plan(WHOLE, &[("package", "bash-5.2-1.fc40"), ("arch", "x86_64")]).unwrap();
    assert_eq!(plan.subject.item, "bash-5.2-1.fc40 on x86_64");
    assert_eq!(plan.env["TASKBOT_INPUT_PACKAGE"], "bash-5.2-1.fc40");
    assert_eq!(plan.env["TASKBOT_INPUT_WITH_DOCS"], "true");
    assert_eq!(plan.env["TASKBOT_INPUT_ARCHES"], r#"["x86_64","s390x"]"#);
    assert_eq!(plan.env["TASKBOT_RUN_ID"], "r1");
    assert_eq!(plan.env["TASKBOT_ATTEMPT"], "1");
    assert!(plan.env["TASKBOT_DEADLINE"].parse::<u64>().unwrap() > 1_700_000_000);
    assert_eq!(plan.env["HOME"], run.dirs.work.to_str().unwrap());
    assert_eq!(plan.env["LANG"], "C.UTF-8");
    assert!(
        plan.env.keys().all(|name| name.starts_with("TASKBOT_")
            || ["HOME", "LANG", "PATH", "TMPDIR"].contains(&name.as_str()))
    );
    assert_eq!(plan.prepare[0].timeout, Duration::from_secs(90));
    assert_eq!(plan.fetches[0].into, PathBuf::from("rpms"));
    let FetchWhat::Koji { build, arches } = &plan.fetches[0].what else { panic!("{:?}", plan.fetches) };
    assert_eq!(
        (build.name.as_str(), arches.as_slice()),
        ("bash", &["x86_64".to_owned(), "noarch".into()][..])
    );
}

#[test]
fn hostile_values_are_refused_before_anything_uses_them() {
    let nvrs = [
        "../../etc-1-1",
        "a/b-1-1",
        "-oops-1-1",
        "a-../x-1",
        "a-..-1",
        ".hidden-1-1",
        "a b-1-1",
        "a-1",
        "",
        "a-1-1\n",
        "a-1-$(id)",
        "a-1-1;id",
        "a-1-\u{202e}1",
    ];
    for value in nvrs {
        let Err(error) = plan(WHOLE, &[("package", value)]) else { panic!("{value:?} was accepted") };
        assert_eq!(error.class(), ErrorClass::Poison);
    }
    for value in ["", "x86/64", "..", "x86 64"] {
        assert!(plan(WHOLE, &[("package", "a-1-1"), ("arch", value)]).is_err(), "{value:?}");
    }
    assert!(plan(WHOLE, &[("package", "a-1-1"), ("arches", r#"["x86_64", "../x"]"#)]).is_err());
    assert!(plan(WHOLE, &[("package", "a-1-1"), ("arches", "x86_64")]).is_err());
    let text = "[inputs]\nt = { type = \"string\" }\n[run]\ncommand = [\"./run\"]\n";
    assert!(plan(text, &[("t", "a\0b")]).is_err());
    assert!(plan(text, &[("t", &"x".repeat(1 << 20))]).is_err());
    // a template fills once: braces in a value stay text
    let text = format!("{text}[subject]\ntype = \"x\"\nitem = \"<{{t}}>\"\n");
    assert_eq!(plan(&text, &[("t", "$(id) {t} '\n")]).unwrap().0.subject.item, "<$(id) {t} '\n>");
}

#[test]
fn a_missing_tool_is_named_with_what_installs_it() {
    let text = "[prepare]\npackages = [\"sh\", { name = \"no-such-package\", tool = \"no-such-tool\", \
                apt = \"for-apt\", dnf = \"for-dnf\" }]\n[run]\ncommand = [\"./run\"]\n";
    let missing = prepare_check(&plan(text, &[]).unwrap().0).unwrap_err();
    assert_eq!(missing.tools, ["no-such-tool"]);
    assert_eq!(missing.class(), ErrorClass::Permanent);
    let said = missing.to_string();
    assert!(said.starts_with("not on this machine: no-such-tool; install with: "), "{said}");
    let known = ["apt-get install -y for-apt", "dnf install -y for-dnf", "of this machine: no-such-package"];
    assert!(known.iter().any(|command| said.ends_with(command)), "{said}");
}

#[test]
fn missing_and_unknown_inputs_are_named() {
    let error = plan(WHOLE, &[]).map(|_| ()).unwrap_err().to_string();
    assert_eq!(error, "input `package`: is missing; give a value of type nvr");
    let error = plan(WHOLE, &[("package", "a-1-1"), ("pkg", "x")]).map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("input `pkg`: the task has no such input; it has: package, arch"), "{error}");
}

#[test]
fn a_manifest_that_differs_from_the_declaration_says_where() {
    let manifest = Manifest::parse(WHOLE).unwrap();
    let declared = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
        pairs.iter().map(|(n, t)| ((*n).to_owned(), (*t).to_owned())).collect()
    };
    assert!(manifest.check_inputs(&declared(&[("package", "nvr")])).is_empty(), "others have defaults");
    let differences = manifest.check_inputs(&declared(&[("arch", "string"), ("update", "update")]));
    assert_eq!(differences.len(), 3, "{differences:?}");
    assert!(differences[0].contains("`string` in the declaration and `arch` in task.toml"));
    assert!(differences[1].contains("`update: update`"));
    assert!(differences[2].contains("`package` without a default"));
}

#[test]
fn the_file_itself_may_be_hostile() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("task.toml");
    let read = || Manifest::read(dir.path()).map(|_| ()).unwrap_err();
    assert!(read().to_string().contains("there is no such file"));
    std::os::unix::fs::symlink("/etc/passwd", &file).unwrap();
    assert!(read().to_string().contains("a symbolic link"));
    fs::remove_file(&file).unwrap();
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mknodat(rustix::fs::CWD, &file, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    assert!(read().to_string().contains("a pipe"));
    fs::remove_file(&file).unwrap();
    fs::write(&file, vec![b'#'; 1 << 20]).unwrap();
    assert!(read().to_string().contains("larger than"));
    fs::write(&file, b"\xff\xfe").unwrap();
    assert!(read().to_string().contains("not UTF-8"));
    fs::write(&file, format!("x = {}", "[".repeat(100_000))).unwrap();
    assert_eq!(read().class(), ErrorClass::Permanent);
    fs::write(&file, "a.".repeat(50_000) + "b = 1").unwrap();
    assert_eq!(read().class(), ErrorClass::Permanent);
}
