//! Topics: which of them are ours, and which part of them rules speak of.
//!
//! Comes in: a topic as sent (`org.fedoraproject.prod.bodhi.update.request.testing`) and the accepted prefixes. Goes out: the
//! part that events declare (`bodhi.update.request.testing`), or nothing. Words are compared whole, never by string prefix.

use std::fmt;

/// Accepted beginnings of topics, by whole words; `*` is any one word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicFilter {
    accept: Vec<Vec<String>>,
}

/// A pattern that no topic can begin with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicFilterError {
    /// The pattern as configured.
    pub pattern: String,
}

impl fmt::Display for TopicFilterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "'{}' is no topic prefix: write words joined by dots, `*` for any one word, like `*.*.prod`",
            self.pattern
        )
    }
}

impl std::error::Error for TopicFilterError {}

impl Default for TopicFilter {
    /// Any two words and then `prod`: production of every site, so that staging never fires.
    fn default() -> Self {
        Self { accept: vec![vec!["*".into(), "*".into(), "prod".into()]] }
    }
}

impl TopicFilter {
    /// Reads patterns such as `org.fedoraproject.prod` or `*.*.prod`.
    pub fn new<S: AsRef<str>>(patterns: &[S]) -> Result<Self, TopicFilterError> {
        let accept = patterns
            .iter()
            .map(|p| {
                let words: Vec<String> = p.as_ref().split('.').map(str::to_owned).collect();
                let valid = words.iter().all(|w| {
                    w == "*"
                        || (!w.is_empty()
                            && w.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_'))
                });
                if valid { Ok(words) } else { Err(TopicFilterError { pattern: p.as_ref().to_owned() }) }
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { accept })
    }

    /// The part of a topic that rules speak of; none if no accepted prefix leads it or nothing follows.
    pub fn strip<'t>(&self, topic: &'t str) -> Option<&'t str> {
        self.accept.iter().find_map(|prefix| {
            let mut rest = topic;
            for word in prefix {
                let (first, tail) = rest.split_once('.')?;
                if first.is_empty() || (word != "*" && word != first) {
                    return None;
                }
                rest = tail;
            }
            (!rest.is_empty()).then_some(rest)
        })
    }
}

/// Whether a topic fits a pattern, word by word: `*` is one word, a trailing `#` any number of words, also none.
pub fn matches(pattern: &str, topic: &str) -> bool {
    let mut words = topic.split('.');
    for part in pattern.split('.') {
        if part == "#" {
            return true;
        }
        match words.next() {
            Some(word) if part == "*" || part == word => {}
            _ => return false,
        }
    }
    words.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn default_is_production_only() {
        let filter = TopicFilter::default();
        assert_eq!(filter.strip("org.fedoraproject.prod.bodhi.x"), Some("bodhi.x"));
        assert_eq!(filter.strip("io.pagure.prod.pagure.issue.new"), Some("pagure.issue.new"));
        assert_eq!(filter.strip("org.fedoraproject.stg.bodhi.x"), None);
        assert_eq!(filter.strip("org.fedoraproject.prod"), None);
        assert_eq!(filter.strip("org.fedoraproject.production.x"), None);
    }

    #[test]
    fn patterns_match_whole_words() {
        assert!(matches("bodhi.update.request.testing", "bodhi.update.request.testing"));
        assert!(!matches("bodhi.update.request.testing", "bodhi.update.request.testingfoo"));
        assert!(!matches("bodhi.update.request", "bodhi.update.request.testing"));
        assert!(matches("compose.*.complete", "compose.rawhide.complete"));
        assert!(!matches("compose.*.complete", "compose.complete"));
        assert!(matches("logger.#", "logger.log.more"));
        assert!(matches("logger.#", "logger"));
    }

    #[test]
    fn malformed_patterns_are_refused() {
        assert!(TopicFilter::new(&["org..prod"]).is_err());
        assert!(TopicFilter::new(&["org.fedora*"]).is_err());
    }
}
