//! What a retry looks at: every error of the runtime says which of four classes it is.
//!
//! Comes in: nothing. Goes out: the class. It never decides how often or when: that is dispatch.

/// Whether trying again can help, and who has to act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorClass {
    /// The same call may succeed later: network, a busy machine, a provider that is down.
    Transient,
    /// The same call will fail again until somebody changes something: a missing tool, a refused URL.
    Permanent,
    /// The input itself is unusable and must be set aside: a message or result that cannot be read.
    Poison,
    /// The daemon must stop: its store or configuration cannot be trusted any more.
    Fatal,
}
