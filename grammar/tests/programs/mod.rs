//! Random programs, by the choices of a property test: words of the grammar, with any white space and comments between them.
//!
//! Comes in: numbers. Goes out: a text that the parser accepts. Each number decides one alternative; 0, and what comes after
//! the last one, takes the shortest, so that shrinking makes programs small.

/// The text of a program, as these numbers decide.
pub fn program(numbers: &[u16]) -> String {
    let mut made = Maker { numbers: numbers.iter(), words: Vec::new(), depth: 0 };
    for _ in 0..=made.choose(3) {
        made.item();
    }
    let words = std::mem::take(&mut made.words);
    let mut text = made.trivia("");
    for (n, word) in words.iter().enumerate() {
        text.push_str(word);
        let next = words.get(n + 1).map_or("", String::as_str);
        text.push_str(&made.trivia(gap(word, next)));
    }
    text
}

/// What must stand between two words: event names hold no blanks, names do not touch.
fn gap(left: &str, right: &str) -> &'static str {
    let touches = |word: &str| word.ends_with(|c: char| c.is_ascii_alphanumeric() || "_\"".contains(c));
    let begins = |word: &str| word.starts_with(|c: char| c.is_ascii_alphanumeric() || "_-\"".contains(c));
    if touches(left) && begins(right) { " " } else { "" }
}

struct Maker<'n> {
    numbers: std::slice::Iter<'n, u16>,
    words: Vec<String>,
    depth: usize,
}

