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
/// Most files of results of one run.
pub const RESULTS_FILES: usize = 100;
/// Longest name of a test case, item or type.
pub const RESULT_NAME_BYTES: usize = 512;
/// Longest note of a result; what is beyond is cut.
pub const RESULT_NOTE_BYTES: usize = 4 << 10;
/// Largest extra data of one result, as JSON.
pub const RESULT_DATA_BYTES: usize = 256 << 10;
/// Most artifact paths of one result.
pub const RESULT_ARTIFACTS: usize = 1_000;
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
/// Most bytes of one download.
pub const DOWNLOAD_BYTES: u64 = 8 << 30;
/// Most files of one download: the largest builds have some ten thousand packages.
pub const DOWNLOAD_FILES: usize = 20_000;
