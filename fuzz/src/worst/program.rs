//! The program of a case.
//!
//! Comes in: a case. Goes out: the text of a .tb file: an enum, a record, tasks, one event, the rules. Constants are what the
//! message holds, so that a rule is reached and only fails as late as can be; where they are distinct, each ends in the
//! number of its rule.

use std::fmt::Write as _;

use crate::mutate::Numbers;

use super::case::{Alike, Asks, Case, Condition, Filler, Letters, Pattern, Quantifier};

const SITE: &str = "repository \"https://tasks.example.org/hostile.git\"";

/// Writes the program.
pub fn text(case: &Case) -> String {
    let mut out = String::from(
        "enum colour { red green }\n\nrecord item {\n  name: string\n  number: float\n  version: evr\n",
    );
    for at in 0..case.fields {
        let _ = writeln!(out, "  field-{at}: int");
    }
    let _ = writeln!(out, "}}\n\ntask look {{ number: float {SITE} }}\ntask check {{ package: nvr {SITE} }}");
    let _ = writeln!(
        out,
        "task tell {{ package: nvr text: string {SITE} }}\ntask spread {{ word: string {SITE} }}"
    );
    let _ = writeln!(out, "task spread-each {{ package: nvr word: string {SITE} }}\n");
    event(&mut out, case);
    for rule in 0..case.rules {
        let _ = write!(out, "rule r{rule} on hostile.sent where ");
        condition(&mut out, case, &case.condition, Place { depth: 0, rule });
        out.push_str(match case.asks {
            Asks::Run => " run look",
            Asks::RunEach => " run check",
            Asks::Texts => " run spread for word in texts",
            Asks::TextsEach => " run spread-each for word in texts",
            Asks::TextEach => " run tell",
            Asks::KeyEach => " run check once per texts within 1h",
        });
        out.push('\n');
    }
    // What is declared is read: nothing else is looked for in a body.
    for at in 0..case.declared {
        let _ = writeln!(
            out,
            "rule d{at} on hostile.sent where member-{at} == {} run look",
            at.saturating_add(1)
        );
    }
    out
}

fn event(out: &mut String, case: &Case) {
    let mut members =
        String::from("text: string, other: string, number: float, version: evr, texts: [string], ");
    members.push_str("colours: [colour], items: [item], builds: [nvr], parts: [{ name: string }]?");
    let values = ["text", "other", "number", "version", "texts", "colours", "items"];
    let types = ["string", "string", "float", "evr", "[string]", "[colour]", "[item]"];
    out.push_str("event hostile.sent {\n  each package: nvr\n  names: [string]?\n");
    for (name, ty) in values.iter().zip(types) {
        let _ = writeln!(out, "  {name}: {ty}");
    }
    for at in 0..case.declared {
        let _ = writeln!(out, "  member-{at}: int");
        let _ = write!(members, ", member-{at}: int");
    }
    let _ = writeln!(out, "  dialect site {{\n    topic \"hostile.#\"\n    body {{ {members} }}");
    out.push_str("    each build in builds\n    package = build\n");
    out.push_str("    names = parts.name\n");
    for name in values {
        let _ = writeln!(out, "    {name} = {name}");
    }
    for at in 0..case.declared {
        let _ = writeln!(out, "    member-{at} = member-{at}");
    }
    out.push_str("  }\n}\n\n");
}

/// Where a condition stands.
#[derive(Clone, Copy)]
struct Place {
    /// Quantifiers around it.
    depth: usize,
    rule: usize,
}

impl Place {
    fn value(self, of_message: &str, of_element: &str) -> String {
        match self.depth {
            0 => of_message.to_owned(),
            depth => format!("e{depth}.{of_element}"),
        }
    }

    fn filler(self, case: &Case) -> Filler {
        if self.depth == 0 { case.message.text } else { case.message.element }
    }

    /// What makes a constant the rule's own.
    fn mark(self, case: &Case) -> String {
        match case.constants {
            Alike::Same => String::new(),
            Alike::Distinct => self.rule.to_string(),
        }
    }
}

