//! Messages a second from the bus to the committed decision: `cargo bench --bench end-to-end`.
//!
//! Comes in: nothing but the number of messages (`TASKBOT_MESSAGES`, 50 000) and, as arguments, parts of the names of the cases
//! that are wanted. Goes out: a table in Markdown. The real daemon runs as its own process, with SQLite on disk and every commit
//! synced; libzmq and pika publish. ZeroMQ: the publisher sends as fast as it can, once without a high-water mark (its messages
//! wait in its memory) and once with libzmq's own of 1 000 (what does not fit is lost). AMQP: the queue is full before the daemon
//! starts. No run is carried out: the only slot is held by a task that sleeps. Time is from the first commit that is seen to the
//! last; processor time is that of the daemon and its worker, which other load on the machine changes less.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::indexing_slicing, reason = "a bench")]

#[path = "../../tests/support/mod.rs"]
mod support;
mod workload;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use support::broker::Broker;
use support::process::{Running, descendants};
use support::site::{Site, project};
use support::{eventually, free_port, has_program, python};
use taskbot_runtime::store::Reader;
use workload::Bus;

const PATIENCE: Duration = Duration::from_secs(600);
/// Nothing more was committed for so long: what is missing is lost.
const QUIET: Duration = Duration::from_secs(3);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// One row of the table.
struct Case {
    bus: Bus,
    /// ZeroMQ: messages that wait in the publisher's memory for the subscriber; 0: as many as there are.
    high_water_mark: u32,
    rules: Rules,
    cores: Cores,
}

#[derive(Clone, Copy)]
enum Rules {
    Project,
    Generated(usize),
}

#[derive(Clone, Copy, PartialEq)]
enum Cores {
    One,
    All,
}

impl Case {
    fn name(&self) -> String {
        let bus = match (self.bus, self.high_water_mark) {
            (Bus::Amqp, _) => "AMQP".to_owned(),
            (Bus::Fedmsg, 0) => "ZeroMQ".to_owned(),
            (Bus::Fedmsg, mark) => format!("ZeroMQ, mark {mark}"),
        };
        let rules = match self.rules {
            Rules::Project => "rules.tb".to_owned(),
            Rules::Generated(count) => count.to_string(),
        };
        let cores = if self.cores == Cores::One { "one" } else { "all" };
        format!("{bus} | {rules} | {cores}")
    }
}

/// What was measured.
struct Measured {
    messages: i64,
    lost: i64,
    fired: i64,
    seconds: f64,
    /// Processor time of the daemon, and of its worker.
    busy: [Duration; 2],
}

fn main() {
    let count = std::env::var("TASKBOT_MESSAGES").map_or(50_000, |text| text.parse().unwrap());
    let wanted: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let (Some(zmq), Some(pika)) = (python::environment("fedmsg"), python::environment("fedora-messaging"))
    else {
        return;
    };
    let Some(broker) = Broker::start() else { return };
    println!("{count} messages each; µs are processor time for one message\n");
    println!("| from | rules | cores | messages/s | µs daemon | µs worker | fired | lost |");
    println!("| --- | --- | --- | --: | --: | --: | --: | --: |");
    for case in cases().iter().filter(|case| wanted.iter().all(|word| case.name().contains(word.as_str()))) {
        let python = if case.bus == Bus::Fedmsg { &zmq } else { &pika };
        let Measured { messages, lost, fired, seconds, busy } = measure(case, count, python, &broker);
        let messages = messages as f64;
        let each = busy.map(|busy| busy.as_secs_f64() * 1e6 / messages);
        println!(
            "| {} | {:.0} | {:.1} | {:.1} | {:.1} % | {lost} |",
            case.name(),
            messages / seconds,
            each[0],
            each[1],
            fired as f64 * 100.0 / messages
        );
    }
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let cores: &[Cores] =
        if has_program("taskset", &["--version"]) { &[Cores::One, Cores::All] } else { &[Cores::All] };
    for (bus, high_water_mark) in [(Bus::Fedmsg, 0), (Bus::Amqp, 0), (Bus::Fedmsg, 1000)] {
        for rules in [Rules::Project, Rules::Generated(1_000), Rules::Generated(10_000)] {
            let cores = cores.iter().copied();
            cases.extend(cores.map(|cores| Case { bus, high_water_mark, rules, cores }));
        }
    }
    cases
}

