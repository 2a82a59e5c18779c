//! Hints: what to write instead of what other languages have.
//!
//! Comes in: text that the grammar could not read, with its surroundings. Goes out: a sentence that says what to do, and, where
//! one word or sign takes the place of another, that word. It never decides whether something is wrong: it explains only
//! what the parser refused.

use crate::diagnostic::closest;

/// What to do about text that cannot be read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Hint {
    /// In one sentence.
    pub(crate) help: String,
    /// What takes the place of the text, if that is all.
    pub(crate) instead: Option<&'static str>,
}

fn say(help: impl Into<String>) -> Option<Hint> {
    Some(Hint { help: help.into(), instead: None })
}

fn write(instead: &'static str) -> Option<Hint> {
    Some(Hint { help: format!("write `{}`", instead.trim()), instead: Some(instead) })
}

/// About characters that begin nothing in the language.
pub(crate) fn unreadable(found: &str) -> Option<Hint> {
    let first = found.chars().next()?;
    match found {
        "&&" | "&" => return write(" and "),
        "||" | "|" => return write(" or "),
        "!" => return write("not "),
        _ => {}
    }
    match first {
        '\'' | '`' | '\u{2018}'..='\u{201f}' | '\u{ab}' | '\u{bb}' => {
            say("text stands in plain quotes: `\"...\"`")
        }
        ';' => say("remove it: nothing ends a rule, the next one begins with its word"),
        '/' if found.starts_with("//") || found.starts_with("/*") => say("comments begin with `#`"),
        '~' | '/' => say("a regular expression stands behind `matches`: `a matches r\"^f[0-9]+$\"`"),
        '+' | '*' | '%' | '-' => say("there is no arithmetic; a pattern of text stands in quotes"),
        '$' | '@' => say("names stand as they are, without a sign"),
        '\u{2010}'..='\u{2015}' | '\u{2212}' => Some(Hint {
            help: "this is no plain hyphen; write `-`".into(),
            instead: (found.chars().count() == 1).then_some("-"),
        }),
        c if c.is_whitespace() => say(format!("U+{:04X} is no plain space; write one", u32::from(c))),
        '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' => {
            say(format!("U+{:04X} cannot be seen; remove it", u32::from(first)))
        }
        c if c.is_alphabetic() => {
            say("names are of ASCII letters, digits, `_` and `-`; other text stands in quotes")
        }
        _ => None,
    }
}

/// About a word that begins no item.
pub(crate) fn no_item(word: &str) -> Option<Hint> {
    match word {
        "where" | "run" => say(format!("`{word}` is a part of a rule, which begins with `on EVENT`")),
        "when" | "if" | "for" => say("a rule is `on EVENT where CONDITION run TASK`"),
        "import" | "include" | "load" => write("use"),
        "const" | "var" | "def" | "set" => write("let"),
        _ => None,
    }
}

/// Words that stand for a value.
const LITERALS: [&str; 4] = ["absent", "false", "null", "true"];

/// Where another word was expected: what stands before the one that was found, and what could have stood there.
pub(crate) struct Unexpected<'t> {
    /// What was found; empty at the end of an item.
    pub(crate) found: &'t str,
    /// What could stand there, as the message says it.
    pub(crate) expected: &'t [&'static str],
    /// The text before it, without the blanks between.
    pub(crate) before: &'t str,
}

