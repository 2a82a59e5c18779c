//! Stub.
use crate::effect::{Performed, StepOrder};
/// Stub.
#[derive(Debug)]
pub struct Performer;
impl Performer {
    /// Stub.
    pub async fn perform(
        &self,
        _order: StepOrder,
        _cancel: &tokio_util::sync::CancellationToken,
    ) -> Performed {
        Performed::Interrupted
    }
}
