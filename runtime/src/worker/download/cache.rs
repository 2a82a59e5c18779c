//! What is kept between runs: whole files by their content, and files that are half here.
//!
//! Comes in: a checksum, or a name for what is asked for. Goes out: a file to read from, or one to go on writing. A run never
//! gets a file of the cache, only a copy, whose checksum is looked at each time: an entry that was damaged is dropped.
//! Two runs that want the same wait for each other. The oldest entries go when all together grow too large.

use std::fs::{self, File, Permissions};
use std::io::{self, Seek, SeekFrom};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustix::fs::FlockOperation;
use sha2::{Digest, Sha256};

use crate::limits;

#[derive(Debug)]
pub(super) struct Cache {
    whole: PathBuf,
    partial: PathBuf,
}

impl Cache {
    pub(super) fn open(dir: &Path) -> io::Result<Self> {
        let (whole, partial) = (dir.join("sha256"), dir.join("partial"));
        fs::create_dir_all(&whole)?;
        fs::create_dir_all(&partial)?;
        Ok(Self { whole, partial })
    }

    /// The entry with this content, as it says; the reader judges it.
    pub(super) fn entry(&self, sha256: &str) -> Option<File> {
        let file = File::open(self.whole.join(sha256)).ok()?;
        // What was used last is dropped last; without that only the order suffers.
        let _ = file.set_modified(SystemTime::now());
        Some(file)
    }

    /// Forgets an entry that is not what it says.
    pub(super) fn drop_entry(&self, sha256: &str) {
        let _ = fs::remove_file(self.whole.join(sha256));
    }

    /// The file into which this is downloaded, perhaps with a beginning; waits for whoever writes to it.
    pub(super) fn partial(&self, name: &str) -> io::Result<Partial> {
        let name: String = Sha256::digest(name).iter().map(|byte| format!("{byte:02x}")).collect();
        let path = self.partial.join(name);
        loop {
            let file = File::options().read(true).write(true).create(true).truncate(false).open(&path)?;
            rustix::fs::flock(&file, FlockOperation::LockExclusive)?;
            // Whoever had it may have made it an entry meanwhile.
            if fs::metadata(&path)
                .is_ok_and(|there| file.metadata().is_ok_and(|ours| ours.ino() == there.ino()))
            {
                let validator = fs::read_to_string(validator_path(&path)).ok().filter(|v| !v.is_empty());
                return Ok(Partial { file, path, validator });
            }
        }
    }

    /// Makes a whole file an entry; its content was judged.
    pub(super) fn promote(&self, partial: Partial, sha256: &str) -> io::Result<()> {
        partial.file.set_permissions(Permissions::from_mode(0o444))?;
        fs::rename(&partial.path, self.whole.join(sha256))?;
        let _ = fs::remove_file(validator_path(&partial.path));
        self.shrink(limits::DOWNLOAD_CACHE_BYTES)
    }

    /// Drops the oldest until all are within the bound.
    fn shrink(&self, bound_bytes: u64) -> io::Result<()> {
        let mut all = Vec::new();
        for dir in [&self.whole, &self.partial] {
            for entry in fs::read_dir(dir)? {
                let entry = entry?;
                // Another worker may have dropped it.
                let Ok(meta) = entry.metadata() else { continue };
                all.push((meta.modified()?, meta.len(), entry.path()));
            }
        }
        let mut bytes: u64 = all.iter().map(|(_, length, _)| length).sum();
        all.sort();
        for (_, length, path) in all {
            if bytes <= bound_bytes {
                break;
            }
            let _ = fs::remove_file(path);
            bytes = bytes.saturating_sub(length);
        }
        Ok(())
    }
}

/// A file that is perhaps half here.
#[derive(Debug)]
pub(super) struct Partial {
    pub(super) file: File,
    path: PathBuf,
    /// By what the server tells whether it still has the same file.
    pub(super) validator: Option<String>,
}

impl Partial {
    /// One that nobody goes on with.
    pub(super) fn unnamed(dir: &Path) -> io::Result<Self> {
        Ok(Self { file: tempfile::tempfile_in(dir)?, path: PathBuf::new(), validator: None })
    }

    /// How many bytes are here; the next ones are written after them.
    pub(super) fn length(&mut self) -> io::Result<u64> {
        self.file.seek(SeekFrom::End(0))
    }

    /// Begins anew.
    pub(super) fn clear(&mut self) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.rewind()
    }

    pub(super) fn set_validator(&mut self, validator: Option<String>) -> io::Result<()> {
        if !self.path.as_os_str().is_empty() {
            fs::write(validator_path(&self.path), validator.as_deref().unwrap_or_default())?;
        }
        self.validator = validator;
        Ok(())
    }

    /// Nothing of it is worth keeping.
    pub(super) fn discard(self) {
        let _ = fs::remove_file(&self.path);
        let _ = fs::remove_file(validator_path(&self.path));
    }
}

fn validator_path(partial: &Path) -> PathBuf {
    partial.with_extension("validator")
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use std::io::Write;
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_oldest_go_first() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::open(dir.path()).unwrap();
        for (age, name) in ["new", "used", "old"].iter().enumerate() {
            let mut partial = cache.partial(name).unwrap();
            partial.file.write_all(&[0; 100]).unwrap();
            cache.promote(partial, name).unwrap();
            let aged = SystemTime::now() - Duration::from_secs(1000 * age as u64);
            File::open(cache.whole.join(name)).unwrap().set_modified(aged).unwrap();
        }
        assert!(cache.entry("used").is_some());
        cache.shrink(200).unwrap();
        assert!(
            cache.entry("old").is_none() && cache.entry("used").is_some() && cache.entry("new").is_some()
        );
        cache.shrink(50).unwrap();
        assert_eq!(fs::read_dir(&cache.whole).unwrap().count(), 0);
    }

    #[test]
    fn a_partial_file_is_found_again_with_its_validator_until_it_is_an_entry() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::open(dir.path()).unwrap();
        let mut partial = cache.partial("https://h/x").unwrap();
        partial.file.write_all(b"half").unwrap();
        partial.set_validator(Some("\"v1\"".to_owned())).unwrap();
        drop(partial);
        let mut again = cache.partial("https://h/x").unwrap();
        assert_eq!((again.length().unwrap(), again.validator.as_deref()), (4, Some("\"v1\"")));
        cache.promote(again, "ab").unwrap();
        let mut anew = cache.partial("https://h/x").unwrap();
        assert_eq!((anew.length().unwrap(), anew.validator.as_deref()), (0, None));
        assert_eq!(cache.entry("ab").unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o444);
    }
}
