//! The matcher.

use crate::fact::Facts;
use crate::graph::Graph;
use crate::judgement::Judgement;

/// Judges one message: `topic` without prefix and environment (see [`crate::TopicFilter`]), `body` as intake validated it.
/// Never fails: what cannot be judged is in the judgement, with its reason.
pub fn judge(_graph: &Graph, _topic: &str, _body: &[u8], _facts: &dyn Facts) -> Judgement {
    Judgement::default()
}
