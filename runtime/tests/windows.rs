//! Windows with their memory: what the store makes of requests, also late, also after a restart, against naive models.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::unreachable, reason = "tests")]

mod asking;

use std::collections::BTreeSet;
use std::sync::Arc;

use asking::{Bench, at, at_most, of_happening, once, quiet, request, run, superseding};
use futures::executor::block_on;
use proptest::prelude::*;
use taskbot_runtime::admission::WantedRun;
use taskbot_runtime::admission::windows::Windows;
use taskbot_runtime::dispatch::{self, Effect, Input, Progress, RunState};
use taskbot_runtime::store::RunId;

/// What rule `r` asks for with these windows.
fn asks(windows: &Windows) -> Vec<WantedRun> {
    vec![run("a", vec![request("r", windows.clone())])]
}

#[test]
fn each_rule_decides_over_its_own_request() {
    let bench = Bench::new();
    let both = || vec![run("a", vec![request("free", Windows::default()), request("r", once("k", 60))])];
    assert_eq!(bench.tell(0, both()).new_runs.len(), 1);
    assert_eq!(bench.tell(10, both()).new_runs.len(), 1, "the rule without a window asks again");
    let runs = bench.runs();
    assert_eq!((runs[0].rules.len(), &runs[1].rules), (2, &vec!["free".to_owned()]));
    assert_eq!(bench.states(), ["through", "once"]);
    let refused = bench.reader().requests_of_message("m2").unwrap().remove(0);
    assert_eq!((refused.rule.as_str(), refused.instead.as_deref()), ("r", Some("m1")));
    assert!(bench.reader().log(10).unwrap().iter().any(|line| line.text.contains("once per k")));
}

#[test]
fn subjects_of_one_message_and_messages_of_one_happening_are_one_asking() {
    let bench = Bench::new();
    let window = || vec![request("r", once("k", 60))];
    assert_eq!(bench.tell(0, vec![run("a", window()), run("b", window())]).new_runs.len(), 2);
    let told = || vec![of_happening("h", run("a", vec![request("s", once("k", 60))]))];
    assert_eq!(bench.tell(1, told()).new_runs.len(), 1);
    let again = bench.tell(2, told());
    assert_eq!((again.new_runs.len(), again.merged_runs), (0, 1));
    assert_eq!(bench.reader().run(3).unwrap().unwrap().reasons.len(), 2);
    assert_eq!(bench.states(), ["through", "through", "through"]);
}

#[test]
fn an_older_message_that_is_decided_late_gets_what_its_place_deserves() {
    for (windows, before, late) in [
        (once("k", 60), "through", "once"),
        (quiet("k", 60), "quiet", "replaced"),
        (superseding("k"), "through", "superseded"),
    ] {
        let bench = Bench::new();
        let older = bench.park(0);
        bench.tell(10, asks(&windows));
        let decided = bench.decide(older, 20, asks(&windows));
        assert_eq!((decided.new_runs.len(), decided.superseded), (0, 0), "{windows:?}");
        let states = [bench.state("m1"), bench.state("m2")];
        assert_eq!(states, [late, before], "{windows:?}");
        // Judged once more, as after another answer: nothing changes.
        bench.decide(older, 30, asks(&windows));
        assert_eq!([bench.state("m1"), bench.state("m2")], states, "{windows:?}");
        bench.release(100);
        assert_eq!(bench.runs().len(), 1, "{windows:?}");
    }
    // Nothing newer: what was quiet long enough while it waited for facts runs at once.
    let bench = Bench::new();
    let older = bench.park(0);
    assert_eq!(bench.decide(older, 200, asks(&quiet("k", 60))).new_runs.len(), 1);
}

#[test]
fn what_is_held_survives_a_restart_and_is_let_go_once() {
    let mut bench = Bench::new();
    let windows = Windows { once: once("k", 3600).once, ..quiet("k", 60) };
    assert_eq!(bench.tell(0, asks(&windows)).held, 1);
    bench.restart();
    assert_eq!(bench.tell(50, asks(&windows)).held, 1);
    bench.restart();
    let early = bench.release(109);
    assert_eq!((early.new_runs.len(), early.next), (0, Some(at(110))));
    let held = bench.reader().status().unwrap().held;
    assert_eq!((held[0].window.as_str(), held[0].requests, held[0].next), ("quiet", 1, Some(at(110))));
    let due = bench.release(110);
    assert_eq!((due.new_runs.len(), due.next), (1, None));
    bench.restart();
    assert_eq!(bench.release(200).new_runs.len(), 0);
    // The window of `once` counts what came out of `quiet`, also after a restart.
    bench.tell(300, asks(&windows));
    assert_eq!(bench.release(400).new_runs.len(), 0);
    assert_eq!(bench.states(), ["replaced", "through", "once"]);
}