impl Unexpected<'_> {
    /// What to do, where the mistake is a known one.
    pub(crate) fn hint(&self) -> Option<Hint> {
        self.declaration()
            .or_else(|| self.comparison())
            .or_else(|| self.condition())
            .or_else(|| self.order())
            .or_else(|| self.value())
            .or_else(|| self.misspelt())
    }

    fn expects(&self, word: &str) -> bool {
        self.expected.contains(&word)
    }

    /// Whether a condition goes on here.
    fn goes_on(&self) -> bool {
        self.expects("`and`") || self.expects("`or`")
    }

    /// Whether runs go on here: what follows a task's name.
    fn after_runs(&self) -> bool {
        self.expects("`once`")
    }

    fn comparison(&self) -> Option<Hint> {
        let after_operator = self.before.ends_with(['=', '<', '>']);
        match self.found {
            "=" if self.goes_on() => write("=="),
            "=" if after_operator => say("two values are compared by `==`"),
            ">" if self.before.ends_with('<') => say("write `!=`"),
            "null" | "absent" if after_operator => say(
                "write `has VALUE` or `not has VALUE`; `VALUE is null` and `VALUE is absent` tell why it is missing",
            ),
            "not" if last_word(self.before) == "is" => {
                say("write `has VALUE`, which is neither null nor absent")
            }
            "<" | "<=" | ">" | ">=" | "==" | "!=" if self.goes_on() => {
                say("comparisons are not chained; join two of them with `and`")
            }
            "contains" | "includes" | "startswith" | "endswith" if self.goes_on() => {
                say("write `like \"*part*\"` for text, and `VALUE in LIST` for a list")
            }
            "within" | "in" | "every" if self.expected == ["`per`"] => {
                say("write `once per KEY within 24h`, or `at most 20 per 1h`")
            }
            "[" if self.goes_on() => {
                say("elements have no numbers; ask for them by `(any x in LIST where ...)`")
            }
            _ => None,
        }
    }

    fn declaration(&self) -> Option<Hint> {
        let is_word = self.found.starts_with(|c: char| c.is_ascii_alphabetic());
        match self.found {
            "not" if self.expects("`nothing`") => write("no"),
            "with" if self.expects("`expect`") => say("`with` stands before the first `expect`"),
            "==" if self.before.ends_with('=') || self.expects("fields in `{` `}`") => {
                say("what is given to a name stands behind one `=`")
            }
            _ if is_word && self.expects("a string in quotes") => say("text stands in quotes: `\"...\"`"),
            _ if is_word && self.is_reserved() && self.expects("fields in `{` `}`") => say(format!(
                "`{0}` is reserved here; a member of the body can be written `body.{0}`",
                self.found
            )),
            _ => None,
        }
    }

    fn is_reserved(&self) -> bool {
        taskbot_grammar::keywords::RESERVED.contains(&self.found)
    }

    fn condition(&self) -> Option<Hint> {
        match self.found {
            "any" | "all" | "none" if self.expects("a condition") => {
                say(format!("write it in brackets: `({} x in LIST where CONDITION)`", self.found))
            }
            "." if self.expected == ["`in`"] => {
                say("name the element, then the list: `x in LIST`, and what it must be: `where CONDITION`")
            }
            "," if self.expected == ["`where`"] => write(" where"),
            "if" | "when" if self.expects("`where`") => write("where"),
            "then" | "do" if self.expects("`run`") => say("remove it: `run` follows the condition"),
            "{" | ":" if self.expects("`run`") => {
                say("a rule has no brackets and no colon: `on EVENT where CONDITION run TASK`")
            }
            "," if self.expects("`where`") => say(
                "a rule waits for one event; write a second rule, and a `let` for a condition that both have",
            ),
            _ => None,
        }
    }

    fn order(&self) -> Option<Hint> {
        if !self.after_runs() {
            return None;
        }
        match self.found {
            "where" => say("the condition stands before `run`"),
            "for" | "except" => say("`for` and `except` stand before windows and limits"),
            "else" => say("a rule has no `else`; write a second one with `where not ...`"),
            _ if self.is_misspelt() || !self.expects("arguments in `(` `)`") => None,
            word if word.starts_with(|c: char| c.is_ascii_alphabetic()) => say("tasks are joined by `,`"),
            _ => None,
        }
    }

    fn value(&self) -> Option<Hint> {
        let begins_number = self.found.starts_with(|c: char| c.is_ascii_digit());
        if self.expected == ["a duration like `24h`"] && begins_number {
            return say("a unit stands right behind the number: `500ms`, `90s`, `15m`, `24h`, `7d`");
        }
        if self.before.ends_with('"') && self.found.starts_with('"') && self.goes_on() {
            return say("elements of a list are joined by `,`");
        }
        let names_argument = self.expects("`name: value`") || self.expects("a name");
        if self.before.ends_with('(') && names_argument {
            return say("an argument has its input's name: `task(package: VALUE)`");
        }
        if self.found.starts_with('"') && self.expected == ["a name"] {
            return say("a name is one word without quotes: letters, digits, `_`, and hyphens inside");
        }
        match self.expected {
            ["`=`"] => return say("write `let NAME = VALUE`"),
            ["`:`"] if self.found == "=" => return write(":"),
            ["`:`"] if self.found == "." || self.found == ")" => {
                return say(
                    "arguments are written `name: VALUE`; there are no functions but `nvr`, `count`, `any`, `all`, `none`",
                );
            }
            _ => {}
        }
        None
    }

    fn closest(&self) -> Option<&'static str> {
        let words: Vec<&'static str> = self
            .expected
            .iter()
            .filter_map(|word| word.strip_prefix('`')?.strip_suffix('`'))
            .filter(|word| word.chars().all(|c| c.is_ascii_lowercase()))
            .collect();
        if self.found.len() < 2 || !self.found.starts_with(|c: char| c.is_ascii_alphabetic()) {
            return None;
        }
        let same = |word: &&&str| self.found.eq_ignore_ascii_case(word);
        let begins = |word: &&&str| self.found.len() > 2 && word.starts_with(self.found);
        words.iter().find(same).or_else(|| words.iter().find(begins)).copied().or_else(|| {
            // A short name is near to each of these.
            let words: Vec<&'static str> = words.iter().copied().filter(|w| !LITERALS.contains(w)).collect();
            closest(self.found, &words)
        })
    }

    fn is_misspelt(&self) -> bool {
        self.closest().is_some()
    }

    fn misspelt(&self) -> Option<Hint> {
        let instead = self.closest().filter(|word| *word != self.found)?;
        Some(Hint { help: format!("did you mean `{instead}`?"), instead: Some(instead) })
    }
}

