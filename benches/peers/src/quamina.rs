//! quamina: patterns in JSON, matched by one automaton. It reads the message itself.
//!
//! `has` cannot be said exactly: a member that is null exists for it.

use quamina::Quamina;
use serde_json::{Map, Value, json};
use taskbot_benches::program::covered;
use taskbot_benches::rule::{Condition, Literal, Rule, Test};
use taskbot_benches::workload::Workload;

use crate::peer::{ByTopic, Peer, split};

struct Whole<'w> {
    work: &'w Workload,
    quamina: Quamina<usize>,
}

/// All rules in one instance, with the topic in each pattern.
pub fn whole(work: &Workload) -> Box<dyn Peer + '_> {
    Box::new(Whole { work, quamina: Quamina::new() })
}

impl Peer for Whole<'_> {
    fn add(&mut self, rule: &Rule) -> Result<(), String> {
        let mut pattern = pattern(rule)?;
        let topics = covered(&self.work.topics, rule.on);
        let names = topics.iter().filter_map(|at| self.work.topics.names.get(*at));
        let topics: Vec<String> =
            names.flat_map(|name| ["prod", "stg"].map(|env| format!("org.example.{env}.{name}"))).collect();
        pattern.insert("topic".to_owned(), json!(topics));
        self.quamina
            .add_pattern(rule.number, &Value::Object(pattern).to_string())
            .map_err(|e| format!("{e:?}"))
    }

    fn fired(&mut self, envelope: &[u8], out: &mut Vec<usize>) {
        out.extend(self.quamina.matches_for_event(envelope).unwrap_or_default());
    }
}

struct Each<'w>(ByTopic<'w, Quamina<usize>>);

/// An instance for each topic.
pub fn by_topic(work: &Workload) -> Box<dyn Peer + '_> {
    Box::new(Each(ByTopic::new(work, |_| Quamina::new())))
}

impl Peer for Each<'_> {
    fn add(&mut self, rule: &Rule) -> Result<(), String> {
        let pattern = Value::Object(pattern(rule)?).to_string();
        self.0
            .of_rule(rule, |quamina| quamina.add_pattern(rule.number, &pattern).map_err(|e| format!("{e:?}")))
    }

    fn fired(&mut self, envelope: &[u8], out: &mut Vec<usize>) {
        let Some(topic) = split(envelope).map(|envelope| envelope.topic) else { return };
        let Some(quamina) = self.0.of_topic(&topic) else { return };
        out.extend(quamina.matches_for_event(envelope).unwrap_or_default());
    }
}

fn pattern(rule: &Rule) -> Result<Map<String, Value>, String> {
    let mut body = Map::new();
    for condition in &rule.conditions {
        match condition {
            Condition::Value(slot, test) => insert(&mut body, slot.path, values(test)?)?,
            Condition::Any(list, tests) => {
                let mut element = Map::new();
                for (slot, test) in tests {
                    let slot = slot.ok_or("elements that are no objects")?;
                    insert(&mut element, slot.path, values(test)?)?;
                }
                insert(&mut body, list.path, Value::Object(element))?;
            }
            Condition::Or(_) => return Err("or across values".to_owned()),
            Condition::Subject(_) => return Err("subjects".to_owned()),
        }
    }
    Ok(Map::from_iter([("msg".to_owned(), Value::Object(body))]))
}

fn values(test: &Test) -> Result<Value, String> {
    match test {
        Test::Is(Literal::Text(text)) => Ok(json!([text])),
        Test::In(texts) => Ok(json!(texts)),
        Test::Prefix(text) => Ok(json!([{ "prefix": text }])),
        Test::Has => Err("has, since null exists".to_owned()),
        _ => Err("other tests".to_owned()),
    }
}

fn insert(members: &mut Map<String, Value>, path: &[&str], value: Value) -> Result<(), String> {
    let Some((first, rest)) = path.split_first() else { return Ok(()) };
    if rest.is_empty() {
        let before = members.insert((*first).to_owned(), value);
        return before.map_or(Ok(()), |_| Err("two tests of one value".to_owned()));
    }
    let below = members.entry(*first).or_insert_with(|| Value::Object(Map::new()));
    below.as_object_mut().map_or(Ok(()), |below| insert(below, rest, value))
}
