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
/// Bytes of a text that a regular expression, or a comparison with another text, looks at in one step of evaluation.
pub const TEXT_BYTES_PER_STEP: usize = 64;
/// Pairs of a character of a glob and one of a text that are compared in one step of evaluation.
pub const GLOB_PAIRS_PER_STEP: usize = 256;
/// Pairs of a text's bytes and a regular expression's states that are one step.
pub const PATTERN_PAIRS_PER_STEP: usize = 256;
/// Artifact format that this version writes and reads.
pub const ARTIFACT_VERSION: u32 = 5;
/// Nesting of a body's wanted part; intake's limit is lower.
pub const BODY_DEPTH: u32 = 128;
/// Literals of a set that are compared in one step of evaluation.
pub const LITERALS_PER_STEP: usize = 8;
/// Steps on one subject that are not counted towards [`STEPS_PER_RULE`]: with the most subjects they make as many.
pub const UNCOUNTED_STEPS: u64 = STEPS_PER_RULE / SUBJECTS_PER_MESSAGE as u64;
/// Fewest and most values that are kept while one message is judged.
pub const KEPT_VALUES: (usize, usize) = (32, 8_192);
/// Topics whose plan is kept: buses know some hundreds, a hostile sender any number.
pub const KEPT_PLANS: usize = 4_096;
/// Memory of a message that is kept for the next one.
pub const KEPT_MEMORY_BYTES: usize = 8 << 20;