fn condition(out: &mut String, case: &Case, condition: &Condition, at: Place) {
    let name = at.value("text", "name");
    let filler = at.filler(case);
    let own = filler.text();
    let mark = at.mark(case);
    let _ = match condition {
        Condition::Equal => write!(out, "{name} == \"{own}{mark}\""),
        Condition::Among(count) => {
            let texts: Vec<String> = (0..*count).map(|n| format!("\"{own}{mark}-{n}\"")).collect();
            write!(out, "{name} in [\"{own}{mark}\", {}]", texts.join(", "))
        }
        Condition::Between => {
            let number = at.value("number", "number");
            write!(out, "{number} >= -{}.0 and {number} < 1.0", at.rule.saturating_add(2))
        }
        Condition::Begins(letters) => {
            let begin: String = own.chars().take((*letters).max(1)).collect();
            write!(out, "{name} like \"{begin}*{mark}\"")
        }
        Condition::Glob { stars, piece } => {
            let piece = String::from(filler.letter).repeat((*piece).max(1));
            write!(
                out,
                "{name} like \"{}*{piece}!{mark}*\"",
                format!("*{piece}").repeat(stars.saturating_sub(1))
            )
        }
        Condition::Pattern(pattern, states) => {
            let more = if case.constants == Alike::Same { 0 } else { at.rule };
            let states = states.saturating_add(more);
            write!(out, "{name} matches r\"{}\"", regex(*pattern, filler.letter, states))
        }
        Condition::SameTexts => write!(out, "text == other"),
        Condition::Older => write!(out, "{} < \"1{mark}-1\"", at.value("version", "version")),
        Condition::AmongVersions(count) => {
            let texts: Vec<String> =
                (0..(*count).max(1)).map(|n| format!("\"0.{n}.{n}a{mark}-1\"")).collect();
            write!(out, "{} in [{}]", at.value("version", "version"), texts.join(", "))
        }
        Condition::InTexts => write!(out, "{name} in texts"),
        Condition::Red => {
            let depth = at.depth.saturating_add(1);
            write!(out, "any(e{depth} in colours where e{depth} == red)")
        }
        Condition::Names => {
            let depth = at.depth.saturating_add(1);
            write!(out, "(has names and any(e{depth} in names where e{depth} == \"{own}{mark}\"))")
        }
        Condition::Quantified(quantifier, of) => return quantified(out, case, *quantifier, of, at),
        Condition::Not(of) => {
            out.push_str("not (");
            self::condition(out, case, of, at);
            write!(out, ")")
        }
        Condition::And(parts) => return several(out, case, parts, " and ", at),
        Condition::Or(parts) => return several(out, case, parts, " or ", at),
    };
}

fn several(out: &mut String, case: &Case, parts: &[Condition], word: &str, at: Place) {
    out.push('(');
    for (place, part) in parts.iter().enumerate() {
        out.push_str(if place == 0 { "" } else { word });
        condition(out, case, part, at);
    }
    out.push(')');
}

fn quantified(out: &mut String, case: &Case, quantifier: Quantifier, of: &Condition, at: Place) {
    let depth = at.depth.saturating_add(1);
    let word = match quantifier {
        Quantifier::Any => "any",
        Quantifier::All => "all",
        Quantifier::None => "none",
        Quantifier::Count => "count",
    };
    let _ = write!(out, "{word}(e{depth} in items where ");
    condition(out, case, of, Place { depth, ..at });
    out.push_str(if quantifier == Quantifier::Count { ") > 1000000" } else { ")" });
}

/// It ends with a class, so that no byte of the text tells soon that it cannot match.
fn regex(pattern: Pattern, letter: char, states: usize) -> String {
    let states = states.clamp(1, 900);
    match pattern {
        Pattern::Ambiguous => format!("[{letter}z]*{letter}[{letter}z]{{{states}}}[^{letter}z]"),
        Pattern::Far => format!("{letter}.{{{states}}}[^{letter}]"),
        Pattern::Nested => format!("^(({letter}+)*{letter}{{1,{states}}})+[^{letter}]$"),
        Pattern::Words => format!(r"\w{{{}}}[^{letter}]", states.min(20)),
    }
}

impl Filler {
    /// The text.
    pub fn text(&self) -> String {
        if self.letters == Letters::One {
            return String::from(self.letter).repeat(self.length);
        }
        let mut numbers = Numbers::new(0);
        (0..self.length).map(|_| if numbers.below(2) == 0 { self.letter } else { 'z' }).collect()
    }
}
