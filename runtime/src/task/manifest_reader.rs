//! placeholder
use super::manifest::{Manifest, Problem};
pub(super) fn parse(_text: &str) -> Result<Manifest, Vec<Problem>> {
    todo!()
}
