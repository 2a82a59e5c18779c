//! Which findings are shown, and how bad each is.
//!
//! Comes in: everything that was found, and the levels that somebody chose for codes. Goes out: the findings to show, and
//! those that a comment in the source suppresses. An error stays an error whatever is chosen: only lints have a choice.

use std::collections::BTreeMap;
use std::fmt;

use crate::diagnostic::{CODES, Code, Diagnostic, Level, Severity, closest};

/// The entry of a code: by id in any case (`TB0203`, `tb0203`) or by name (`unknown-field`).
pub fn code(id_or_name: &str) -> Result<&'static Code, UnknownCode> {
    let wanted = |code: &&&Code| code.id.eq_ignore_ascii_case(id_or_name) || code.name == id_or_name;
    CODES
        .iter()
        .find(wanted)
        .copied()
        .ok_or_else(|| UnknownCode { written: id_or_name.to_owned(), close: closest_code(id_or_name) })
}

/// The name that was perhaps meant; of a number only if two of its digits are swapped, since any other number is as near.
fn closest_code(written: &str) -> Option<&'static str> {
    let is_id = written.get(..2).is_some_and(|head| head.eq_ignore_ascii_case("TB"))
        && written.bytes().skip(2).all(|byte| byte.is_ascii_digit());
    if !is_id {
        return closest(written, &CODES.iter().map(|code| code.name).collect::<Vec<_>>());
    }
    let digits = |id: &str| {
        let mut digits: Vec<u8> = id.bytes().skip(2).collect();
        digits.sort_unstable();
        digits
    };
    let swapped = |code: &&Code| {
        let upper = written.to_ascii_uppercase();
        digits(code.id) == digits(written) && strsim::damerau_levenshtein(code.id, &upper) == 1
    };
    CODES.iter().copied().find(swapped).map(|code| code.id)
}

/// No code is called so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownCode {
    /// As it was written.
    pub written: String,
    /// The one that was perhaps meant.
    pub close: Option<&'static str>,
}

impl fmt::Display for UnknownCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "there is no diagnostic `{}`", self.written)?;
        match self.close {
            Some(close) => write!(f, "; did you mean `{close}`?"),
            None => write!(f, "; docs/diagnostics.md lists them all"),
        }
    }
}

impl std::error::Error for UnknownCode {}

/// A choice that cannot be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WrongLevel {
    /// No code is called so.
    Unknown(UnknownCode),
    /// An error is to be less than one.
    Error(&'static Code),
    /// Two levels are chosen for one code.
    Twice(String),
}

impl fmt::Display for WrongLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(unknown) => unknown.fmt(f),
            Self::Error(code) => {
                write!(f, "{} {} is an error and stays one; only lints have a level", code.id, code.name)
            }
            Self::Twice(what) => write!(f, "two levels are chosen for {what}; leave one"),
        }
    }
}

impl std::error::Error for WrongLevel {}

/// The levels that somebody chose; nothing chosen: each code's own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Levels {
    all: Option<Level>,
    codes: BTreeMap<&'static str, Level>,
}

impl Levels {
    /// Chooses a level for one code, by id or name, or for `all` lints; a code's own choice counts more than that. To make
    /// `all` errors leaves off what is off.
    pub fn choose(&mut self, what: &str, level: Level) -> Result<(), WrongLevel> {
        let before = if what == "all" {
            self.all.replace(level)
        } else {
            let code = code(what).map_err(WrongLevel::Unknown)?;
            if !code.is_lint() && level != Level::Error {
                return Err(WrongLevel::Error(code));
            }
            self.codes.insert(code.id, level)
        };
        match before {
            Some(before) if before != level => Err(WrongLevel::Twice(what.to_owned())),
            _ => Ok(()),
        }
    }

    /// What is done about a code.
    pub fn of(&self, code: &Code) -> Level {
        if !code.is_lint() {
            return Level::Error;
        }
        let all = match self.all {
            // Whoever denies everything means what would be shown, not what is off until asked for.
            Some(Level::Error) if code.level == Level::Off => None,
            other => other,
        };
        self.codes.get(code.id).copied().or(all).unwrap_or(code.level)
    }
}