impl Maker<'_> {
    /// A number from 0 to `most`.
    fn choose(&mut self, most: u16) -> u16 {
        self.numbers.next().map_or(0, |number| number % (most + 1))
    }

    fn trivia(&mut self, least: &str) -> String {
        let text = match (self.choose(15), least) {
            (0..=5, _) => least,
            (6, _) => " ",
            (7..=8, _) => "\n",
            (9, _) => "\n\n\n",
            (10, _) => "\t \r\n ",
            (11, _) => " # behind\n",
            (12, _) => "\n  # alone\n",
            (13, _) => "\n\n# one\n\n# two  \n",
            (14, _) => "\n## said of it\n",
            _ => "## said behind\n",
        };
        text.to_owned()
    }

    fn say(&mut self, words: &str) {
        self.words.extend(words.split_whitespace().map(str::to_owned));
    }

    fn one_of(&mut self, words: &[&str]) {
        let most = u16::try_from(words.len() - 1).unwrap_or(0);
        let chosen = words.get(usize::from(self.choose(most))).copied().unwrap_or("a");
        self.words.push(chosen.to_owned());
    }

    fn name(&mut self) {
        self.one_of(&[
            "a",
            "package",
            "critical-path",
            "group",
            "within",
            "once",
            "let",
            "some-name-of-more-than-30-columns",
        ]);
    }

    fn list(&mut self, most: u16, comma: &str, mut each: impl FnMut(&mut Self)) {
        for n in 0..=self.choose(most) {
            if n > 0 {
                self.say(comma);
            }
            each(self);
        }
    }

    fn maybe(&mut self, part: impl FnOnce(&mut Self)) {
        if self.choose(1) == 1 {
            part(self);
        }
    }

    fn item(&mut self) {
        match self.choose(8) {
            0 => self.rule(),
            1 => self.event(),
            2 => {
                self.say("record r {");
                self.fields();
                self.maybe(|m| m.say("identity a else b"));
                self.say("}");
            }
            3 => {
                self.say("enum e {");
                self.list(9, "", |m| {
                    m.one_of(&["A", "\"C++\"", "some-long-value-of-an-enum", "if"]);
                    m.maybe(|m| m.say(","));
                });
                self.say("}");
            }
            4 => {
                self.say("fact t . f :");
                self.type_name();
                self.say("{ key");
                self.path();
                self.say("}");
            }
            5 => self.task(),
            6 => {
                self.say("let n =");
                self.condition();
            }
            7 => self.say("use \"other.tb\""),
            _ => self.test(),
        }
    }

    fn event_name(&mut self) {
        self.one_of(&["e", "bodhi.update.testing", "koji.build.completed"]);
    }

    fn rule(&mut self) {
        self.maybe(|m| m.say("rule some-rule"));
        self.say("on");
        match self.choose(2) {
            0 | 1 => self.event_name(),
            _ => self.say("topic \"a.b.c\""),
        }
        self.maybe(|m| {
            m.say("where");
            m.condition();
        });
        self.say("run");
        self.list(3, ",", Self::call);
        for _ in 0..self.choose(2) {
            self.say("for axis in");
            match self.choose(1) {
                0 => self.path(),
                _ => self.values(),
            }
        }
        self.maybe(|m| m.say("except ( A , _ ) , ( b.c , \"x\" )"));
        let clauses = [
            "once per update , package.name within 24h",
            "after 15m quiet per update",
            "at most 20 per 1h",
            "superseding per package.name",
            "limit 2 in group machines",
            "priority high",
            "timeout 90m",
            "may loop",
        ];
        for clause in clauses {
            if self.choose(3) == 1 {
                self.say(clause);
            }
        }
    }

    fn call(&mut self) {
        self.one_of(&["t", "static-analysis", "some.task-of-a-very-long-name"]);
        self.maybe(|m| {
            m.say("(");
            m.list(3, ",", |m| {
                m.say("argument :");
                m.condition();
            });
            m.maybe(|m| m.say(","));
            m.say(")");
        });
    }

    fn condition(&mut self) {
        self.depth += 1;
        let many = if self.depth > 4 { 0 } else { 3 };
        let word = ["or", "and"][usize::from(self.choose(1))];
        self.list(many, word, |m| {
            m.maybe(|m| m.say("not"));
            m.comparison();
        });
        self.depth -= 1;
    }

    fn comparison(&mut self) {
        let deep = if self.depth > 4 { 5 } else { 9 };
        match self.choose(deep) {
            0 => self.operand(),
            1 => {
                self.operand();
                self.one_of(&["==", "!=", "<", ">="]);
                self.operand();
            }
            2 => {
                self.operand();
                self.say("in");
                self.operand();
            }
            3 => {
                self.say("has");
                self.path();
            }
            4 => {
                self.path();
                self.one_of(&[
                    "like \"kernel*\"",
                    "matches r\"^f[0-9]+$\"",
                    "matches \"x\"",
                    "is null",
                    "is absent",
                ]);
            }
            5 => {
                self.operand();
                self.say("else");
                self.operand();
            }
            6 => {
                self.say("(");
                self.condition();
                self.say(")");
            }
            7 => {
                self.one_of(&["( any", "any (", "none ("]);
                self.say("x in");
                self.path();
                self.say("where");
                self.condition();
                self.say(")");
            }
            8 => {
                self.say("count ( x in");
                self.path();
                self.maybe(|m| {
                    m.say("where");
                    m.condition();
                });
                self.say(")");
            }
            _ => {
                self.say("nvr ( name : a , version : b )");
            }
        }
    }

    fn operand(&mut self) {
        match self.choose(3) {
            0 => self.one_of(&["C", "5", "-3", "2.5", "90m", "\"text with # and ## in it\"", "true"]),
            1 | 2 => self.path(),
            _ => self.values(),
        }
    }

    fn values(&mut self) {
        self.say("[");
        self.list(9, ",", |m| m.one_of(&["C", "\"kernel-rt\"", "5", "\"some-long-name-of-a-package\""]));
        self.maybe(|m| m.say(","));
        self.say("]");
    }

    fn path(&mut self) {
        self.one_of(&["package", "body", "x"]);
        for _ in 0..self.choose(2) {
            self.say(".");
            self.one_of(&["name", "in", "\"5.0\"", "re-trigger"]);
        }
    }

    fn type_name(&mut self) {
        self.depth += 1;
        match self.choose(if self.depth > 4 { 1 } else { 4 }) {
            0 | 1 => self.one_of(&["int", "nvr", "string"]),
            2 => {
                self.say("[");
                self.type_name();
                self.say("]");
            }
            _ => {
                self.say("{");
                self.fields();
                self.say("}");
            }
        }
        self.maybe(|m| m.say("?"));
        self.depth -= 1;
    }

    fn fields(&mut self) {
        for _ in 0..self.choose(4) {
            self.one_of(&["a", "\"b c\"", "identity-of-it", "task"]);
            self.say(":");
            self.type_name();
            self.maybe(|m| m.say(","));
        }
    }

    fn event(&mut self) {
        self.say("event");
        self.event_name();
        self.say("{");
        for _ in 0..self.choose(3) {
            self.maybe(|m| m.say("each"));
            self.say("value :");
            self.type_name();
        }
        self.maybe(|m| m.say("deprecated \"another\""));
        for _ in 0..self.choose(2) {
            self.dialect();
        }
        self.say("}");
    }

    fn dialect(&mut self) {
        self.say("dialect d { topic");
        self.list(2, ",", |m| m.one_of(&["\"a.b\"", "\"some.topic.with.many.words.in.it\""]));
        self.maybe(|m| {
            m.say("where");
            m.condition();
        });
        self.say("body {");
        self.fields();
        self.say("}");
        self.maybe(|m| m.say("each b in update.builds"));
        for _ in 0..self.choose(2) {
            self.say("value =");
            match self.choose(1) {
                0 => self.condition(),
                _ => {
                    self.say("{");
                    for _ in 0..self.choose(3) {
                        self.say("field :");
                        self.condition();
                        self.say(",");
                    }
                    self.say("}");
                }
            }
        }
        self.maybe(|m| m.say("happening a.b , c within 24h"));
        self.say("}");
    }

    fn task(&mut self) {
        self.say("task t {");
        for _ in 0..self.choose(4) {
            self.name();
            self.say(":");
            self.type_name();
            self.maybe(|m| {
                m.say("=");
                m.operand();
            });
            self.maybe(|m| m.say(","));
        }
        self.maybe(|m| m.say("repository \"https://example.org/t.git\" at \"v2\""));
        self.maybe(|m| m.say("emits a.b , c.d"));
        self.say("}");
    }

    fn test(&mut self) {
        self.say("test \"shows\" given");
        self.event_name();
        self.maybe(|m| m.say("topic \"x.y\""));
        match self.choose(1) {
            0 => self.say("from \"a.json\""),
            _ => self.object(),
        }
        for _ in 0..self.choose(2) {
            self.say("with package.lang");
            self.maybe(|m| m.say("for \"curl\""));
            self.one_of(&["= C", "= absent", "= [ a , b ]"]);
        }
        self.list(3, "", |m| {
            m.say("expect");
            match m.choose(4) {
                0 => m.say("nothing"),
                1 => m.say("nothing else"),
                2 => m.say("quarantine"),
                3 => {
                    m.say("run");
                    m.call();
                }
                _ => m.say("no run t"),
            }
        });
    }

    fn object(&mut self) {
        self.depth += 1;
        self.say("{");
        let most = if self.depth > 4 { 0 } else { 3 };
        for n in 0..self.choose(most) {
            if n > 0 {
                self.say(",");
            }
            self.one_of(&["a", "\"b\""]);
            self.say(":");
            match self.choose(3) {
                0 => self.one_of(&["1", "-2.5", "\"text\"", "null", "true"]),
                1 => self.object(),
                _ => {
                    self.say("[");
                    self.list(3, ",", |m| match m.choose(1) {
                        0 => m.one_of(&["1", "\"text\""]),
                        _ => m.object(),
                    });
                    self.maybe(|m| m.say(","));
                    self.say("]");
                }
            }
        }
        self.say("}");
        self.depth -= 1;
    }
}
