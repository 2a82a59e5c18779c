//! The ten bodies of messages, and the topics that carry them.
//!
//! Comes in: nothing, they are fixed; a vocabulary for the words of topics. Goes out: for each shape its slots, the values that rules
//! read, with path and kind; 64 topics of three words, of which each has one shape, and the patterns that cover several. Two shapes
//! that have the same path have the same kind there.

use std::collections::BTreeSet;

use crate::vocabulary::Vocabulary;

/// What stands in a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A package.
    Name,
    /// A person.
    User,
    /// One of few words; most often the first.
    Choice(&'static [&'static str]),
    /// A number up to [`IDS`].
    Id,
    /// A number up to 99.
    Small,
    /// True or false.
    Flag,
    /// A link to a package.
    Url,
    /// Words.
    Note,
    /// A list of tags.
    Tags,
    /// A list of packages: objects with the slots of [`ELEMENT`].
    Packages,
    /// A list of builds as text, name-version-release.
    Builds,
}

/// Numbers of builds, updates and the like are below this.
pub const IDS: usize = 10_000_000;
/// States.
pub const STATES: &[&str] = &["complete", "open", "failed", "canceled", "free", "assigned"];
/// Architectures.
pub const ARCHES: &[&str] = &["x86_64", "aarch64", "noarch", "ppc64le", "s390x", "i686", "riscv64"];
/// Releases.
pub const RELEASES: &[&str] =
    &["f41", "f40", "rawhide", "epel9", "epel8", "f39", "epel10", "f42", "eln", "f38"];

/// A value of a body that rules may read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Its path.
    pub path: &'static [&'static str],
    /// What stands there.
    pub kind: Kind,
    /// Whether it is always there.
    pub presence: Presence,
}

/// Whether a value is always there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It is.
    Always,
    /// It may be absent or null.
    Sometimes,
}

impl Slot {
    /// Its name as an event's value.
    pub fn value_name(&self) -> String {
        self.path.join("-")
    }
}

const fn slot(path: &'static [&'static str], kind: Kind) -> Slot {
    Slot { path, kind, presence: Presence::Always }
}

const fn maybe(path: &'static [&'static str], kind: Kind) -> Slot {
    Slot { path, kind, presence: Presence::Sometimes }
}

/// Who sent it; in every shape.
const AGENT: Slot = slot(&["agent"], Kind::User);
const STATE: Slot = slot(&["state"], Kind::Choice(STATES));

/// The slots of one element of a list of packages.
pub const ELEMENT: &[Slot] = &[
    slot(&["name"], Kind::Name),
    slot(&["arch"], Kind::Choice(ARCHES)),
    slot(&["size"], Kind::Id),
    slot(&["release"], Kind::Choice(RELEASES)),
];