/// Findings that are not off.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// To be shown, each as bad as was chosen.
    pub shown: Vec<Diagnostic>,
    /// Those that a comment suppresses.
    pub suppressed: Vec<Diagnostic>,
}

/// Applies levels to all that was found.
pub fn select(found: &[Diagnostic], levels: &Levels) -> Selection {
    let mut selection = Selection::default();
    for diagnostic in found {
        let severity = match levels.of(diagnostic.code) {
            Level::Off => continue,
            Level::Warning => Severity::Warning,
            Level::Error => Severity::Error,
        };
        let into = match diagnostic.suppressed {
            Some(_) => &mut selection.suppressed,
            None => &mut selection.shown,
        };
        into.push(Diagnostic { severity, ..diagnostic.clone() });
    }
    selection
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use taskbot_graph::Place;

    use super::*;
    use crate::diagnostic::{TB0203, TB0691, TB0694};

    /// A lint that is off by default.
    static SHY: Code = Code { id: "TB0799", name: "shy", level: Level::Off, why: "", page: "" };

    fn found() -> Vec<Diagnostic> {
        let place = Place { file: 0, start: 0, end: 0 };
        let mut all: Vec<Diagnostic> =
            [&TB0203, &TB0691, &TB0694, &SHY].map(|code| Diagnostic::new(code, place, "", "")).into();
        all.last_mut().unwrap().severity = Severity::Warning;
        all
    }

    fn shown(levels: &Levels) -> Vec<(&'static str, Severity)> {
        select(&found(), levels).shown.iter().map(|d| (d.code.id, d.severity)).collect()
    }

    fn chosen(choices: &[(&str, Level)]) -> Result<Levels, WrongLevel> {
        let mut levels = Levels::default();
        choices.iter().try_for_each(|(what, level)| levels.choose(what, *level))?;
        Ok(levels)
    }

    #[test]
    fn each_code_has_its_own_level_by_default() {
        let wanted =
            [("TB0203", Severity::Error), ("TB0691", Severity::Warning), ("TB0694", Severity::Warning)];
        assert_eq!(shown(&Levels::default()), wanted);
    }

    #[test]
    fn all_lints_are_chosen_at_once_and_one_code_counts_more() {
        let levels = chosen(&[("all", Level::Error), ("unused-suppression", Level::Off)]).unwrap();
        // What is off until somebody asks for it is not denied with the rest.
        let wanted = [("TB0203", Severity::Error), ("TB0691", Severity::Error)];
        assert_eq!(shown(&levels), wanted);
        assert_eq!(shown(&chosen(&[("all", Level::Off)]).unwrap()), [("TB0203", Severity::Error)]);
        assert_eq!(shown(&chosen(&[("all", Level::Warning)]).unwrap()).len(), 4);
    }

    #[test]
    fn an_error_stays_one_and_a_code_has_one_level() {
        assert_eq!(chosen(&[("tb0203", Level::Warning)]), Err(WrongLevel::Error(&TB0203)));
        assert!(chosen(&[("TB0203", Level::Error)]).is_ok());
        let twice = chosen(&[("TB0694", Level::Warning), ("unused-suppression", Level::Off)]);
        assert_eq!(twice, Err(WrongLevel::Twice("unused-suppression".into())));
        let Err(WrongLevel::Unknown(unknown)) = chosen(&[("unused-supression", Level::Off)]) else {
            unreachable!("there is no such name")
        };
        assert_eq!(unknown.close, Some("unused-suppression"));
    }

    #[test]
    fn a_number_is_close_to_another_only_if_digits_are_swapped() {
        let close = |text| code(text).err().and_then(|unknown| unknown.close);
        assert_eq!(close("TB0230"), Some("TB0203"));
        assert_eq!(close("tb0964"), Some("TB0694"));
        assert_eq!(close("TB0999"), None);
        assert_eq!(close("TB06944"), None);
    }

    #[test]
    fn what_a_comment_suppresses_is_kept_apart() {
        let mut found = found();
        found.iter_mut().for_each(|d| d.suppressed = Some("known".into()));
        let selection = select(&found, &Levels::default());
        assert_eq!((selection.shown.len(), selection.suppressed.len()), (0, 3));
    }
}
