//! The words that messages and rules are made of.
//!
//! Comes in: a list of words, built in or read from a file. Goes out: names of packages, people, tags and topics. Rank 1 is seen most
//! often; the same rank gives the same name in rules and messages. Two lists are built in, so that nothing is tuned to one.

/// Names of packages that there are.
pub const NAMES: usize = 250_000;
/// People.
pub const USERS: usize = 2_000;
/// Tags.
pub const TAGS: usize = 300;

const FEDORA: &str = "python perl ruby golang rust ghc php nodejs java kernel systemd glibc bash zsh fish vim emacs nano gcc llvm clang \
    cmake meson ninja make autoconf qemu libvirt podman docker buildah skopeo kube etcd flannel cockpit anaconda lorax pungi koji bodhi \
    mock rpm dnf yum zypper flatpak snap firefox chromium webkit gtk qt gnome kde plasma xfce mate lxqt sway wayland mesa vulkan cairo \
    pango harfbuzz freetype fontconfig noto dejavu cantarell liberation texlive latex pandoc asciidoc docbook xml json yaml toml csv \
    sqlite postgres maria redis mongo ldap kerberos sssd samba nfs ceph gluster lvm btrfs xfs ext crypt luks tpm openssl gnutls nss \
    nettle sodium curl wget aria rsync ssh dropbear nginx apache haproxy squid varnish bind unbound dnsmasq chrony ntp dbus polkit udev \
    pulse pipewire jack alsa ffmpeg gstreamer vlc mpv x264 opus flac vorbis theora jpeg png webp tiff exif raw gimp inkscape krita \
    blender scribus octave numpy scipy pandas sympy torch julia fortran blas atlas boost eigen protobuf grpc thrift avro kafka rabbit \
    zero nano ansible puppet salt chef terraform vagrant jenkins tox pytest nose hypothesis sphinx flask django tornado twisted aiohttp \
    requests urllib click attrs cffi cython lxml pillow babel jinja mako markup werkzeug alembic sqlalchemy";

/// Words for everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vocabulary(Vec<String>);

impl Default for Vocabulary {
    fn default() -> Self {
        Self::read(FEDORA)
    }
}

impl Vocabulary {
    /// Takes the words of a text: letters and digits in lower case, each once, at least `LEAST_WORDS` of them (else filled up with
    /// made-up ones).
    pub fn read(text: &str) -> Self {
        let mut words: Vec<String> = Vec::new();
        let mut seen = std::collections::BTreeSet::new();
        let lower = text.to_lowercase();
        for word in lower.split(|c: char| !c.is_ascii_alphanumeric()) {
            if word.len() >= 2
                && word.starts_with(|c: char| c.is_ascii_alphabetic())
                && seen.insert(word.to_owned())
            {
                words.push(word.to_owned());
            }
        }
        let made_up = Self::made_up().0.into_iter().filter(|word| !seen.contains(word));
        let missing = LEAST_WORDS.saturating_sub(words.len());
        words.extend(made_up.take(missing));
        Self(words)
    }

    /// The other list that is built in: words of no language.
    pub fn made_up() -> Self {
        let heads = ["ba", "ke", "zi", "lo", "mu", "ti", "re", "sa", "no", "vy", "dra", "ple", "sti", "gho"];
        let tails =
            ["n", "rk", "lia", "tto", "vex", "s", "mar", "quo", "dine", "x", "bly", "fen", "gru", "hst"];
        Self(heads.iter().flat_map(|head| tails.iter().map(move |tail| format!("{head}{tail}"))).collect())
    }

    /// The word at a place, of any number.
    pub fn word(&self, at: usize) -> &str {
        let at = at.checked_rem(self.0.len()).unwrap_or_default();
        self.0.get(at).map_or("word", String::as_str)
    }

    /// How many words there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Never: a vocabulary is filled up.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The package of a rank, up to [`NAMES`]: two words, or three.
    pub fn name(&self, rank: usize) -> String {
        // A prime far from the number of words: neighbours in rank have nothing in common.
        let mixed = rank.wrapping_mul(7_919).wrapping_rem(NAMES);
        let words = self.len().max(2);
        let (first, rest) = (mixed.wrapping_rem(words), mixed.wrapping_div(words));
        let (second, third) = (rest.wrapping_rem(words), rest.wrapping_div(words));
        if third == 0 {
            format!("{}-{}", self.word(first), self.word(second))
        } else {
            format!("{}-{}-{}", self.word(first), self.word(second), self.word(third))
        }
    }

    /// The person of a rank, up to [`USERS`]; one in sixteen is written with letters beyond ASCII.
    pub fn user(&self, rank: usize) -> String {
        let accent = if rank.wrapping_rem(16) == 7 { "řé" } else { "" };
        format!("{}{accent}{rank}", self.word(rank.wrapping_mul(31)))
    }

    /// The tag of a rank, up to [`TAGS`].
    pub fn tag(&self, rank: usize) -> String {
        format!("{}-{}", self.word(rank.wrapping_mul(17)), self.word(rank.wrapping_mul(5).wrapping_add(3)))
    }
}

/// Fewer words would make too few names.
const LEAST_WORDS: usize = 100;
