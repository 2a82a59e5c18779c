//! Regular expressions: `matches r"..."`.
//!
//! Comes in: a pattern as written. Goes out: one that matches in time linear in the text, whatever both are, or why it cannot be
//! read. Its compiled size is bounded. It matches somewhere in the text unless it is anchored: the checker speaks of that.

use regex::{Regex, RegexBuilder};
use regex_automata::nfa::thompson::{NFA, WhichCaptures};

use crate::limits;

/// A regular expression that can be used.
#[derive(Clone, Debug)]
pub struct Pattern {
    regex: Regex,
    states: usize,
}

impl Pattern {
    /// Reads a pattern in the syntax of the `regex` crate: no look-around, no back-references. The error is for people.
    pub fn new(text: &str) -> Result<Self, String> {
        match RegexBuilder::new(text).size_limit(limits::PATTERN_BYTES).build() {
            Ok(regex) => Ok(Self { regex, states: states(text) }),
            Err(regex::Error::CompiledTooBig(_)) => {
                Err(format!("compiled it has more than {} bytes", limits::PATTERN_BYTES))
            }
            // The last line says what is wrong; the ones before it draw the pattern.
            Err(error) => {
                let text = error.to_string();
                Err(text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned())
            }
        }
    }

    /// Whether it matches somewhere in a text.
    pub fn matches(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }

    /// In how many places of it a text may be at once: what one byte of a text costs at most.
    pub(crate) fn states(&self) -> usize {
        self.states
    }
}

fn states(pattern: &str) -> usize {
    let config =
        NFA::config().nfa_size_limit(Some(limits::PATTERN_BYTES)).which_captures(WhichCaptures::None);
    let nfa = NFA::compiler().configure(config).build(pattern);
    nfa.map_or(limits::PATTERN_BYTES, |nfa| nfa.states().len())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn matches_somewhere_unless_anchored() {
        let pattern = Pattern::new("^f[3-9][3-9]$").unwrap();
        assert!(pattern.matches("f33") && !pattern.matches("f40") && !pattern.matches("xf33"));
        assert!(Pattern::new("kernel").unwrap().matches("the kernel-6.1"));
    }

    #[test]
    fn its_size_is_known() {
        let of = |text| Pattern::new(text).unwrap().states();
        assert!(of("a") < of("a{500}") && of("a{500}") < of("(a{500}|b{500})"), "{}", of("a"));
    }

    #[test]
    fn what_cannot_be_read_or_is_too_large_says_so() {
        assert_eq!(Pattern::new("a(b").unwrap_err(), "unclosed group");
        assert!(Pattern::new(r"\w{50}{50}{50}").unwrap_err().contains("bytes"));
        assert!(Pattern::new(r"(a)\1").unwrap_err().contains("backreference"));
    }
}