#[test]
fn a_storm_is_held_in_order_told_once_and_let_go_as_there_is_room() {
    let bench = Bench::new();
    for second in 0..7 {
        bench.tell(second, asks(&at_most(2, 60)));
    }
    assert_eq!(bench.runs().len(), 2);
    let held = bench.reader().status().unwrap().held;
    assert_eq!((held[0].window.as_str(), held[0].requests, held[0].next), ("at-most", 5, Some(at(60))));
    let first = bench.release(60);
    assert_eq!((first.new_runs.len(), first.next), (1, Some(at(61))));
    assert_eq!(bench.release(61).new_runs.len(), 1);
    assert_eq!(bench.states()[..5], ["through", "through", "through", "through", "at-most"]);
    let by_hand = block_on(bench.store.release_now(Some("other".into()), at(62))).unwrap();
    assert_eq!(by_hand.new_runs.len(), 0);
    let by_hand = block_on(bench.store.release_now(Some("r".into()), at(62))).unwrap();
    assert_eq!((by_hand.new_runs.len(), by_hand.next), (3, None));
    assert_eq!(bench.tell(70, asks(&at_most(2, 60))).held, 1, "what was let go by hand counts");
    let log: Vec<String> = bench.reader().log(100).unwrap().into_iter().map(|line| line.text).collect();
    let told = |what: &str| log.iter().filter(|text| text.contains(what)).count();
    assert_eq!(
        (told("asks for more than 2 runs in 60 s"), told("5 request(s) were held")),
        (2, 1),
        "{log:#?}"
    );
}

#[test]
fn a_clock_that_is_set_back_holds_nothing_for_longer_than_its_window() {
    let bench = Bench::new();
    for second in [100_000, 100_001] {
        bench.tell(second, vec![run("a", vec![request("few", at_most(1, 60))])]);
        bench.tell(second, vec![run("b", vec![request("calm", quiet("k", 60))])]);
    }
    let back = bench.release(10);
    assert_eq!((back.new_runs.len(), back.next), (0, Some(at(70))));
    assert_eq!(bench.release(70).new_runs.len(), 2);
}

#[test]
fn superseding_cancels_exactly_what_is_replaced() {
    let bench = Bench::new();
    let key = |key| vec![request("r", superseding(key))];
    let mut axes = run("axes", key("k"));
    axes.asks[0].axes = "[\"x86_64\"]".into();
    let mut shared = run("shared", key("k"));
    shared.asks.push(request("other", Windows::default()));
    let mut hoped = run("hoped", key("k"));
    hoped.asks.push(request("calm", quiet("k", 600)));
    let other_task = WantedRun { task: "analyse".into(), ..run("task", key("k")) };
    let older = vec![run("same", key("k")), run("key", key("other")), axes, shared, hoped, other_task];
    bench.tell(0, older);
    bench.tell(1, vec![run("elsewhere", vec![request("s", superseding("k"))])]);
    let newer = bench.tell(2, vec![run("new", key("k"))]);
    assert_eq!((newer.new_runs.len(), newer.superseded), (1, 1));
    let cancelled = block_on(bench.store.cancelled_runs()).unwrap();
    assert_eq!(cancelled.iter().map(|run| run.key.as_str()).collect::<Vec<_>>(), ["look(same)"]);
    let due = block_on(bench.store.due_runs(at(3), Vec::new(), 100)).unwrap();
    assert!(!due.iter().any(|run| run.key == "look(same)"), "it does not start any more");
    assert_eq!(due.len(), 7);
    // Another rule wants it after all: the word is taken back.
    bench.decide(1, 4, vec![run("same", vec![request("late", Windows::default())])]);
    assert!(block_on(bench.store.cancelled_runs()).unwrap().is_empty());
    assert_eq!(block_on(bench.store.due_runs(at(5), Vec::new(), 100)).unwrap().len(), 8);
}

#[test]
fn a_cancellation_outlives_a_restart_and_is_asked_for_once() {
    let mut bench = Bench::new();
    bench.tell(0, asks(&Windows::default()));
    let ask = |bench: &Bench, run| block_on(bench.store.ask_cancel(RunId(run), "why".into(), at(1))).unwrap();
    assert_eq!((ask(&bench, 1), ask(&bench, 1), ask(&bench, 7)), (true, false, false));
    bench.restart();
    assert_eq!(block_on(bench.store.cancelled_runs()).unwrap().len(), 1);
}

#[test]
fn a_superseded_run_that_another_rule_wants_goes_back_to_the_queue() {
    let bench = Bench::new();
    bench.tell(0, vec![run("a", vec![request("r", superseding("k"))])]);
    bench.tell(1, vec![run("b", vec![request("r", superseding("k"))])]);
    let end = || {
        let (_, effects) = dispatch::step(Progress::new(), Input::Cancelled, at(2), 0);
        let Some(Effect::Record(transition)) = effects.into_iter().next() else { unreachable!() };
        block_on(bench.store.record(RunId(1), *transition, Arc::from(["sink".to_owned()]))).unwrap()
    };
    assert_eq!(end().note.as_deref(), Some("superseded by run 2"));
    let state = || (bench.runs()[0].state.clone(), bench.reader().status().unwrap().outbox);
    assert_eq!(state(), ("cancelled".into(), 1));
    let other = |rule| vec![run("a", vec![request(rule, Windows::default())])];
    bench.decide(1, 3, other("late"));
    assert_eq!(state(), ("queued".into(), 0), "its end is told when it has one");
    // While it was ending, the word was taken back.
    assert_eq!((end().state, end().attempt), (RunState::Queued, 2));
    assert_eq!(state(), ("queued".into(), 0));
}

