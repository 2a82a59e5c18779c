//! Bounds of the graph, with unit and reason.

/// Nesting of expressions; the language's own nesting limit is lower, so only a forged artifact exceeds it.
pub const EXPR_DEPTH: usize = 256;
/// Runs that one rule may ask for on one message: a matrix over hostile lists must not flood the store. Counted for each
/// rule alone, so that none can take another's.
pub const RUNS_PER_RULE: usize = 25_000;
/// Steps of evaluation that one rule may take on one message, all its subjects together: a hostile message must not hold
/// the matcher for more than about a second. Real ones take some thousands.
pub const STEPS_PER_RULE: u64 = 5_000_000;
/// Subjects of one message: Fedora's largest updates hold about 3 500 builds.
pub const SUBJECTS_PER_MESSAGE: usize = 20_000;
/// Elements of one list that some rule reads: far above the largest update (about 3 500 builds).
pub const LIST_ELEMENTS: usize = 100_000;
/// Compiled size of one regular expression in bytes: a few kilobytes are usual, `\w{1000}` exceeds it.
pub const PATTERN_BYTES: usize = 1 << 20;
/// Characters of a text that a regular expression looks at in one step of evaluation.
pub const PATTERN_CHARS_PER_STEP: usize = 64;
/// Artifact format that this version writes and reads.
pub const ARTIFACT_VERSION: u32 = 2;
