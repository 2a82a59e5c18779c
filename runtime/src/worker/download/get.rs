//! Getting files: from the cache, from mirrors, from where they are, within the bounds of one download.
//!
//! Comes in: a place, what is known of the content, a name below the directory for files. Goes out: the file there, with the
//! content that it must have. A file appears under its name whole and judged or not at all. A place that fails is followed
//! by the next one. Local files are only taken where the site's configuration names them: a task's manifest may not.

use std::fs::{self, File, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use sha2::{Digest, Sha256, Sha512};
use tempfile::NamedTempFile;

use super::cache::{Cache, Partial};
use super::http::{Came, Client, FileRequest};
use super::names;
use crate::limits;
use crate::message::MessageText;
use crate::task::download::{DownloadConfig, DownloadError, DownloadProgress};
use crate::worker::frame::{Frame, FrameKind};
use crate::worker::http::{Transport, shown};
use crate::worker::reach::Reach;

/// Who says where a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// The site's configuration.
    Site,
    /// The manifest of a task.
    Task,
}

/// What a file's content must hash to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Checksum {
    Sha256(String),
    Sha512(String),
}

impl Checksum {
    pub(super) fn sha256(hex: &str) -> Self {
        Self::Sha256(hex.to_ascii_lowercase())
    }

    /// By the name that metadata gives the algorithm. None: unknown, or too weak to tell files apart.
    pub(super) fn named(algorithm: &str, hex: &str) -> Option<Self> {
        let digits = |count: usize| hex.len() == count && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
        match algorithm {
            "sha256" if digits(64) => Some(Self::sha256(hex)),
            "sha512" if digits(128) => Some(Self::Sha512(hex.to_ascii_lowercase())),
            _ => None,
        }
    }

    /// Copies while hashing; whether the content is the right one.
    pub(super) fn copy(&self, from: &mut impl Read, to: &mut impl Write) -> io::Result<bool> {
        match self {
            Self::Sha256(hex) => Ok(copy_hashing::<Sha256>(from, to)? == *hex),
            Self::Sha512(hex) => Ok(copy_hashing::<Sha512>(from, to)? == *hex),
        }
    }
}

