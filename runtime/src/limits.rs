//! Every bound of the running system, with unit and reason. Nothing else in the runtime holds a magic number.

use std::time::Duration;

/// Largest accepted message: the promise P07; sites may raise it to `MESSAGE_BYTES_MAX`.
pub const MESSAGE_BYTES_DEFAULT: usize = 1 << 20;
/// Largest value that `limits.message_bytes` may be set to.
pub const MESSAGE_BYTES_MAX: usize = 16 << 20;
/// Deepest nesting of a message's JSON: real ones stay under 20.
pub const MESSAGE_DEPTH: usize = 64;
/// Of an oversized message, what is kept beside its hash.
pub const QUARANTINE_HEAD_BYTES: usize = 64 << 10;
/// Largest frame on the pipe between the daemon and a worker process: a message and its frame header.
pub const WORKER_FRAME_BYTES: usize = MESSAGE_BYTES_MAX + (64 << 10);
/// Messages judged and committed in one transaction: beyond 100 a group commit gains little (38k messages/s measured).
pub const GROUP_COMMIT_MESSAGES: usize = 100;
/// Deliveries waiting between a source and the inbox: bounds memory; a full queue is back-pressure.
pub const DELIVERIES_IN_FLIGHT: usize = 256;
/// Cloning a task's repository, before the worker is killed.
pub const FETCH_DEADLINE: Duration = Duration::from_secs(300);
/// Output of a task that is kept; what is beyond is counted and cut.
pub const TASK_LOG_BYTES: u64 = 16 << 20;
/// Messages that an AMQP broker may send ahead of acknowledgements: one group commit.
pub const AMQP_PREFETCH: u16 = 100;
/// Silence of a fedmsg endpoint after which it is connected anew: a link that died without a word is found in a minute.
pub const FEDMSG_SILENCE: Duration = Duration::from_secs(60);
/// Standard input of a command: a fact's key; it has to fit into one pipe buffer.
pub const COMMAND_STDIN_BYTES: usize = 32 << 10;
/// Longest topic or message id: the longest seen are below 200.
pub const TOPIC_BYTES: usize = 1000;
/// Longest reason that is kept for a quarantined message: a few lines.
pub const REASON_CHARS: usize = 300;
/// Attempts that the surroundings may fail before a run is given up, where the manifest says nothing.
pub const INFRASTRUCTURE_RETRIES: u32 = 2;
/// Attempts that a stopping or crashing daemon may cut off before the run is given up: it may be the run that crashes it.
pub const RUN_RESTARTS: u32 = 10;
/// Wait before the second attempt of anything; doubled with each further one.
pub const RETRY_FIRST: Duration = Duration::from_secs(2);
/// Longest wait between two attempts: a provider that is back is noticed within this time.
pub const RETRY_LONGEST: Duration = Duration::from_secs(300);
/// Jobs waiting for the store's writer: beyond it callers wait, which is the back-pressure of the disk.
pub const STORE_JOBS_WAITING: usize = 256;
/// Runs at once where the configuration says nothing.
pub const RUNS_PARALLEL_DEFAULT: usize = 2;
/// Questions that are put to fact providers at once.
pub const FACT_QUESTIONS_PARALLEL: usize = 8;
/// How long an answer of a fact provider is used, where the configuration says nothing.
pub const FACT_LIFETIME: Duration = Duration::from_secs(24 * 3600);
/// How long one call of a fact command may take, where the configuration says nothing.
pub const FACT_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a decision waits for a failing provider before it is called undecided, where the configuration says nothing.
pub const FACT_DEADLINE: Duration = Duration::from_secs(3600);
/// Largest answer of a fact command.
pub const FACT_ANSWER_BYTES: usize = 1 << 20;
/// How long a stopping daemon waits for commands to end: the promise P20.
pub const STOP_GRACE: Duration = Duration::from_secs(10);
/// Resolving a branch or tag to a commit.
pub const RESOLVE_DEADLINE: Duration = Duration::from_secs(60);
/// Observers that do not listen lose progress beyond this many events; nothing durable depends on them.
pub const PROGRESS_WAITING: usize = 1024;