fn last_word(text: &str) -> &str {
    text.rsplit(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::panic, reason = "tests")]
    use crate::{SourceText, compile};

    /// What is said about the one mistake of a text.
    fn help(text: &str) -> String {
        let compiled = compile(&[SourceText { path: "rules.tb".into(), text: text.to_owned() }], &[]);
        let [found] = compiled.diagnostics.as_slice() else { panic!("{text}: {:#?}", compiled.diagnostics) };
        found.help.clone().unwrap_or_default()
    }

    #[test]
    fn what_other_languages_have_is_told_in_the_words_of_this_one() {
        for (condition, said) in [
            ("package.name = \"a\"", "write `==`"),
            ("package.name === \"a\"", "by `==`"),
            ("package.name <> \"a\"", "`!=`"),
            ("package.name == \"a\" && epoch is null", "write `and`"),
            ("package.name == \"a\" || epoch is null", "write `or`"),
            ("package.name == \"a\" AND epoch is null", "did you mean `and`"),
            ("!(package.name == \"a\")", "write `not`"),
            ("package.name == 'a'", "plain quotes"),
            ("package.name == \u{201c}a\u{201d}", "plain quotes"),
            ("package.name == a-name", "stands in quotes: `\"a-name\"`"),
            ("package.name =~ \"a\"", "matches"),
            ("package.name contains \"a\"", "like"),
            ("package.name in [\"a\" \"b\"]", "joined by `,`"),
            ("epoch is not null", "has VALUE"),
            ("epoch != null", "has VALUE"),
            ("package.arches[0] == x86_64", "any x in LIST"),
            ("count(package.arches) > 1", "x in LIST"),
            ("any(a in package.arches, a == x86_64)", "write `where`"),
            ("any a in package.arches where a == x86_64", "in brackets"),
            ("1 < (epoch else 0) < 3", "not chained"),
            ("count(a in package.arches) + 1 > 2", "no arithmetic"),
            ("(has epoch) == True", "did you mean `true`"),
            ("package.name\u{a0}== \"a\"", "U+00A0"),
        ] {
            let text = format!("on koji.build.completed where {condition} run rpmlint");
            assert!(help(&text).contains(said), "{condition}: {}", help(&text));
        }
    }

    #[test]
    fn what_a_broken_declaration_declares_is_not_unknown_as_well() {
        for text in [
            "event a.b { hours int }\non a.b run rpmlint(package: \"a-1-1\")",
            "task t { package nvr }\non koji.build.completed run t",
            "let x = package.name in [\"a\"] and\non koji.build.completed where x run rpmlint",
            "enum e low\nfact nvr.level: e { key name }",
        ] {
            let _ = help(text);
        }
    }

    #[test]
    fn the_order_of_a_rule_is_told() {
        for (rest, said) in [
            ("wher package.name == \"a\" run rpmlint", "did you mean `where`"),
            ("if package.name == \"a\" run rpmlint", "write `where`"),
            ("where package.name == \"a\" then run rpmlint", "remove it"),
            ("run rpmlint where package.name == \"a\"", "before `run`"),
            ("run kernel-tests timeout 1h for arch in package.arches", "before windows"),
            ("run rpmlint depcheck", "joined by `,`"),
            ("run rpmlint else depcheck", "no `else`"),
            ("run rpmlint(\"a-1-1\")", "its input's name"),
            ("run rpmlint(package = \"a-1-1\")", "write `:`"),
            ("run rpmlint once per package within 24", "a unit"),
            ("run rpmlint once within 24h", "once per KEY"),
            ("run rpmlint;", "nothing ends a rule"),
            (", bodhi.update.testing run rpmlint", "one event"),
            ("{ run rpmlint }", "no brackets"),
        ] {
            let text = format!("on koji.build.completed {rest}");
            assert!(help(&text).contains(said), "{rest}: {}", help(&text));
        }
        assert!(help("import \"a.tb\"").contains("write `use`"));
        let event = |topic: &str, value: &str| {
            let body = "body { run: { age: int } }";
            format!(
                "event m.s {{ hours: int dialect c {{ topic {topic} {body} hours {value} }} }}\non m.s run rpmlint(package: \"a-1-1\")"
            )
        };
        assert!(help(&event("\"m.c\"", "= run.age")).contains("`body.run`"));
        assert!(help(&event("\"m.c\"", "== body.run.age")).contains("one `=`"));
        assert!(help(&event("m.c", "= body.run.age")).contains("in quotes"));
        let test = |rest: &str| format!("test \"x\" given koji.build.completed {{ new: 1 }} expect {rest}");
        assert!(help(&test("not run rpmlint")).contains("write `no`"));
        assert!(help(&test("nothing with package.lang = C")).contains("before the first"));
        assert!(
            help("task t { repo \"https://example.org/t.git\" }\non koji.build.completed run t")
                .contains("`repository`")
        );
        assert!(help("let a [1]").contains("let NAME = VALUE"));
        assert!(help("// a\non koji.build.completed run rpmlint").contains("begin with `#`"));
    }
}
