//! a-tree: conditions over flat attributes, shared among rules. One instance for each topic, with the attributes of its shape.
//!
//! It has no prefixes and no lists of objects.

use a_tree::{ATree, AttributeDefinition};
use serde_json::Value;
use taskbot_benches::rule::{Condition, Literal, Rule, Test};
use taskbot_benches::shape::{Kind, Slot, shape_of};
use taskbot_benches::workload::Workload;

use crate::peer::{ByTopic, Peer, split};

struct Trees<'w>(ByTopic<'w, Option<(ATree<usize>, &'static [Slot])>>);

/// An instance for each topic.
pub fn by_topic(work: &Workload) -> Box<dyn Peer + '_> {
    Box::new(Trees(ByTopic::new(work, |topic| {
        let slots = shape_of(topic);
        let definitions: Vec<AttributeDefinition> = slots.iter().filter_map(definition).collect();
        ATree::new(&definitions).ok().map(|tree| (tree, slots))
    })))
}

fn name(slot: &Slot) -> String {
    slot.path.join("_")
}

fn definition(slot: &Slot) -> Option<AttributeDefinition> {
    match slot.kind {
        Kind::Id | Kind::Small => Some(AttributeDefinition::integer(&name(slot))),
        Kind::Flag => Some(AttributeDefinition::boolean(&name(slot))),
        Kind::Tags | Kind::Packages | Kind::Builds => None,
        _ => Some(AttributeDefinition::string(&name(slot))),
    }
}

impl Peer for Trees<'_> {
    fn add(&mut self, rule: &Rule) -> Result<(), String> {
        let parts: Result<Vec<String>, String> = rule.conditions.iter().map(part).collect();
        let text = parts?.join(" and ");
        self.0.of_rule(rule, |tree| {
            let Some((tree, _)) = tree else { return Err("definitions".to_owned()) };
            tree.insert(&rule.number, &text).map_err(|_| "an expression that it cannot read".to_owned())
        })
    }

    fn fired(&mut self, envelope: &[u8], out: &mut Vec<usize>) {
        let Some(envelope) = split(envelope) else { return };
        let Some(Some((tree, slots))) = self.0.of_topic(&envelope.topic) else { return };
        let Ok(body) = serde_json::from_str::<Value>(envelope.msg.get()) else { return };
        let mut event = tree.make_event();
        for slot in slots.iter().filter(|slot| definition(slot).is_some()) {
            let value = slot.path.iter().try_fold(&body, |at, step| at.get(step));
            let told = match value {
                Some(value) if value.is_string() => {
                    event.with_string(&name(slot), value.as_str().unwrap_or_default())
                }
                Some(value) if value.is_boolean() => {
                    event.with_boolean(&name(slot), value.as_bool().unwrap_or_default())
                }
                Some(value) if value.is_i64() => {
                    event.with_integer(&name(slot), value.as_i64().unwrap_or_default())
                }
                _ => event.with_undefined(&name(slot)),
            };
            if told.is_err() {
                return;
            }
        }
        let Ok(event) = event.build() else { return };
        if let Ok(report) = tree.search(&event) {
            out.extend(report.matches().iter().copied());
        }
    }
}

fn part(condition: &Condition) -> Result<String, String> {
    let Condition::Value(slot, test) = condition else { return Err("lists of objects".to_owned()) };
    let name = name(slot);
    match test {
        Test::Is(Literal::Text(text)) => Ok(format!("{name} = \"{text}\"")),
        Test::In(texts) => Ok(format!("{name} in [\"{}\"]", texts.join("\", \""))),
        Test::Has => Ok(format!("{name} is not null")),
        Test::Prefix(_) => Err("prefixes".to_owned()),
        _ => Err("other tests".to_owned()),
    }
}
