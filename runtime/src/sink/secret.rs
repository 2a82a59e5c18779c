//! Secrets of sinks: read from a file each time, so that one may be changed, and told to nobody but their peer.
//!
//! Comes in: a path. Goes out: the file's text without the white space around it. It is shown nowhere: `Debug` hides it and
//! there is no `Display`.

use std::fmt;
use std::io::Read;
use std::path::Path;

use super::error::SinkError;
use crate::limits;

/// A secret.
#[derive(Clone)]
pub(super) struct Secret(String);

impl Secret {
    /// Reads it.
    pub(super) fn read(path: &Path) -> Result<Self, SinkError> {
        let failed = |e| SinkError::Io(path.to_owned(), e);
        let mut text = String::new();
        let file = std::fs::File::open(path).map_err(failed)?;
        file.take(limits::SINK_SECRET_BYTES).read_to_string(&mut text).map_err(|_| {
            // The words of the standard library could quote the text.
            failed(std::io::Error::other("it is not a short file of text"))
        })?;
        match text.trim() {
            "" => Err(failed(std::io::Error::other("it holds no secret"))),
            secret => Ok(Self(secret.to_owned())),
        }
    }

    /// The secret itself, for its peer.
    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}
