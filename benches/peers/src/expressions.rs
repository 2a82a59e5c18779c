//! Engines that judge one expression at a time: each rule of a message's topic is asked in turn, on one tree of the message.
//!
//! Comes in: rules, written in each engine's language. An expression that fails on a message (a member that is missing) does not
//! hold; the rules given have neither `or` nor `not`, so that this is exact.

use datalogic_rs::bumpalo::Bump;
use serde_json::{Value, json};
use taskbot_benches::rule::{Condition, Literal, Rule, Test};
use taskbot_benches::workload::Workload;

use crate::peer::{ByTopic, Peer, split};

/// How a language writes things; paths are those of a value below the variable that stands first.
struct Syntax {
    body: &'static str,
    member: fn(&str, &str) -> String,
    within: fn(&str, &[String]) -> String,
    prefix: fn(&str, &str) -> String,
    has: fn(&str, &str) -> String,
    any: fn(&str, &str) -> String,
    element: &'static str,
    text: fn(&str) -> String,
}

fn quoted(text: &str) -> String {
    format!("\"{text}\"")
}

fn listed(texts: &[String]) -> String {
    format!("[{}]", texts.iter().map(|text| quoted(text)).collect::<Vec<_>>().join(", "))
}

const RHAI: Syntax = Syntax {
    body: "body",
    member: |of, name| format!("{of}[\"{name}\"]"),
    within: |value, texts| format!("{value} in {}", listed(texts)),
    prefix: |value, text| format!("{value}.starts_with(\"{text}\")"),
    has: |of, name| format!("{of}[\"{name}\"] != ()"),
    any: |list, inner| format!("{list}.some(|e| {inner})"),
    element: "e",
    text: quoted,
};

const CEL: Syntax = Syntax {
    body: "body",
    member: |of, name| format!("{of}[\"{name}\"]"),
    within: |value, texts| format!("{value} in {}", listed(texts)),
    prefix: |value, text| format!("{value}.startsWith(\"{text}\")"),
    has: |of, name| format!("\"{name}\" in {of} && {of}[\"{name}\"] != null"),
    any: |list, inner| format!("{list}.exists(e, {inner})"),
    element: "e",
    text: quoted,
};

const JMESPATH: Syntax = Syntax {
    body: "@",
    member: |of, name| format!("{of}.\"{name}\""),
    within: |value, texts| format!("contains(`{}`, {value})", listed(texts)),
    prefix: |value, text| format!("starts_with({value}, '{text}')"),
    has: |of, name| format!("{of}.\"{name}\" != `null`"),
    any: |list, inner| format!("length({list}[?{inner}]) > `0`"),
    element: "@",
    text: |text| format!("'{text}'"),
};

impl Syntax {
    fn rule(&self, rule: &Rule) -> Result<String, String> {
        let parts: Result<Vec<String>, String> = rule.conditions.iter().map(|c| self.condition(c)).collect();
        Ok(parts?.join(" && "))
    }

    fn condition(&self, condition: &Condition) -> Result<String, String> {
        match condition {
            Condition::Value(slot, test) => self.test(self.body, slot.path, test),
            Condition::Any(list, tests) => {
                let inner: Result<Vec<String>, String> = tests
                    .iter()
                    .map(|(slot, test)| self.test(self.element, slot.map_or(&[][..], |slot| slot.path), test))
                    .collect();
                Ok((self.any)(&self.path(self.body, list.path), &inner?.join(" && ")))
            }
            Condition::Or(_) | Condition::Subject(_) => Err("not tried: or, subjects".to_owned()),
        }
    }

    fn path(&self, of: &str, path: &[&str]) -> String {
        path.iter().fold(of.to_owned(), |of, name| (self.member)(&of, name))
    }

    fn test(&self, of: &str, path: &[&str], test: &Test) -> Result<String, String> {
        let value = self.path(of, path);
        match test {
            Test::Is(Literal::Text(text)) => Ok(format!("{value} == {}", (self.text)(text))),
            Test::In(texts) => Ok((self.within)(&value, texts)),
            Test::Prefix(text) => Ok((self.prefix)(&value, text)),
            Test::Has => {
                let (last, before) = path.split_last().ok_or("has of an element")?;
                Ok((self.has)(&self.path(of, before), last))
            }
            _ => Err("not tried: other tests".to_owned()),
        }
    }
}

/// Asks rules on a body's text; gives the numbers of those that hold.
type Ask<E, R> = fn(&E, &[(usize, R)], &str, &mut Vec<usize>);

/// Rules compiled by an engine, by topic.
struct Asked<'w, E, R> {
    engine: E,
    rules: ByTopic<'w, Vec<(usize, R)>>,
    compile: fn(&E, &Rule) -> Result<R, String>,
    ask: Ask<E, R>,
}

