//! The literate specification, `tests/spec/*.md`: what programs mean, shown by messages and what comes of them.
//!
//! A block `tb` is the program of what follows it (`tb,fails TB0302`: one that gives exactly this code). `facts` sets answers
//! from there on, a line each: `nvr.lang "curl" = "C"`, or `nvr.lang "curl" has no such key`. `message TOPIC` is a body,
//! and the `runs` behind it is all that comes of it, a line each and in order:
//!
//! ```text
//! rpmlint(package: "curl-8.6.0-7.fc40")                a run; `because RULE, RULE` may follow
//! ... as happening 1                                    where it has a happening, numbered as they come up
//! parked: RULE needs nvr.lang "curl"
//! quarantine: EVENT                                     the message does not fit its event
//! set aside: RULE                                       it does, but not for this rule
//! no subject: EVENT
//! unknown: language "Zig"
//! ```
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use taskbot_compiler::{SourceText, compile};
use taskbot_graph::{Answer, FactKey, Graph, Judgement, Note, Run, judge};

/// A fenced block: the line of its fence, what stands behind the fence, its text.
struct Block {
    line: usize,
    info: String,
    text: String,
}

fn blocks(page: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for (at, line) in page.lines().enumerate() {
        match (open.as_mut(), line.strip_prefix("```")) {
            (Some(_), Some("")) => blocks.extend(open.take()),
            (Some(block), _) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
            (None, Some(info)) => {
                open = Some(Block { line: at + 1, info: info.to_owned(), text: String::new() });
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block is not closed");
    blocks
}

/// Where a page has come to.
#[derive(Default)]
struct Reader {
    graph: Option<Graph>,
    facts: BTreeMap<FactKey, Answer>,
    /// Keys of happenings in the order in which they came up.
    happenings: Vec<String>,
    judgement: Option<Judgement>,
    expectations: usize,
    /// What is not as the page says.
    wrong: Vec<String>,
}

impl Reader {
    fn block(&mut self, place: &str, block: &Block) {
        let (kind, rest) = block.info.split_once([' ', ',']).unwrap_or((&block.info, ""));
        let is_waiting = self.judgement.is_some();
        assert_eq!(is_waiting, kind == "runs", "{place}: a message stands before `runs`, and nowhere else");
        match kind {
            "tb" => self.program(place, rest.strip_prefix("fails "), &block.text),
            "facts" => block.text.lines().for_each(|line| self.fact(place, line)),
            "message" => {
                let graph = self.graph.as_ref().unwrap_or_else(|| panic!("{place}: no program before"));
                let body: serde_json::Value =
                    serde_json::from_str(&block.text).unwrap_or_else(|e| panic!("{place}: {e}"));
                self.judgement = Some(judge(graph, rest, body.to_string().as_bytes(), &self.facts));
            }
            "runs" => {
                let judgement = self.judgement.take().unwrap();
                let wanted: Vec<&str> = block.text.lines().map(str::trim_end).collect();
                let with_reasons = wanted.iter().any(|line| line.contains(" because "));
                let found = self.shown(&judgement, with_reasons);
                if found != wanted {
                    self.wrong.push(format!(
                        "{place} says\n  {}\nbut\n  {}\n  {:?}",
                        wanted.join("\n  "),
                        found.join("\n  "),
                        judgement.refused
                    ));
                }
                self.expectations += 1;
            }
            _ => panic!("{place}: a block of no kind, {:?}", block.info),
        }
    }

    fn program(&mut self, place: &str, fails: Option<&str>, text: &str) {
        let compiled = compile(&[SourceText { path: place.to_owned(), text: text.to_owned() }], &[]);
        let found: Vec<&str> = compiled.diagnostics.iter().map(|d| d.code.id).collect();
        let said: Vec<&str> = compiled.diagnostics.iter().map(|d| d.message.as_str()).collect();
        if found != fails.into_iter().collect::<Vec<_>>() {
            self.wrong.push(format!("{place} gives {found:?}: {said:?}"));
        }
        let wrong = std::mem::take(&mut self.wrong);
        *self = Self { graph: compiled.graph, expectations: self.expectations, wrong, ..Self::default() };
        self.expectations += usize::from(fails.is_some());
    }

    fn fact(&mut self, place: &str, line: &str) {
        let mut parts = line.split('"');
        let fact = parts.next().unwrap().trim().to_owned();
        let key = FactKey { fact, key: parts.next().unwrap().to_owned() };
        let rest = line.splitn(3, '"').nth(2).unwrap().trim();
        let answer = match rest.strip_prefix("= ") {
            Some(json) => {
                let json = serde_json::from_str(json).unwrap_or_else(|e| panic!("{place}: {line}: {e}"));
                Answer::Known(self.graph.as_ref().unwrap().read_fact(&key.fact, &json).unwrap())
            }
            None if rest == "has no such key" => Answer::NoSuchKey,
            None => panic!("{place}: {line}"),
        };
        self.facts.insert(key, answer);
    }

    fn run(&mut self, run: &Run, with_reasons: bool) -> String {
        let mut line = run.key();
        if with_reasons {
            let mut rules: Vec<&str> = run.asks.iter().map(|ask| ask.reason.rule.as_str()).collect();
            rules.dedup();
            line.push_str(&format!(" because {}", rules.join(", ")));
        }
        if let Some(happening) = &run.happening {
            let known = self.happenings.iter().position(|key| *key == happening.key);
            let number = known.unwrap_or_else(|| {
                self.happenings.push(happening.key.clone());
                self.happenings.len() - 1
            });
            line.push_str(&format!(" as happening {}", number + 1));
        }
        line
    }

    fn shown(&mut self, judgement: &Judgement, with_reasons: bool) -> Vec<String> {
        let mut lines: Vec<String> = judgement.runs.iter().map(|run| self.run(run, with_reasons)).collect();
        for parked in &judgement.parked {
            let needs: Vec<String> = parked.needs.iter().map(|n| format!("{} {:?}", n.fact, n.key)).collect();
            lines.push(format!("parked: {} needs {}", parked.reason.rule, needs.join(", ")));
        }
        for refusal in &judgement.refused {
            lines.push(match &refusal.rule {
                Some(rule) => format!("set aside: {rule}"),
                None => format!("quarantine: {}", refusal.event),
            });
        }
        for note in &judgement.notes {
            lines.push(match note {
                Note::NoSubject { event } => format!("no subject: {event}"),
                Note::UnknownEnumValue { name, value } => format!("unknown: {name} {value:?}"),
            });
        }
        lines
    }
}

#[test]
fn programs_mean_what_the_specification_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/spec");
    let mut pages: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    pages.sort();
    let (mut total, mut wrong) = (0, Vec::new());
    for page in &pages {
        let name = page.file_name().unwrap().to_string_lossy().into_owned();
        let mut reader = Reader::default();
        for block in blocks(&fs::read_to_string(page).unwrap()) {
            reader.block(&format!("{name}:{}", block.line), &block);
        }
        assert!(reader.judgement.is_none(), "{name}: what comes of the last message?");
        assert!(reader.expectations >= 3, "{name}: {} expectations", reader.expectations);
        total += reader.expectations;
        wrong.append(&mut reader.wrong);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(total >= 50, "{total} expectations");
}
