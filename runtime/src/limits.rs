//! Every bound of the running system, with unit and reason. Nothing else in the runtime holds a magic number.

use std::time::Duration;

/// Largest accepted message: the promise P07; sites may raise it to `MESSAGE_BYTES_MAX`.
pub const MESSAGE_BYTES_DEFAULT: usize = 1 << 20;
/// Largest value that `limits.message_bytes` may be set to.
pub const MESSAGE_BYTES_MAX: usize = 16 << 20;
/// Deepest nesting of a message's JSON: real ones stay under 20.
pub const MESSAGE_DEPTH: usize = 64;
/// Of a message that is set aside, how much is hashed: all of one within the default limit. Without instructions of its own for
/// SHA-256 a processor hashes some 200 MB a second, and promise P07 leaves 50 ms.
pub const FINGERPRINT_BYTES: usize = MESSAGE_BYTES_DEFAULT;
/// Of an oversized message, what is kept beside its hash.
pub const QUARANTINE_HEAD_BYTES: usize = 64 << 10;
/// Largest frame on the pipe between the daemon and a worker process: a message and its frame header.
pub const WORKER_FRAME_BYTES: usize = MESSAGE_BYTES_MAX + (64 << 10);
/// Read from a worker's pipe at once: all that Linux keeps in one.
pub const WORKER_PIPE_BYTES: usize = 64 << 10;
/// Messages judged and committed in one transaction: beyond 100 a group commit gains little (38k messages/s
/// measured).
pub const GROUP_COMMIT_MESSAGES: usize = 100;
/// Deliveries waiting between a source and the inbox: bounds memory; a full queue is back-pressure.
pub const DELIVERIES_IN_FLIGHT: usize = 256;
/// Cloning a task's repository, before the worker is killed.
pub const FETCH_DEADLINE: Duration = Duration::from_secs(300);
/// Output of a task that is kept; what is beyond is counted and cut.
pub const TASK_LOG_BYTES: u64 = 16 << 20;
/// Messages that an AMQP broker may send ahead of acknowledgements: one group that is committed, one that is judged, and
/// one on its way.
pub const AMQP_PREFETCH: u16 = 300;
/// Silence of a fedmsg endpoint after which it is connected anew: a link that died without a word is found in a
/// minute.
pub const FEDMSG_SILENCE: Duration = Duration::from_secs(60);
/// Standard input of a command: a fact's key; it has to fit into one pipe buffer.
pub const COMMAND_STDIN_BYTES: usize = 32 << 10;
/// Longest topic or message id: the longest seen are below 200.
pub const TOPIC_BYTES: usize = 1000;
/// Longest reason that is kept for a quarantined message: a few lines.
pub const REASON_CHARS: usize = 300;
/// Attempts that a crashing daemon may cut off before the run is given up: it may be the run that crashes
/// it.
pub const RUN_RESTARTS: u32 = 10;
/// Wait before the second attempt of anything; doubled with each further one.
pub const RETRY_FIRST: Duration = Duration::from_secs(2);
/// Longest wait between two attempts: a provider that is back is noticed within this time.
pub const RETRY_LONGEST: Duration = Duration::from_secs(300);
/// Statements that the store keeps compiled: it has some 90.
pub const STORE_STATEMENTS: usize = 128;
/// Jobs waiting for the store's writer: beyond it callers wait, which is the back-pressure of the disk.
pub const STORE_JOBS_WAITING: usize = 256;
/// Runs at once where the configuration says nothing.
pub const RUNS_PARALLEL_DEFAULT: usize = 2;
/// Most runs at once that a site may ask for: each is some processes and pipes of the daemon's.
pub const RUNS_PARALLEL_MAX: usize = 256;
/// Longest duration in the configuration: far beyond any use, far within what a clock can add.
pub const CONFIG_DURATION_MAX: Duration = Duration::from_secs(10 * 365 * 24 * 3600);
/// Calls of one fact's provider at once; other facts have their own.
pub const FACT_CALLS_PARALLEL: usize = 8;
/// Questions of one fact that are taken up together: the answers of a large update in a few transactions.
pub const FACT_QUESTIONS_AT_ONCE: usize = 512;
/// While answers come one by one, how long they are gathered before they are judged: a message is judged this often,
/// not once for each of its answers.
pub const FACT_GATHER: Duration = Duration::from_secs(2);
/// Messages that wait for facts, read at once at the start.
pub const PARKED_AT_ONCE: u32 = 32;
/// How long an answer of a fact provider is used, where the configuration says nothing.
pub const FACT_LIFETIME: Duration = Duration::from_secs(24 * 3600);
/// Shortest time that an answer is used: it must outlive the judging that asked for it.
pub const FACT_LIFETIME_LEAST: Duration = Duration::from_secs(10);
/// How long one call of a fact command may take, where the configuration says nothing.
pub const FACT_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a decision waits for a failing provider before it is called undecided, where the configuration says
/// nothing.
pub const FACT_DEADLINE: Duration = Duration::from_secs(3600);
/// Parcels of the outbox that are read at once.
pub const PARCELS_AT_ONCE: usize = 32;
/// How lately a file must not have been written for its time of writing to tell a further edit; that of FAT counts two
/// seconds as one.
pub const FILE_CLOCK: Duration = Duration::from_secs(3);
/// Largest answer of a fact command.
pub const FACT_ANSWER_BYTES: usize = 1 << 20;
/// How long a stopping daemon waits for commands to end: the promise P20.
pub const STOP_GRACE: Duration = Duration::from_secs(10);
/// Resolving a branch or tag to a commit.
pub const RESOLVE_DEADLINE: Duration = Duration::from_secs(60);
/// Observers that do not listen lose progress beyond this many events; nothing durable depends on them.
pub const PROGRESS_WAITING: usize = 1024;
/// Largest `task.toml`: real ones stay under 4 KiB.
pub const MANIFEST_BYTES: u64 = 256 << 10;
/// Value of one input: the kernel takes 128 KiB for one environment string.
pub const TASK_INPUT_BYTES: usize = 64 << 10;
/// Largest file of results that is read; ten thousand results with notes stay under it.
pub const RESULTS_FILE_BYTES: u64 = 4 << 20;
/// All files of results of one run together: they are held in memory while they are read.
pub const RESULTS_BYTES: u64 = 16 << 20;
/// Most remarks about what was wrong with the results of one run.
pub const RESULTS_PROBLEMS: usize = 1_000;
/// Most results of one run.
pub const RESULTS_PER_RUN: usize = 10_000;
/// Most files of results of one run: an analyzer may write one for each source file.
pub const RESULTS_FILES: usize = 1_000;
/// Longest name of a test case, item or type.
pub const RESULT_NAME_BYTES: usize = 512;
/// Longest note of a result; what is beyond is cut.
pub const RESULT_NOTE_BYTES: usize = 4 << 10;
/// Largest extra data of one result, as JSON.
pub const RESULT_DATA_BYTES: usize = 256 << 10;
/// Most artifact paths of one result.
pub const RESULT_ARTIFACTS: usize = 1_000;
/// Most places of one rule that a result of an analyzer lists: with messages cut they stay under `RESULT_DATA_BYTES`.
pub const RESULT_PLACES: usize = 100;
/// Longest list within a file of results of an analyzer; no real one that fits into `RESULTS_FILE_BYTES` is longer.
pub const RESULTS_LISTED: usize = 20_000;
/// Most tables and lists of a JSON file of results: ten thousand results with some data each.
pub const RESULTS_TABLES: usize = 100_000;
/// Most nodes of a YAML file of results, single values among them: ten thousand results with a dozen keys each.
pub const RESULTS_YAML_NODES: usize = 300_000;
/// Most attributes of one XML element: each is compared with all before it.
pub const RESULTS_XML_ATTRIBUTES: usize = 100;
/// Deepest nesting of a results file.
pub const RESULTS_DEPTH: usize = 64;
/// Artifacts of one run where its manifest does not say.
pub const ARTIFACTS_BYTES_DEFAULT: u64 = 2 << 30;
/// Most artifact files of one run.
pub const ARTIFACT_FILES: usize = 10_000;
/// Deepest folder of artifacts.
pub const ARTIFACT_DEPTH: usize = 32;
/// Preparing a task where its manifest does not say.
pub const PREPARE_TIMEOUT_DEFAULT: Duration = Duration::from_secs(300);
/// Running a task where its manifest does not say.
pub const RUN_TIMEOUT_DEFAULT: Duration = Duration::from_secs(3600);
/// Cleaning up after a task where its manifest does not say.
pub const CLEANUP_TIMEOUT_DEFAULT: Duration = Duration::from_secs(60);
/// Longest limit that a manifest may ask for.
pub const TASK_TIMEOUT_MAX: Duration = Duration::from_secs(7 * 24 * 3600);
/// Retries of infrastructure errors where the manifest does not say.
pub const INFRASTRUCTURE_RETRIES_DEFAULT: u32 = 2;
/// Most retries of infrastructure errors that a manifest may ask for.
pub const INFRASTRUCTURE_RETRIES_MAX: u32 = 10;
/// Most files of a task's repository that `taskbot task check` reads.
pub const LINT_FILES: usize = 10_000;
/// Largest of them; larger ones are data and no scripts.
pub const LINT_FILE_BYTES: u64 = 1 << 20;
/// Most bytes of one download.
pub const DOWNLOAD_BYTES: u64 = 8 << 30;
/// One download, before the worker is killed: a DVD image at 2 MB a second.
pub const DOWNLOAD_DEADLINE: Duration = Duration::from_secs(3600);
/// What is kept of downloads between runs: a few images, or the packages of some thousand builds.
pub const DOWNLOAD_CACHE_BYTES: u64 = 20 << 30;
/// Address space of the download worker: package lists are read one by one, unpacking one takes some tens of MiB.
pub const DOWNLOAD_ADDRESS_SPACE_BYTES: u64 = 2 << 30;
/// Open files of the download worker.
pub const DOWNLOAD_OPEN_FILES: u64 = 256;
/// Read from a server at once.
pub const DOWNLOAD_CHUNK_BYTES: usize = 64 << 10;
/// Redirects of one request: mirrors of distributions take one or two.
pub const DOWNLOAD_REDIRECTS: u32 = 5;
/// Without a byte for so long, an HTTP request has failed; git servers say that they live while they count.
pub const HTTP_SILENCE: Duration = Duration::from_secs(60);
/// How often one place is asked for the rest of a file whose connection was cut.
pub const DOWNLOAD_TRIES: usize = 5;
/// How often observers hear of a download, and how long one takes before they do.
pub const DOWNLOAD_TOLD: Duration = Duration::from_secs(5);
/// How often a worker says how far it is.
pub const PROGRESS_PAUSE: Duration = Duration::from_millis(500);
/// Largest `repomd.xml`: real ones stay under 20 KiB.
pub const REPOMD_BYTES: u64 = 1 << 20;
/// Largest file of a repository's metadata, packed or unpacked: Fedora's filelists have 700 MB.
pub const REPO_METADATA_BYTES: u64 = 2 << 30;
/// Memory for unpacking: xz -9 takes 65 MiB.
pub const UNPACK_MEMORY_BYTES: u64 = 256 << 20;
/// Largest answer of koji's hub: the largest builds have some ten thousand packages.
pub const KOJI_ANSWER_BYTES: u64 = 32 << 20;
/// Largest `images.json` of a compose: Fedora's has some 200 KB.
pub const COMPOSE_METADATA_BYTES: u64 = 8 << 20;
/// Between asking a command to end (SIGTERM) and killing it.
pub const TERM_GRACE: Duration = Duration::from_secs(3);
/// How long the processes of a command are killed again and again before they count as survivors.
pub const KILL_PATIENCE: Duration = Duration::from_secs(10);
/// How long output is read after a command and all its processes ended: only survivors can still hold the pipe.
pub const OUTPUT_LINGER: Duration = Duration::from_secs(2);
/// Processor time of one process of a task.
pub const TASK_CPU_SECONDS: u64 = 4 * 3600;
/// Address space of one process of a task; compilers with sanitizers need most of it, and only reserve it.
pub const TASK_ADDRESS_SPACE_BYTES: u64 = 16 << 30;
/// Largest file that a task may write: a DVD image.
pub const TASK_FILE_BYTES: u64 = 10 << 30;
/// Processes of the user that tasks run as, all tasks together.
pub const TASK_PROCESSES: u64 = 4096;
/// Memory of all processes of a task together, where neither its manifest nor the site says.
pub const TASK_MEMORY_BYTES: u64 = 8 << 30;
/// Disk of one run, where neither its manifest nor the site says: a DVD image twice, and as much to make it from.
pub const TASK_DISK_BYTES: u64 = 30 << 30;
/// Files of one run: a kernel's sources with all that is built from them have some 200,000.
pub const TASK_FILES: u64 = 1_000_000;
/// Directories in directories of one run; whoever looks through them or removes them holds each open on the way.
pub const TASK_DEPTH: usize = 400;
/// What fits into a task's `/tmp`, which is memory; `TMPDIR` is on the disk.
pub const TASK_TMP_BYTES: u64 = 256 << 20;
/// What fits into a task's `/dev/shm`.
pub const TASK_SHM_BYTES: u64 = 64 << 20;
/// Files in a task's `/tmp` and `/dev/shm`: each takes a kilobyte of the kernel's memory.
pub const TASK_TMP_FILES: u64 = 100_000;
/// Processes and threads of bubblewrap and the minder within a control group.
pub const MINDER_PROCESSES: u64 = 8;
/// How long podman may take to make, tell of or remove a container.
pub const PODMAN_TIMEOUT: Duration = Duration::from_secs(120);
/// How often it is looked how much of the disk a run takes.
pub const DISK_LOOK: Duration = Duration::from_millis(250);
/// Looking takes at most one part of so many of a processor's time.
pub const DISK_LOOK_SHARE: u32 = 10;
/// The user that tasks of a daemon that is root run as: `nobody`, who owns nothing.
pub const TASK_USER: u32 = 65_534;
/// Open files of one process of a task.
pub const TASK_OPEN_FILES: u64 = 1024;
/// Address space of the fetch worker: libgit2 maps pack files in windows of 1 GiB, and holds one object and its deltas.
pub const FETCH_ADDRESS_SPACE_BYTES: u64 = 3 << 30;
/// Open files of the fetch worker.
pub const FETCH_OPEN_FILES: u64 = 256;
/// What a server may say before objects come, its branches and tags: the Linux kernel has 1 MB of them.
pub const FETCH_ADVERTISED_BYTES: u64 = 64 << 20;
/// Read from a git server at once.
pub const FETCH_CHUNK_BYTES: usize = 64 << 10;
/// What is kept of repositories between runs: each is one commit without its history, where the server gives that.
pub const FETCH_CACHE_BYTES: u64 = 4 << 30;
/// Largest file that the fetch worker may write, a pack of the repository's objects.
pub const FETCH_FILE_BYTES: u64 = 1 << 30;
/// Objects in what a server sends: the Linux kernel has some 10 million, a task's repository some thousands.
pub const FETCH_OBJECTS: usize = 2_000_000;
/// Files, directories and links of a task's repository.
pub const FETCH_ENTRIES: usize = 20_000;
/// Directories in directories of a task's repository.
pub const FETCH_DEPTH: usize = 64;
/// All files of a task's repository together.
pub const FETCH_TREE_BYTES: u64 = 512 << 20;
/// Longest file name that Linux file systems take.
pub const FETCH_NAME_BYTES: usize = 255;
/// Longest target of a symbolic link (Linux: PATH_MAX).
pub const FETCH_LINK_BYTES: usize = 4095;
/// Longest URL or reference of a repository.
pub const FETCH_URL_BYTES: usize = 2000;
/// Lines of a recording that may wait for their commit.
pub const ARCHIVE_UNSETTLED: usize = 2 * DELIVERIES_IN_FLIGHT;
/// Address space of the ZeroMQ workers: some messages of the largest size, and what threads reserve.
pub const SOURCE_ADDRESS_SPACE_BYTES: u64 = 512 << 20;
/// Connecting to a publisher or broker, before it counts as unreachable.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// First pause before a link is tried again; it doubles up to `RETRY_PAUSE_MAX`.
pub const RETRY_PAUSE: Duration = Duration::from_millis(250);
/// Longest pause: a publisher that is back is found within the 30 s of promise P04.
pub const RETRY_PAUSE_MAX: Duration = Duration::from_secs(15);
/// How often the ZeroMQ worker says that it lives.
pub const WORKER_PULSE: Duration = Duration::from_secs(5);
/// Without a word for so long, the ZeroMQ worker is replaced.
pub const WORKER_SILENCE: Duration = Duration::from_secs(30);
/// Last words of a worker that are kept for the log.
pub const WORKER_STDERR_BYTES: usize = 4 << 10;
/// How long a link that was replaced is still listened to: a new subscription takes effect within it.
pub const LINK_OVERLAP: Duration = Duration::from_secs(2);
/// Largest ZeroMQ message that is read to its end, for its hash; one that is announced larger costs the link.
pub const WIRE_MESSAGE_BYTES: u64 = 256 << 20;
/// Most frames of a ZeroMQ message that is read to its end; fedmsg's have two.
pub const WIRE_MESSAGE_FRAMES: usize = 1000;
/// Largest command of ZeroMQ's protocol: those that are known stay below 300 bytes.
pub const ZMTP_COMMAND_BYTES: usize = 16 << 10;
/// Read from a link at once: 2 MiB until other links get their turn.
pub const LINK_CHUNK_BYTES: usize = 16 << 10;
/// How often a publisher is asked for a sign of life.
pub const HEARTBEAT: Duration = Duration::from_secs(8);
/// Beats that a publisher that used to answer may be silent for: it is lost with the next one, and live again
/// within the 30 s of promise P04.
pub const HEARTBEATS_SILENT: u32 = 2;
/// Silence after which TCP asks whether the peer is there: with the probes a dead one is lost after 25 s.
pub const KEEPALIVE_IDLE: Duration = Duration::from_secs(10);
/// Between two such probes.
pub const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);
/// Unanswered probes after which a connection is lost.
pub const KEEPALIVE_PROBES: u32 = 3;
/// Bytes that a peer does not acknowledge for so long cost the connection.
pub const UNACKNOWLEDGED: Duration = Duration::from_secs(25);
/// A link that lasted for so long is worth a quick retry.
pub const LINK_HELD: Duration = Duration::from_secs(2);
/// Names of publishers that are looked up at once: each thread reserves 64 MiB of address space.
pub const NAME_LOOKUPS: usize = 3;
/// How long the demonstration's publisher stays after its last message, so that it arrives.
pub const PUBLISH_LINGER: Duration = Duration::from_millis(500);
/// Most files of one download: the largest builds have some ten thousand packages.
pub const DOWNLOAD_FILES: usize = 20_000;
/// Heartbeat of a broker's connection, unless its URL says another: a dead one is found after two.
pub const AMQP_HEARTBEAT_SECONDS: u16 = 30;
/// Head start in the queue for each step of priority: a run of higher priority goes before those that were made up to so
/// long before it, and never before older ones, so none waits for ever.
pub const PRIORITY_HEAD_START: Duration = Duration::from_secs(24 * 3600);
/// What is remembered from so much later than now, or more, shows that the clock was set back; less is the time between
/// looking at the clock and the commit.
pub const CLOCK_SET_BACK: Duration = Duration::from_secs(60);
/// Held requests that are let go in one transaction.
pub const RELEASED_AT_ONCE: usize = 100;
/// How often orders that a command left are looked for.
pub const ORDERS_POLL: Duration = Duration::from_millis(500);
/// Largest file with an order.
pub const ORDER_BYTES: u64 = 64 << 10;
/// One request to a sink where the configuration says nothing.
pub const SINK_TIMEOUT: Duration = Duration::from_secs(30);
/// Largest answer of a sink's peer: a page of results with much data.
pub const SINK_ANSWER_BYTES: u64 = 32 << 20;
/// Longest wait that a sink's peer may ask for.
pub const SINK_RETRY_AFTER_MAX: Duration = Duration::from_secs(3600);
/// Largest body of a webhook: receivers commonly refuse larger ones.
pub const SINK_BODY_BYTES: usize = 1 << 20;
/// Longest file with a secret.
pub const SINK_SECRET_BYTES: u64 = 64 << 10;
/// Results of a run in one answer of ResultsDB.
pub const RESULTSDB_PAGE: usize = 100;
/// Longest key and value of a result's data in ResultsDB: PostgreSQL indexes both together, in at most 2704 bytes.
pub const RESULTSDB_KEY_BYTES: usize = 200;
/// See `RESULTSDB_KEY_BYTES`.
pub const RESULTSDB_VALUE_BYTES: usize = 2000;
/// Most values of one key: the places of one rule.
pub const RESULTSDB_VALUES: usize = 100;
/// Most keys that a result's own data brings: each is a row of ResultsDB.
pub const RESULTSDB_KEYS: usize = 100;
/// Newest runs that the index lists.
pub const INDEX_RUNS: usize = 1_000;
/// Results and files that the page of a run shows; all are in its JSON.
pub const INDEX_RESULTS: usize = 1_000;
/// Results of a run that are told as messages of their own.
pub const SINK_EVENTS: usize = 1_000;
/// Messages that the message about a run's end names as its causes.
pub const SINK_CAUSES: usize = 100;
/// Longest chain of runs in which each is asked for by what happened to the one before.
pub const CHAIN_DEPTH: u32 = 16;
/// Most events that a task emits.
pub const EMITTED_EVENTS: usize = 100;
