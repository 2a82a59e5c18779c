//! Fingerprints: by which a message that was set aside is known again.
//!
//! Comes in: its bytes, whole or piece by piece. Goes out: the lower-case hex SHA-256 of them; of a larger message than
//! `limits::FINGERPRINT_BYTES`, of its first bytes up to there, since refusing it must not take longer the more of it
//! there is. `head -c 1048576 MESSAGE | sha256sum` gives the same. It is no identity of what is accepted: that is
//! hashed whole.

use sha2::{Digest, Sha256};

use crate::limits;

/// A fingerprint that is being taken.
#[derive(Clone, Debug)]
pub(crate) struct Fingerprint {
    hash: Sha256,
    left_bytes: usize,
}

impl Fingerprint {
    /// Of nothing yet.
    pub(crate) fn new() -> Self {
        Self { hash: Sha256::new(), left_bytes: limits::FINGERPRINT_BYTES }
    }

    /// Of a whole message.
    pub(crate) fn of(bytes: &[u8]) -> String {
        let mut fingerprint = Self::new();
        fingerprint.add(bytes);
        fingerprint.finish()
    }

    /// The message goes on.
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        let hashed = bytes.get(..self.left_bytes).unwrap_or(bytes);
        self.hash.update(hashed);
        self.left_bytes -= hashed.len();
    }

    /// The message is over.
    pub(crate) fn finish(self) -> String {
        format!("{:x}", self.hash.finalize())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_do_not_matter_and_what_is_beyond_the_bound_does_not_count() {
        let message = vec![b'a'; limits::FINGERPRINT_BYTES + 5];
        let mut pieces = Fingerprint::new();
        message.chunks(300_007).for_each(|piece| pieces.add(piece));
        let whole = Fingerprint::of(&message);
        assert_eq!(pieces.finish(), whole);
        // head -c 1048576 /dev/zero | tr '\0' a | sha256sum
        assert_eq!(whole, "9bc1b2a288b26af7257a36277ae3816a7d4f16e89c1e7e77d0a5c48bad62b360");
        assert_ne!(Fingerprint::of(b"abc"), Fingerprint::of(b"abd"));
    }
}
