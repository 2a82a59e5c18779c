//! The pause between tries of a link: short at first, doubled up to a bound, short again once the link held.

use std::time::Duration;

use crate::limits;

/// The next pause.
#[derive(Debug)]
pub(crate) struct Pause(Duration);

impl Pause {
    /// For a link that was not tried yet.
    pub(crate) const fn new() -> Self {
        Self(limits::RETRY_PAUSE)
    }

    /// The pause to make now.
    pub(crate) fn next(&mut self) -> Duration {
        let now = self.0;
        self.0 = (now * 2).min(limits::RETRY_PAUSE_MAX);
        now
    }

    /// The link held.
    pub(crate) fn reset(&mut self) {
        *self = Self::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_doubles_up_to_its_bound() {
        let mut pause = Pause::new();
        let pauses: Vec<Duration> = std::iter::repeat_with(|| pause.next()).take(20).collect();
        assert_eq!(pauses.first(), Some(&limits::RETRY_PAUSE));
        assert!(pauses.windows(2).all(|pair| matches!(pair, [a, b] if a <= b)));
        assert_eq!(pauses.last(), Some(&limits::RETRY_PAUSE_MAX));
        pause.reset();
        assert_eq!(pause.next(), limits::RETRY_PAUSE);
    }
}