/// The bodies.
pub const SHAPES: [&[Slot]; 10] = [
    &[
        AGENT,
        STATE,
        slot(&["build", "name"], Kind::Name),
        slot(&["build", "owner"], Kind::User),
        slot(&["build", "id"], Kind::Id),
        slot(&["build", "target", "release"], Kind::Choice(RELEASES)),
        slot(&["build", "rpms"], Kind::Packages),
        maybe(&["build", "url"], Kind::Url),
        maybe(&["build", "priority"], Kind::Small),
    ],
    &[
        AGENT,
        slot(&["update", "title"], Kind::Name),
        slot(&["update", "status"], Kind::Choice(STATES)),
        slot(&["update", "release", "name"], Kind::Choice(RELEASES)),
        slot(&["update", "karma"], Kind::Small),
        slot(&["update", "packages"], Kind::Packages),
        slot(&["update", "builds"], Kind::Builds),
        slot(&["update", "critpath"], Kind::Flag),
        maybe(&["update", "url"], Kind::Url),
    ],
    &[
        AGENT,
        STATE,
        slot(&["project", "name"], Kind::Name),
        slot(&["project", "user", "name"], Kind::User),
        slot(&["project", "tags"], Kind::Tags),
        slot(&["project", "id"], Kind::Id),
        maybe(&["project", "parent", "name"], Kind::Name),
        maybe(&["project", "private"], Kind::Flag),
    ],
    &[
        AGENT,
        slot(&["job", "package"], Kind::Name),
        slot(&["job", "outcome"], Kind::Choice(STATES)),
        slot(&["job", "machine", "arch"], Kind::Choice(ARCHES)),
        slot(&["job", "seconds"], Kind::Id),
        slot(&["job", "results"], Kind::Packages),
        slot(&["job", "builds"], Kind::Builds),
        maybe(&["job", "log"], Kind::Url),
        maybe(&["job", "score"], Kind::Small),
    ],
    &[
        AGENT,
        STATE,
        slot(&["compose", "label"], Kind::Name),
        slot(&["compose", "release"], Kind::Choice(RELEASES)),
        slot(&["compose", "builds"], Kind::Builds),
        slot(&["compose", "respin"], Kind::Small),
        slot(&["compose", "size"], Kind::Id),
        slot(&["compose", "tags"], Kind::Tags),
        maybe(&["compose", "location"], Kind::Url),
    ],
    &[
        AGENT,
        slot(&["pull", "repository", "name"], Kind::Name),
        slot(&["pull", "author", "login"], Kind::User),
        slot(&["pull", "status"], Kind::Choice(STATES)),
        slot(&["pull", "number"], Kind::Id),
        slot(&["pull", "summary"], Kind::Note),
        slot(&["pull", "labels"], Kind::Tags),
        maybe(&["pull", "draft"], Kind::Flag),
        maybe(&["pull", "link"], Kind::Url),
    ],
    &[
        AGENT,
        STATE,
        slot(&["result", "item"], Kind::Name),
        slot(&["result", "testcase", "name"], Kind::Note),
        slot(&["result", "id"], Kind::Id),
        slot(&["result", "data", "arch"], Kind::Choice(ARCHES)),
        slot(&["result", "scores"], Kind::Packages),
        slot(&["result", "builds"], Kind::Builds),
        maybe(&["result", "data", "release"], Kind::Choice(RELEASES)),
        maybe(&["result", "ref_url"], Kind::Url),
    ],
    &[
        AGENT,
        slot(&["info", "request", "package"], Kind::Name),
        slot(&["info", "state"], Kind::Choice(STATES)),
        slot(&["info", "host", "name"], Kind::User),
        slot(&["info", "id"], Kind::Id),
        slot(&["info", "children"], Kind::Packages),
        slot(&["info", "priority"], Kind::Small),
        maybe(&["info", "parent"], Kind::Id),
        maybe(&["info", "label"], Kind::Note),
    ],
    &[
        AGENT,
        STATE,
        slot(&["image", "source"], Kind::Name),
        slot(&["image", "arch"], Kind::Choice(ARCHES)),
        slot(&["image", "release"], Kind::Choice(RELEASES)),
        slot(&["image", "bytes"], Kind::Id),
        slot(&["image", "tags"], Kind::Tags),
        slot(&["image", "contents"], Kind::Packages),
        slot(&["image", "builds"], Kind::Builds),
        maybe(&["image", "url"], Kind::Url),
    ],
    &[
        AGENT,
        slot(&["commit", "repo"], Kind::Name),
        slot(&["commit", "branch"], Kind::Choice(RELEASES)),
        slot(&["commit", "author"], Kind::User),
        slot(&["commit", "summary"], Kind::Note),
        slot(&["commit", "stats", "lines"], Kind::Id),
        slot(&["commit", "stats", "files"], Kind::Small),
        slot(&["commit", "modules"], Kind::Packages),
        maybe(&["commit", "url"], Kind::Url),
    ],
];

/// How many topics there are.
pub const TOPICS: usize = 64;
/// The last so many topics have no declared event: rules name them by text.
pub const RAW_TOPICS: usize = 8;

/// The topics of one vocabulary; topic `at` has the shape `at % 10`.
#[derive(Clone, Debug)]
pub struct Topics {
    /// Without prefix and environment.
    pub names: Vec<String>,
    /// Patterns with one `*`, and the topics that each covers.
    pub stars: Vec<(String, Vec<usize>)>,
    /// Patterns with a trailing `#`.
    pub hashes: Vec<(String, Vec<usize>)>,
}

/// The shape of a topic.
pub fn shape_of(topic: usize) -> &'static [Slot] {
    SHAPES.get(topic.wrapping_rem(SHAPES.len())).copied().unwrap_or_default()
}

impl Topics {
    /// Topics like `koji.build.complete`: ten applications, four things each, two verbs each.
    pub fn new(vocabulary: &Vocabulary) -> Self {
        let word = |salt: usize, at: usize| vocabulary.word(salt.wrapping_mul(23).wrapping_add(at));
        let mut names = Vec::with_capacity(TOPICS);
        let (mut stars, mut hashes) = (BTreeSet::new(), BTreeSet::new());
        for at in 0..TOPICS {
            let (app, rest) = (word(1, at.wrapping_rem(10)), at.wrapping_div(10));
            let (thing, verb) = (word(3, rest.wrapping_rem(4)), word(5, rest.wrapping_div(4)));
            names.push(format!("{app}.{thing}.{verb}"));
            stars.insert(format!("{app}.*.{verb}"));
            stars.insert(format!("*.{thing}.{verb}"));
            hashes.insert(format!("{app}.#"));
            hashes.insert(format!("{app}.{thing}.#"));
        }
        let covered = |pattern: String| {
            let of = names.iter().enumerate().filter(|(_, topic)| covers(&pattern, topic)).map(|(at, _)| at);
            (pattern.clone(), of.collect())
        };
        let (stars, hashes) =
            (stars.into_iter().map(covered).collect(), hashes.into_iter().map(covered).collect());
        Self { names, stars, hashes }
    }
}

/// Whether a pattern covers a topic.
pub fn covers(pattern: &str, topic: &str) -> bool {
    match pattern.strip_suffix(".#") {
        Some(head) => topic.strip_prefix(head).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')),
        None => {
            let (words, parts) = (topic.split('.'), pattern.split('.'));
            words.clone().count() == parts.clone().count()
                && words.zip(parts).all(|(w, p)| p == "*" || p == w)
        }
    }
}