/// A message: seconds after the one before, its key, and how long after its arrival it is decided.
type Told = (u64, u8, u64);

fn messages() -> impl Strategy<Value = Vec<Told>> {
    let late = prop_oneof![3 => Just(0), 1 => 1_u64..60];
    prop::collection::vec((1_u64..40, 0_u8..2, late), 1..14)
}

/// Arrivals in order, each with its key and when it is decided. Times are kept apart: arrivals are even, late decisions
/// are odd.
fn timeline(told: &[Told]) -> Vec<(u64, u8, u64)> {
    let mut now = 0;
    let mut seen = BTreeSet::new();
    let place = |(gap, key, late): &Told| {
        now += 2 * gap;
        let mut decided = if *late == 0 { now } else { now + 2 * late + 1 };
        while !seen.insert(decided) {
            decided += 2;
        }
        (now, *key, decided)
    };
    told.iter().map(place).collect()
}

/// Plays a timeline with a timer that is always on time; gives each message's state, and when each run was made.
fn play(told: &[(u64, u8, u64)], window: impl Fn(u8) -> Windows) -> (Vec<String>, Vec<u64>) {
    let bench = Bench::new();
    let mut events: Vec<(u64, usize, bool)> = Vec::new();
    for (n, (arrives, _, decided)) in told.iter().enumerate() {
        events.push((*arrives, n, true));
        events.push((*decided, n, false));
    }
    events.sort_by_key(|(time, n, arrives)| (*time, *n, !arrives));
    let mut rows = vec![0; told.len()];
    let mut next = bench.release(0).next;
    let mut wait = |until: Option<u64>| {
        while let Some(due) = next.filter(|due| until.is_none_or(|until| *due <= at(until))) {
            next = block_on(bench.store.release(due)).unwrap().next;
            assert!(next.is_none_or(|next| next > due), "time goes on");
        }
        if let Some(until) = until {
            next = bench.release(until).next;
        }
    };
    for (time, n, arrives) in events {
        wait(Some(time));
        if arrives {
            rows[n] = bench.park(time);
        } else {
            bench.decide(rows[n], time, vec![run("a", vec![request("r", window(told[n].1))])]);
        }
        wait(Some(time));
    }
    wait(None);
    let made = bench.runs().iter().map(|run| run.created_at.since(at(0)).as_secs()).collect();
    (bench.states(), made)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn once_is_what_a_replay_in_the_order_of_arrival_gives(told in messages()) {
        let told = timeline(&told);
        let (states, _) = play(&told, |key| once(&format!("k{key}"), 60));
        let through = |n: &usize| states[*n] == "through";
        let near = |a: usize, b: usize| told[a].1 == told[b].1 && told[a].0.abs_diff(told[b].0) <= 60;
        // The naive model: in the order of decisions, which is that of arrival unless facts came late.
        let mut order: Vec<usize> = (0..told.len()).collect();
        order.sort_by_key(|n| (told[*n].2, *n));
        let mut passed: Vec<usize> = Vec::new();
        for n in order {
            let refused = passed.iter().any(|p| near(*p, n));
            prop_assert_eq!(through(&n), !refused, "message {} of {:?}: {:?}", n, told, states);
            if !refused {
                passed.push(n);
            }
        }
    }

    #[test]
    fn quiet_is_what_a_replay_in_the_order_of_arrival_gives(told in messages()) {
        let told = timeline(&told);
        let (states, made) = play(&told, |key| quiet(&format!("k{key}"), 30));
        let mut expected = Vec::new();
        for (n, (arrives, key, decided)) in told.iter().enumerate() {
            let goes = (arrives + 30).max(*decided);
            let replaced = told[n + 1..]
                .iter()
                .any(|(later, k, decided)| k == key && *later < arrives + 30 && *decided < goes);
            prop_assert_eq!(states[n] == "through", !replaced, "message {} of {:?}: {:?}", n, told, states);
            if !replaced {
                expected.push(goes);
            }
        }
        expected.sort_unstable();
        prop_assert_eq!(made, expected, "{:?}", told);
    }

    #[test]
    fn at_most_is_a_queue_with_a_sliding_window(told in messages(), runs in 1_u32..4) {
        let in_time: Vec<Told> = told.iter().map(|(gap, key, _)| (*gap, *key, 0)).collect();
        let told = timeline(&in_time);
        let (states, made) = play(&told, |_| at_most(runs, 50));
        let mut expected: Vec<u64> = Vec::new();
        for (n, (arrives, _, _)) in told.iter().enumerate() {
            let room = n.checked_sub(runs as usize).map_or(0, |before| expected[before] + 50);
            expected.push((*arrives).max(room).max(expected.last().copied().unwrap_or(0)));
        }
        prop_assert!(states.iter().all(|state| state == "through"), "nothing is dropped");
        prop_assert_eq!(made, expected, "{:?}", told);
    }
}