fn copy_hashing<D: Digest>(from: &mut impl Read, to: &mut impl Write) -> io::Result<String> {
    let (mut hash, mut chunk) = (D::new(), vec![0; limits::DOWNLOAD_CHUNK_BYTES]);
    loop {
        let read = from.read(&mut chunk)?;
        let Some(bytes) = chunk.get(..read).filter(|bytes| !bytes.is_empty()) else { break };
        hash.update(bytes);
        to.write_all(bytes)?;
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// A file to get.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    /// A URL, or an absolute path.
    pub(super) place: String,
    pub(super) origin: Origin,
    pub(super) checksum: Option<Checksum>,
    /// What is larger is refused.
    pub(super) max_bytes: u64,
}

impl Wanted {
    pub(super) fn new(place: impl Into<String>, origin: Origin) -> Self {
        Self { place: place.into(), origin, checksum: None, max_bytes: limits::DOWNLOAD_BYTES }
    }
}

/// The directory of a place that is a path.
pub(super) fn local(place: &str) -> Option<&Path> {
    let path = Path::new(place.strip_prefix("file://").unwrap_or(place));
    path.is_absolute().then_some(path)
}

pub(super) struct Getter {
    pub(super) site: DownloadConfig,
    pub(super) client: Client,
    pub(super) into: PathBuf,
    cache: Option<Cache>,
    bytes_left: u64,
    files: Vec<PathBuf>,
    told: Option<Instant>,
}

impl Getter {
    pub(super) fn new(
        into: PathBuf,
        cache: Option<PathBuf>,
        site: DownloadConfig,
    ) -> Result<Self, DownloadError> {
        let client = Client::new(Reach::new(site.allow_private.clone()), site.ca.as_deref())?;
        let cache = cache.as_deref().map(Cache::open).transpose()?;
        Ok(Self {
            site,
            client,
            into,
            cache,
            bytes_left: limits::DOWNLOAD_BYTES,
            files: Vec::new(),
            told: None,
        })
    }

    pub(super) fn into_files(self) -> Vec<PathBuf> {
        self.files
    }

    /// A copy of the wanted file beside those of the run: judged, nameless so far, gone if it is not kept.
    pub(super) fn obtain(&mut self, wanted: &Wanted) -> Result<NamedTempFile, DownloadError> {
        let max_bytes = wanted.max_bytes.min(self.bytes_left);
        let wanted = &Wanted { max_bytes, ..wanted.clone() };
        if let Some(file) = self.cached(wanted)? {
            return Ok(file);
        }
        let mut last = DownloadError::NotFound(wanted.place.clone());
        for place in self.site.places(&wanted.place) {
            let origin = if place == wanted.place { wanted.origin } else { Origin::Site };
            match self.get_from_place(&Wanted { place, origin, ..wanted.clone() }) {
                Ok(file) => return Ok(file),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Gives an obtained file its name below the directory for files, and counts it.
    pub(super) fn keep(&mut self, file: NamedTempFile, path: &Path) -> Result<(), DownloadError> {
        if self.files.len() >= limits::DOWNLOAD_FILES {
            return Err(DownloadError::Refused(format!(
                "a download may have {} files",
                limits::DOWNLOAD_FILES
            )));
        }
        let length = file.as_file().metadata()?.len();
        self.bytes_left = self.bytes_left.checked_sub(length).ok_or_else(|| {
            DownloadError::Refused(format!("a download may have {} bytes", limits::DOWNLOAD_BYTES))
        })?;
        let target = self.into.join(path);
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent)?;
        }
        file.as_file().set_permissions(Permissions::from_mode(0o644))?;
        file.persist(&target).map_err(|error| error.error)?;
        self.files.push(target);
        Ok(())
    }

    fn cached(&self, wanted: &Wanted) -> Result<Option<NamedTempFile>, DownloadError> {
        let (Some(cache), Some(checksum @ Checksum::Sha256(hex))) = (&self.cache, &wanted.checksum) else {
            return Ok(None);
        };
        let Some(mut entry) = cache.entry(hex) else { return Ok(None) };
        if entry.metadata()?.len() > wanted.max_bytes {
            return Ok(None);
        }
        let mut copy = NamedTempFile::new_in(&self.into)?;
        if checksum.copy(&mut entry, &mut copy)? {
            return Ok(Some(copy));
        }
        cache.drop_entry(hex);
        Ok(None)
    }

    fn get_from_place(&mut self, wanted: &Wanted) -> Result<NamedTempFile, DownloadError> {
        if let Some(path) = local(&wanted.place) {
            return match wanted.origin {
                Origin::Site => self.copy_of(path, wanted),
                Origin::Task => Err(DownloadError::Refused(format!(
                    "{:?}: local files are named by [downloads] of the site, not by a task",
                    wanted.place
                ))),
            };
        }
        let plain = wanted.place.starts_with("http://");
        if !plain && !wanted.place.starts_with("https://") {
            return Err(DownloadError::Refused(format!(
                "{:?} is neither https:// nor http://",
                shown(&wanted.place)
            )));
        }
        if plain && wanted.checksum.is_none() && wanted.origin == Origin::Task {
            let why = "plain http is taken where a sha256 says what must come, or where the site's configuration says so";
            return Err(DownloadError::Refused(format!("{}: {why}", shown(&wanted.place))));
        }
        self.get_from_url(
            wanted,
            if plain || wanted.checksum.is_some() { Transport::Any } else { Transport::Secure },
        )
    }

    fn copy_of(&self, path: &Path, wanted: &Wanted) -> Result<NamedTempFile, DownloadError> {
        let file = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(DownloadError::NotFound(format!("{} is not there", path.display())));
            }
            opened => {
                opened.map_err(|error| DownloadError::Failed(format!("{}: {error}", path.display())))?
            }
        };
        let refused = |why: &str| DownloadError::Refused(format!("{}: {why}", path.display()));
        let meta = file.metadata()?;
        if !meta.is_file() || meta.len() > wanted.max_bytes {
            return Err(refused(&format!("it is no file of at most {} bytes", wanted.max_bytes)));
        }
        let mut copy = NamedTempFile::new_in(&self.into)?;
        judged_copy(&mut file.take(meta.len()), &mut copy, wanted.checksum.as_ref())?
            .then_some(copy)
            .ok_or_else(|| refused(WRONG))
    }

    fn get_from_url(
        &mut self,
        wanted: &Wanted,
        transport: Transport,
    ) -> Result<NamedTempFile, DownloadError> {
        let mut partial = match &self.cache {
            Some(cache) => cache.partial(&format!("{} {:?}", wanted.place, wanted.checksum))?,
            None => Partial::unnamed(&self.into)?,
        };
        // Another run may have got it while this one waited for it.
        if let Some(file) = self.cached(wanted)? {
            partial.discard();
            return Ok(file);
        }
        for _ in 0..2 {
            let (how, file) = self.transferred(wanted, transport, &mut partial)?;
            if let Some(file) = file {
                return self.finished(wanted, partial, file);
            }
            if how == Transferred::AtOnce {
                break;
            }
            // The beginning may be what was wrong.
            partial.clear()?;
        }
        partial.discard();
        Err(DownloadError::Refused(format!("{}: {WRONG}", shown(&wanted.place))))
    }

    /// Transfers until the file is whole; a copy if it is the right one.
    fn transferred(
        &mut self,
        wanted: &Wanted,
        transport: Transport,
        partial: &mut Partial,
    ) -> Result<(Transferred, Option<NamedTempFile>), DownloadError> {
        let request = FileRequest {
            url: &wanted.place,
            transport,
            max_bytes: wanted.max_bytes,
            checked_later: wanted.checksum.is_some(),
        };
        let name = MessageText::new(names::file_name(&wanted.place)).to_string();
        let told = &mut self.told;
        let mut how = Transferred::AtOnce;
        let mut came = Came::Cut;
        for _ in 0..limits::DOWNLOAD_TRIES {
            if partial.length()? > 0 {
                how = Transferred::InParts;
            }
            came = self.client.get(&request, partial, |done, total| tell(told, &name, done, total))?;
            if came == Came::Whole {
                break;
            }
        }
        if came == Came::Cut {
            let why = format!("the connection was cut {} times", limits::DOWNLOAD_TRIES);
            return Err(DownloadError::Failed(format!("{}: {why}", shown(&wanted.place))));
        }
        let mut copy = NamedTempFile::new_in(&self.into)?;
        io::Seek::rewind(&mut partial.file)?;
        let right = judged_copy(&mut partial.file, &mut copy, wanted.checksum.as_ref())?;
        Ok((how, right.then_some(copy)))
    }

    fn finished(
        &self,
        wanted: &Wanted,
        partial: Partial,
        file: NamedTempFile,
    ) -> Result<NamedTempFile, DownloadError> {
        match (&self.cache, &wanted.checksum) {
            (Some(cache), Some(Checksum::Sha256(hex))) => cache.promote(partial, hex)?,
            _ => partial.discard(),
        }
        Ok(file)
    }
}

/// How a file came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Transferred {
    AtOnce,
    /// Parts of it may be those of another file.
    InParts,
}

const WRONG: &str = "its content is not what its checksum says";

fn judged_copy(from: &mut impl Read, to: &mut impl Write, checksum: Option<&Checksum>) -> io::Result<bool> {
    match checksum {
        Some(checksum) => checksum.copy(from, to),
        None => io::copy(from, to).map(|_| true),
    }
}

/// Tells the daemon, not too often; that it is gone is noticed elsewhere.
fn tell(told: &mut Option<Instant>, file: &str, done_bytes: u64, total_bytes: Option<u64>) {
    if told.is_some_and(|told| told.elapsed() < limits::PROGRESS_PAUSE) {
        return;
    }
    *told = Some(Instant::now());
    let progress = DownloadProgress { file: file.to_owned(), done_bytes, total_bytes };
    let _ = Frame::json(FrameKind::Event, &progress).and_then(|frame| frame.write(&mut io::stdout()));
}