fn measure(case: &Case, count: usize, python: &Path, broker: &Broker) -> Measured {
    let site = Site::new();
    let recording = site.path("messages");
    workload::write(&recording, case.bus, count);
    let port = free_port();
    let source = match case.bus {
        Bus::Fedmsg => format!("kind = \"fedmsg\"\nendpoints = [\"tcp://127.0.0.1:{port}\"]"),
        Bus::Amqp => format!("kind = \"amqp\"\nurl = \"{}\"\nqueue = \"bench\"", broker.url()),
    };
    site.configure(&format!(
        "[[source]]\n{source}\n[executor]\nparallel = 1\n[facts.\"nvr.lang\"]\ntable = \"facts.toml\"\n\
         [facts.\"nvr.arches\"]\ntable = \"facts.toml\"\n"
    ));
    site.write("facts.toml", workload::facts());
    let hold = site.task("hold", "", &[("run", "#!/bin/sh\nsleep 1000\n")]);
    let rules = match case.rules {
        Rules::Project => std::fs::read_to_string(project().join("rules.tb")).unwrap(),
        Rules::Generated(count) => workload::rules(count),
    };
    let holding =
        format!("on koji.build.completed where package.name == \"{}\" run hold\n", workload::HOLDER);
    site.write("rules.tb", format!("{rules}\n{holding}{hold}"));

    let target = match case.bus {
        Bus::Fedmsg => format!("tcp://127.0.0.1:{port}"),
        Bus::Amqp => broker.url(),
    };
    let mark = case.high_water_mark.to_string();
    let mut publisher = publish(python, &[&target, &mark, recording.to_str().unwrap()]);
    let mut told = BufReader::new(publisher.child().stdout.take().unwrap()).lines();
    if case.bus == Bus::Amqp {
        // Everything waits in the queue.
        assert_eq!(told.next().unwrap().unwrap(), "sent");
    }
    let daemon = start(&site, case.cores);
    watch(&site, &daemon, count)
}

fn publish(python: &Path, arguments: &[&str]) -> Running {
    let script: PathBuf = project().join("benches/end_to_end/publish.py");
    let mut command = Command::new(python);
    command.arg(script).args(arguments).stdin(Stdio::null()).stdout(Stdio::piped());
    let child: Child = command.spawn().unwrap();
    Running::over(child)
}

fn start(site: &Site, cores: Cores) -> Running {
    let log = std::fs::File::create(site.path("daemon.log")).unwrap();
    let binary = env!("CARGO_BIN_EXE_taskbot");
    let mut command = match cores {
        Cores::All => Command::new(binary),
        Cores::One => {
            let mut command = Command::new("taskset");
            command.args(["-c", "0", binary]);
            command
        }
    };
    command.arg("run").env_remove("RUST_LOG").current_dir(site.dir());
    Running::start(command.stdout(Stdio::null()).stderr(log))
}

/// Looks at the store until everything is committed, or nothing more comes.
fn watch(site: &Site, daemon: &Running, count: usize) -> Measured {
    let state = site.path("state");
    let reader = eventually("the store", PATIENCE, || Reader::open(&state).ok());
    let committed = |counters: &std::collections::BTreeMap<String, i64>| -> i64 {
        ["accepted", "quarantined"].iter().filter_map(|name| counters.get(*name)).sum()
    };
    let count = i64::try_from(count).unwrap();
    let (mut first, mut last) = (None, (Instant::now(), 0));
    let started = Instant::now();
    let status = loop {
        let status = reader.status().unwrap();
        let (now, done) = (Instant::now(), committed(&status.counters));
        if first.is_none() && done > 0 {
            first = Some((now, done, [daemon.id(), worker(daemon)].map(busy)));
        }
        if done > last.1 {
            last = (now, done);
        }
        if done >= count || first.is_some() && last.0.elapsed() > QUIET {
            break status;
        }
        assert!(started.elapsed() < PATIENCE, "{}", site.daemon_log());
        std::thread::sleep(LOOK_EVERY);
    };
    let (since, before, busy_before) = first.unwrap();
    let busy_after = [daemon.id(), worker(daemon)].map(busy);
    Measured {
        messages: last.1 - before,
        lost: count - last.1,
        fired: status.runs.values().sum(),
        seconds: (last.0 - since).as_secs_f64(),
        busy: [0, 1].map(|at| busy_after[at].saturating_sub(busy_before[at])),
    }
}

/// The process that subscribes over ZeroMQ; 0: there is none.
fn worker(daemon: &Running) -> u32 {
    let subscribes = |id: &u32| {
        std::fs::read(format!("/proc/{id}/cmdline"))
            .is_ok_and(|line| line.windows(10).any(|part| part == b"source-zmq"))
    };
    descendants(daemon.id()).into_iter().map(|(id, _)| id).find(subscribes).unwrap_or_default()
}

/// Processor time that a process has had, with its ended threads.
fn busy(id: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    let fields = stat.rsplit_once(')').map(|(_, rest)| rest.split_whitespace().collect::<Vec<_>>());
    let ticks = |at: usize| fields.as_ref().map_or(0, |fields| fields[at].parse::<u64>().unwrap());
    // In the system's ticks of 10 ms.
    Duration::from_millis(10 * (ticks(11) + ticks(12)))
}