impl<E, R: Clone> Peer for Asked<'_, E, R> {
    fn add(&mut self, rule: &Rule) -> Result<(), String> {
        let compiled = (self.compile)(&self.engine, rule)?;
        self.rules.of_rule(rule, |of| {
            of.push((rule.number, compiled.clone()));
            Ok(())
        })
    }

    fn fired(&mut self, envelope: &[u8], out: &mut Vec<usize>) {
        let Some(envelope) = split(envelope) else { return };
        if let Some(rules) = self.rules.of_topic(&envelope.topic) {
            (self.ask)(&self.engine, rules, envelope.msg.get(), out);
        }
    }
}

/// rhai, a scripting language.
pub fn rhai(work: &Workload) -> Box<dyn Peer + '_> {
    let mut engine = rhai::Engine::new();
    engine.set_max_expr_depths(0, 0);
    Box::new(Asked {
        engine,
        rules: ByTopic::new(work, |_| Vec::new()),
        compile: |engine, rule| engine.compile(RHAI.rule(rule)?).map_err(|error| error.to_string()),
        ask: |engine, rules, body, out| {
            let mut scope = rhai::Scope::new();
            let Ok(body) = serde_json::from_str::<rhai::Dynamic>(body) else { return };
            scope.push_dynamic("body", body);
            for (number, ast) in rules {
                if engine.eval_ast_with_scope::<bool>(&mut scope, ast).unwrap_or(false) {
                    out.push(*number);
                }
            }
        },
    })
}

/// cel, Google's expression language.
pub fn cel(work: &Workload) -> Box<dyn Peer + '_> {
    Box::new(Asked {
        engine: (),
        rules: ByTopic::new(work, |_| Vec::new()),
        compile: |(), rule| {
            let program = cel::Program::compile(&CEL.rule(rule)?).map_err(|error| format!("{error:?}"))?;
            Ok(std::rc::Rc::new(program))
        },
        ask: |(), rules, body, out| {
            let mut context = cel::Context::default();
            let Ok(body) = serde_json::from_str::<Value>(body) else { return };
            if context.add_variable("body", body).is_err() {
                return;
            }
            for (number, program) in rules {
                if matches!(program.execute(&context), Ok(cel::Value::Bool(true))) {
                    out.push(*number);
                }
            }
        },
    })
}

/// jmespath, a query language.
pub fn jmespath(work: &Workload) -> Box<dyn Peer + '_> {
    Box::new(Asked {
        engine: (),
        rules: ByTopic::new(work, |_| Vec::new()),
        compile: |(), rule| jmespath::compile(&JMESPATH.rule(rule)?).map_err(|error| error.to_string()),
        ask: |(), rules, body, out| {
            let Ok(body) = jmespath::Variable::from_json(body) else { return };
            let body = jmespath::Rcvar::new(body);
            for (number, expression) in rules {
                if expression.search(&body).is_ok_and(|found| found.is_truthy()) {
                    out.push(*number);
                }
            }
        },
    })
}

/// datalogic-rs, JSONLogic.
pub fn datalogic(work: &Workload) -> Box<dyn Peer + '_> {
    Box::new(Asked {
        engine: datalogic_rs::Engine::new(),
        rules: ByTopic::new(work, |_| Vec::new()),
        compile: |engine, rule| {
            let parts: Result<Vec<Value>, String> = rule.conditions.iter().map(logic_of_condition).collect();
            let compiled = engine.compile(json!({ "and": parts? }).to_string().as_str());
            compiled.map(std::rc::Rc::new).map_err(|error| format!("{error:?}"))
        },
        ask: |engine, rules, body, out| {
            let (data, mut arena) = (datalogic_rs::ParsedData::from_json(body), Bump::new());
            let Ok(data) = data else { return };
            for (number, logic) in rules {
                let holds =
                    engine.evaluate(logic, &data, &arena).is_ok_and(|value| value.as_bool() == Some(true));
                arena.reset();
                if holds {
                    out.push(*number);
                }
            }
        },
    })
}

fn logic_of_condition(condition: &Condition) -> Result<Value, String> {
    match condition {
        Condition::Value(slot, test) => logic(slot.path, test),
        Condition::Any(list, tests) => {
            let inner: Result<Vec<Value>, String> = tests
                .iter()
                .map(|(slot, test)| logic(slot.map_or(&[][..], |slot| slot.path), test))
                .collect();
            Ok(json!({ "some": [{ "var": list.path.join(".") }, { "and": inner? }] }))
        }
        Condition::Or(_) | Condition::Subject(_) => Err("not tried: or, subjects".to_owned()),
    }
}

fn logic(path: &[&str], test: &Test) -> Result<Value, String> {
    let value = json!({ "var": path.join(".") });
    match test {
        Test::Is(Literal::Text(text)) => Ok(json!({ "===": [value, text] })),
        Test::In(texts) => Ok(json!({ "in": [value, texts] })),
        Test::Prefix(text) => Ok(json!({ "starts_with": [value, text] })),
        Test::Has => Ok(json!({ "!==": [value, null] })),
        _ => Err("not tried: other tests".to_owned()),
    }
}
