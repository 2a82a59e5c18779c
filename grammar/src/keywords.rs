//! The words and signs of the language, for whoever colours, completes or describes it.
//!
//! Nothing comes in. Goes out: tables. A test compares them with the normative grammar, the highlighting grammar and the
//! reference, so that none of the four can say another thing.

pub use crate::token::{CONTEXTUAL_KEYWORDS, ITEM_KEYWORDS};

/// No names where a value may begin. Everywhere else, and all other words everywhere, are names where a name may stand.
pub const RESERVED: [&str; 21] = [
    "absent", "all", "and", "any", "else", "except", "false", "for", "has", "in", "is", "like", "matches",
    "none", "not", "null", "on", "or", "run", "true", "where",
];
/// Words of a rule's windows and limits.
pub const CLAUSE_WORDS: [&str; 14] = [
    "after",
    "at",
    "group",
    "limit",
    "loop",
    "may",
    "most",
    "once",
    "per",
    "priority",
    "quiet",
    "superseding",
    "timeout",
    "within",
];
/// Words in the bodies of declarations.
pub const BODY_WORDS: [&str; 12] = [
    "at",
    "body",
    "deprecated",
    "dialect",
    "each",
    "emits",
    "happening",
    "identity",
    "key",
    "repository",
    "topic",
    "within",
];
/// Words of tests.
pub const TEST_WORDS: [&str; 7] = ["expect", "from", "given", "no", "nothing", "quarantine", "with"];
/// Words that stand before a bracket as if they were called.
pub const CALLED_WORDS: [&str; 4] = ["all", "any", "count", "none"];
/// Signs between two values.
pub const OPERATORS: [&str; 6] = ["==", "!=", "<", "<=", ">", ">="];
/// All other signs.
pub const SIGNS: [&str; 12] = ["(", ")", "[", "]", "{", "}", ",", ".", ":", "=", "?", "_"];
/// Units of durations.
pub const UNITS: [&str; 5] = ["ms", "s", "m", "h", "d"];

/// All words of the language.
pub fn words() -> impl Iterator<Item = &'static str> {
    let tables: [&'static [&'static str]; 7] = [
        &ITEM_KEYWORDS,
        &CONTEXTUAL_KEYWORDS,
        &RESERVED,
        &CLAUSE_WORDS,
        &BODY_WORDS,
        &TEST_WORDS,
        &CALLED_WORDS,
    ];
    tables.into_iter().flatten().copied()
}
