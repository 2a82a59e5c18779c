//! The outbox: parcels that wait, are tried again, are parked, and hold nobody else up.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::SystemTime;

use serde_json::json;
use taskbot_runtime::admission::{Arrival, windows::Windows};
use taskbot_runtime::config::Config;
use taskbot_runtime::dispatch::{self, Effect, Input, Progress, Transition};
use taskbot_runtime::effect::{Effects, Performed, StepOrder, Timestamp};
use taskbot_runtime::sink::{self, Outbox};
use taskbot_runtime::store::{Admitted, Released, RunId, SinkRow, Store, StoreError};
use tokio_util::sync::CancellationToken;

use super::asking::{Bench, at, request, run};
use super::http_server::{Answer, Server};
use super::support;

/// The outbox only looks at the clock.
struct Clock;

impl Effects for Clock {
    fn now(&self) -> Timestamp {
        SystemTime::now().into()
    }
    fn roll(&self) -> u64 {
        0
    }
    async fn admit(&self, _: Vec<Arrival>) -> Result<Vec<Admitted>, StoreError> {
        unreachable!()
    }
    async fn release(&self, _: Timestamp) -> Result<Released, StoreError> {
        unreachable!()
    }
    async fn record(&self, _: RunId, _: Transition) -> Result<Progress, StoreError> {
        unreachable!()
    }
    async fn perform(&self, _: StepOrder, _: &CancellationToken) -> Performed {
        unreachable!()
    }
}

/// A store with runs that are over, and what a daemon does with their parcels.
struct Site {
    bench: Bench,
    config: Config,
}

impl Site {
    /// Two runs of `look` that were cancelled, and these sinks.
    async fn new(sinks: &str) -> Self {
        let config = Config::parse(sinks, Path::new("/etc/taskbot.toml")).unwrap();
        let names: Arc<[String]> = config.sinks.iter().map(|sink| sink.name().to_owned()).collect();
        let bench = Bench::new();
        for number in 1..=2 {
            bench.tell(number, vec![run(&format!("p{number}"), vec![request("r", Windows::default())])]);
            let run = RunId(i64::try_from(number).unwrap());
            bench.store.ask_cancel(run, "not wanted".into(), at(3)).await.unwrap();
            let (_, effects) = dispatch::step(Progress::new(), Input::Cancelled, at(4), 0);
            let Some(Effect::Record(transition)) = effects.into_iter().next() else { unreachable!() };
            bench.store.record(run, *transition, Arc::clone(&names)).await.unwrap();
        }
        Self { bench, config }
    }

    /// One life of the outbox, until each parcel was tried.
    async fn empty(&self) {
        let over = CancellationToken::new();
        over.cancel();
        let outbox = Outbox {
            effects: Clock,
            store: Store::clone(&self.bench.store),
            state_dir: self.bench.dir.path().to_owned(),
            sinks: self.config.sinks.clone(),
            workers: support::worker(),
            wake: Arc::default(),
            stop: CancellationToken::new(),
            no_more: over,
        };
        sink::serve(outbox).await.unwrap();
    }

    /// What waits for a sink, as `taskbot status` tells it.
    fn waits(&self, name: &str) -> Option<SinkRow> {
        self.bench.reader().status().unwrap().sinks.into_iter().find(|row| row.sink == name)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sink_that_fails_holds_no_other_up_and_says_why() {
    let server = Server::start(|request| match request.path.as_str() {
        "/bad" => Answer::Json(422, json!({"message": "not like this"})),
        "/down" => Answer::Json(500, json!({"message": "down"})),
        _ => Answer::Json(200, json!({})),
    });
    let mute = Server::start(|_| Answer::Mute);
    let hook = |name: &str, url: &str| {
        format!("[[sink]]\nkind = \"webhook\"\nname = \"{name}\"\nurl = \"{url}/{name}\"\ntimeout = \"1s\"\n")
    };
    let url = &server.url;
    let site = Site::new(
        &[hook("mute", &mute.url), hook("bad", url), hook("down", url), hook("good", url)].concat(),
    )
    .await;
    site.empty().await;
    let bad = site.waits("bad").unwrap();
    assert_eq!((bad.waiting, bad.parked, bad.next), (0, 2, None));
    assert!(bad.last_error.as_deref().unwrap().contains("not like this"), "{bad:?}");
    for (name, why) in [("down", "answered 500"), ("mute", "no answer in time")] {
        let row = site.waits(name).unwrap();
        assert_eq!((row.waiting, row.parked), (2, 0));
        assert!(row.next.is_some() && row.last_error.as_deref().unwrap().contains(why), "{row:?}");
    }
    assert!(site.waits("good").is_none());
    assert_eq!(site.bench.reader().status().unwrap().outbox, 4, "what is parked does not wait");
    let asked = |path: &str| server.requests().iter().filter(|request| request.path == path).count();
    assert_eq!((asked("/good"), asked("/bad")), (2, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_parked_is_tried_again_by_the_next_start() {
    let refused = AtomicUsize::new(0);
    let server = Server::start(move |_| match refused.fetch_add(1, Ordering::SeqCst) {
        0 | 1 => Answer::Json(400, json!({})),
        _ => Answer::Json(200, json!({})),
    });
    let site = Site::new(&format!("[[sink]]\nkind = \"webhook\"\nurl = \"{}\"\n", server.url)).await;
    site.empty().await;
    assert_eq!(site.waits("webhook").unwrap().parked, 2);
    site.empty().await;
    assert_eq!(site.waits("webhook"), None);
    let requests = server.requests();
    let keys: Vec<_> = requests.iter().map(|asked| asked.header("idempotency-key").unwrap()).collect();
    assert_eq!((keys.len(), keys[0], keys[1]), (4, keys[2], keys[3]), "the same runs, told by the same keys");
    site.empty().await;
    assert_eq!(server.requests().len(), 4, "what was delivered is not told again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sink_is_told_only_what_it_wants() {
    let server = Server::start(|_| Answer::Json(200, json!({})));
    let hook = |name: &str, only: &str| {
        let url = &server.url;
        format!(
            "[[sink]]\nkind = \"webhook\"\nname = \"{name}\"\nurl = \"{url}/{name}\"\nonly = {{ {only} }}\n"
        )
    };
    let sinks = [
        hook("task", "tasks = [\"look\"]"),
        hook("other", "tasks = [\"other\"]"),
        hook("failed", "outcomes = [\"FAILED\"]"),
    ];
    let site = Site::new(&sinks.concat()).await;
    site.empty().await;
    let paths: Vec<_> = server.requests().into_iter().map(|request| request.path).collect();
    assert_eq!(paths, ["/task", "/task"], "a run without results has none that failed");
    assert!(site.bench.reader().status().unwrap().sinks.is_empty(), "what is not wanted does not wait");
}
